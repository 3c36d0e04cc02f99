// Who may ask the API, apart from the token that the listener asks for. A web page that somebody looks
// at can make the browser send requests to this machine; three things tell them from what we want:
// the name in Host (an attacker's own, when his name server says 127.0.0.1), the Origin, and a content
// type that a page cannot send to another site without being asked first.

import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Refusal {
  readonly status: 400 | 403 | 415;
  readonly error: string;
}

/** Undefined if it may come in. `ownHost` is the setting `host`. */
export function refusal({ method, headers }: Asked, ownHost: string): Refusal | undefined {
  const { host, origin } = headers;
  const url = host === undefined ? null : URL.parse(`http://${host}`);
  if (!url || url.pathname !== "/" || url.username || url.search || url.hash) {
    return { status: 400, error: "a Host header is needed" };
  }
  if (!isOurs(url.hostname, ownHost)) {
    const error = `"${url.hostname}" is not a name of this collector; ask for an IP address or localhost`;
    return { status: 403, error };
  }
  if (origin !== undefined && !isSame(origin, host ?? "")) {
    return { status: 403, error: "pages of other sites may not ask this collector" };
  }
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (method === "POST" && type !== "application/json") {
    return { status: 415, error: "content-type must be application/json" };
  }
  return undefined;
}

/** An address is nobody's name, so it cannot be turned against us. */
function isOurs(hostname: string, ownHost: string): boolean {
  const name = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const own = ownHost.toLowerCase().replace(/\.$/, "");
  return isIP(name) !== 0 || name === "localhost" || name === own;
}

function isSame(origin: string, host: string): boolean {
  const url = URL.parse(origin);
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== "/") return false;
  return url.host === URL.parse(`${url.protocol}//${host}`)?.host;
}
