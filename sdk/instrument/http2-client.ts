// One span for each request that the app makes over HTTP/2, and its duration. Node tells of such requests on
// channels only when their headers are settled, too late for those of a trace, so it is the method `request`
// of a session that is changed. node:http2 is not loaded for it: whoever uses it makes a socket first.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from "node:http2";
import { Duplex } from "node:stream";
import type { Context } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { callStarter } from "./client-call.ts";
import type { ClientCall, Target } from "./client-call.ts";
import { hearerKey, hearEvents, replaceMethod } from "./http-events.ts";
import type { Hearer, Marked } from "./http-events.ts";
import { addressOf, errorType, isCancelled, isGrpc } from "./http-scope.ts";

export function traceHttp2Clients(): void {
  const patchOnce = (): void => {
    try {
      if (!isLoaded()) return;
      unsubscribe("net.client.socket", patchOnce);
      patch(prototypeOfSessions());
    } catch (error) {
      // Thrown here it would be an uncaught exception of the app.
      tell(`clients of HTTP/2 are not traced: ${messageOf(error)}`);
    }
  };
  subscribe("net.client.socket", patchOnce);
}

/** Node's list of its own modules that are loaded; it stands in no type. */
function isLoaded(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes("NativeModule http2") ?? false;
}

/** No module exports it; a session that leads nowhere has it, too. */
function prototypeOfSessions(): object {
  const { connect } = process.getBuiltinModule("node:http2");
  const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const session = connect("http://localhost", { createConnection: () => nowhere });
  session.on("error", () => {});
  session.destroy();
  return Object.getPrototypeOf(session) as object;
}

type Headers = OutgoingHttpHeaders | readonly string[];
type Request = (
  this: ClientHttp2Session,
  headers?: Headers,
  options?: ClientSessionRequestOptions,
) => ClientHttp2Stream & Marked;

const patched = new WeakSet<object>();

function patch(prototype: object): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const { propagation } = load("@opentelemetry/api");
  const begin = callStarter();
  replaceMethod<Request>(prototype, "request", (original) => {
    return function request(headers, options) {
      let call: ClientCall | undefined;
      let sent = headers;
      try {
        const get = readerOf(headers);
        const isOthers = isGrpc(get("content-type")) || isOfUndici(this);
        if (!isOthers) call = begin(targetOf(this, get));
        if (call !== undefined) {
          const added: Record<string, string> = {};
          propagation.inject(call.scope, added);
          sent = isRaw(headers)
            ? [...headers, ...Object.entries(added).flat()]
            : { ...headers, ...added };
        }
      } catch (error) {
        tell(`tracing a request failed: ${messageOf(error)}`);
      }
      if (call === undefined) return original.call(this, headers, options);
      return requestFor(call, () => original.call(this, sent, options));
    };
  });
}

/** Of fetch and of undici's own, which have a span by then; it counts on each session what it has open. */
function isOfUndici(session: object): boolean {
  return Object.getOwnPropertySymbols(session).some((one) => one.description === "open streams");
}

/** What Node refuses it refuses to the app as ever. */
function requestFor(
  call: ClientCall,
  request: () => ClientHttp2Stream & Marked,
): ClientHttp2Stream & Marked {
  try {
    const stream = request();
    stream[hearerKey] = new OutgoingStream(call, stream);
    hearEvents(Object.getPrototypeOf(stream) as object);
    return stream;
  } catch (error) {
    call.end(errorType(error), error);
    throw error;
  }
}

class OutgoingStream implements Hearer {
  readonly context: Context;
  readonly #call: ClientCall;
  readonly #stream: ClientHttp2Stream;

  constructor(call: ClientCall, stream: ClientHttp2Stream) {
    this.context = call.context;
    this.#call = call;
    this.#stream = stream;
  }

  hear(event: string | symbol, _source: object, detail: unknown): void {
    if (this.#call.isEnded) return;
    switch (event) {
      case "response":
        this.#answer(detail as IncomingHttpHeaders); // what this event brings
        break;
      case "error":
        if (isCancelled(detail)) this.#call.end();
        else this.#call.end(errorType(detail), detail);
        break;
      case "end": // the app may end the process before 'close' comes
      case "close":
        this.#call.end();
        break;
    }
  }

  #answer(headers: IncomingHttpHeaders): void {
    const { session } = this.#stream;
    this.#call.sent("2", session === undefined || session.destroyed ? {} : session.socket);
    this.#call.answered(Number(headers[":status"]), () => headers.location);
  }
}

function isRaw(headers: Headers | undefined): headers is readonly string[] {
  return Array.isArray(headers);
}

type Reader = (name: string) => string | undefined;

function readerOf(headers: Headers | undefined): Reader {
  return (name) => {
    if (!isRaw(headers)) {
      const value = headers?.[name];
      return value === undefined || Array.isArray(value) ? undefined : String(value);
    }
    const at = headers.findIndex((text, index) => index % 2 === 0 && text === name);
    return at < 0 ? undefined : headers[at + 1];
  };
}

function targetOf(session: ClientHttp2Session, get: Reader): Target {
  const [knownAuthority, knownProtocol] = knownOf(session);
  const scheme = get(":scheme") ?? knownProtocol.replace(":", "");
  const authority = get(":authority") ?? get("host") ?? knownAuthority;
  const { host, port = scheme === "https" ? 443 : 80 } = addressOf(authority);
  const method = get(":method") ?? "GET";
  const isDefault = authority.endsWith(scheme === "https" ? ":443" : ":80");
  const shown = isDefault ? authority.slice(0, authority.lastIndexOf(":")) : authority;
  const path = get(":path") ?? (method === "CONNECT" ? "" : "/");
  return { method, host, port, url: `${scheme}://${shown}${path}` };
}

/** What `connect` was told; Node keeps it under symbols of its own. */
function knownOf(session: object): readonly [authority: string, protocol: string] {
  let [authority, protocol] = ["", "https:"];
  for (const symbol of Object.getOwnPropertySymbols(session)) {
    const { description } = symbol;
    if (description !== "authority" && description !== "protocol") continue;
    const value: unknown = Reflect.get(session, symbol);
    if (typeof value !== "string") continue;
    if (description === "authority") authority = value;
    else protocol = value;
  }
  return [authority, protocol];
}
