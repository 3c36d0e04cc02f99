// Servers of HTTP/2 and sessions with them, of one test, closed after it.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAuthority } from "../../support/certificates.ts";
import { cleanups } from "./http.ts";

type Server = http2.Http2Server | http2.Http2SecureServer;

/** Where it listens from now on. */
export async function originOf(server: Server): Promise<string> {
  server.on("sessionError", () => {});
  server.listen(0, "127.0.0.1");
  cleanups.push(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `${"setSecureContext" in server ? "https" : "http"}://127.0.0.1:${port}`;
}

export async function connectTo(server: Server): Promise<http2.ClientHttp2Session> {
  const client = http2.connect(await originOf(server), { rejectUnauthorized: false });
  client.on("error", () => {});
  cleanups.push(() => client.destroy());
  return client;
}

export async function ask(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body = "",
): Promise<number> {
  const stream = client.request(headers);
  if (headers[":method"] !== undefined) stream.end(body);
  const [answer] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  stream.resume();
  await once(stream, "close");
  return Number(answer[":status"]);
}

/** Of an authority that nobody knows. */
export function certificate(): { readonly key: Buffer; readonly cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "sonde-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const pair = makeAuthority(folder, "authority").issue("server");
  return { key: readFileSync(pair.key), cert: readFileSync(pair.cert) };
}
