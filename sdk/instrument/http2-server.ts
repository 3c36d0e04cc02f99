// One span for each request of HTTP/2, whether the app takes it as a stream or as a request and response.
// node:http2 is not loaded for it, which costs as much as the rest of our start: Node tells of the first
// stream on a channel (from 22.17 on), and with it come the prototypes whose `emit` is changed.

import { subscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { messageOf, tell } from "../tell.ts";
import { contextsInUse } from "../trace/context.ts";
import { hearerKey, hearEvents, replaceMethod } from "./http-events.ts";
import type { Emit, Marked } from "./http-events.ts";
import { exchangeOf } from "./http-exchange.ts";
import { isGrpc } from "./http-scope.ts";
import { exchangeStarter } from "./http-server.ts";

interface Begun {
  readonly stream: ServerHttp2Stream & Marked;
  readonly headers: IncomingHttpHeaders;
}

export function traceHttp2Servers(): void {
  const begin = exchangeStarter();
  subscribe("http2.server.stream.start", (message) => {
    try {
      const { stream, headers } = message as Begun;
      const { session } = stream;
      // Even ids are what the server pushes; gRPC has an instrumentation of its own.
      if (session === undefined || (stream.id ?? 0) % 2 === 0 || isGrpc(headers["content-type"]))
        return;
      runInContext(Object.getPrototypeOf(session) as object);
      hearEvents(Object.getPrototypeOf(stream) as object);
      stream[hearerKey] = begin({
        method: headers[":method"] ?? "GET",
        target: headers[":path"] ?? "/",
        scheme: headers[":scheme"] === "http" ? "http" : "https",
        version: "2",
        host: headers[":authority"] ?? headers.host,
        headers,
        socket: session.socket,
      });
    } catch (error) {
      // Thrown here it would be an uncaught exception of the app.
      tell(`tracing a request failed: ${messageOf(error)}`);
    }
  });
}

const patched = new WeakSet<object>();

/** A session emits its streams; the server, and its requests, follow from that. */
function runInContext(prototype: object): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const contexts = contextsInUse();
  replaceMethod<Emit>(prototype, "emit", (original) => {
    return function emit(event, ...args) {
      const exchange = event === "stream" ? exchangeOf(args[0]) : undefined;
      if (exchange === undefined) return original.call(this, event, ...args);
      return contexts.with(exchange.context, original, this, event, ...args);
    };
  });
}
