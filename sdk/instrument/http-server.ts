// One span for each request of HTTP/1 that a server of node:http or node:https takes, and its duration. The servers'
// `emit` is changed on their prototype: it begins the span and runs the handlers in its context. The rest
// of a request's life is heard through its response.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { isScrape } from "../export/prometheus.ts";
import { serverDurations } from "../metrics/durations.ts";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { contextsInUse } from "../trace/context.ts";
import { contextExtractor } from "./carriers.ts";
import { hearerKey, hearEvents, replaceMethod } from "./http-events.ts";
import type { Emit, Marked } from "./http-events.ts";
import { Exchange, exchangeOf } from "./http-exchange.ts";
import { attributesOf, schemeOf } from "./http-request.ts";
import type { RequestHead } from "./http-request.ts";
import { errorType, knownMethod, metadataOf, spanName } from "./http-scope.ts";
import { watchHandshake } from "./http-upgrade.ts";
import { freeIdleConnections } from "./idle-connections.ts";
import { expressRouteOf } from "./routes/express.ts";
import { spanStarter } from "./spans.ts";

export function traceHttpServers(): void {
  const http = process.getBuiltinModule("node:http");
  const net = process.getBuiltinModule("node:net");
  const servers = new Servers(exchangeStarter());
  // Of which all servers of HTTP are heirs, those of https and http2 too: to ask for theirs would load them,
  // and the cryptography below takes as long to load as all of us.
  servers.watch(net.Server.prototype);
  hearEvents(http.IncomingMessage.prototype);
  hearEvents(http.ServerResponse.prototype);
  freeIdleConnections();
  // An exception has left the handler by the time it is known that nobody catches it.
  process.on("uncaughtExceptionMonitor", (error: unknown) => servers.crash(error));
}

/** Begins the span of a request. */
export function exchangeStarter(): (head: RequestHead) => Exchange {
  const { SpanKind } = load("@opentelemetry/api");
  const startSpan = spanStarter("sonde/http", SpanKind.SERVER);
  const extract = contextExtractor();
  return (head) => {
    const parent = extract(head.headers);
    const method = knownMethod(head.method);
    const family = serverDurations.family(method, head.scheme, head.version);
    const span = startSpan(spanName(method), attributesOf(head, family), parent);
    return new Exchange(span, parent, family);
  };
}

class Servers {
  readonly #start: (head: RequestHead) => Exchange;
  /** Whose handlers are running, or have thrown. */
  #entered: Exchange | undefined;

  constructor(start: (head: RequestHead) => Exchange) {
    this.#start = start;
  }

  watch(prototype: object): void {
    const contexts = contextsInUse();
    const begin = (event: string | symbol, args: readonly unknown[]) => this.#begin(event, args);
    const enter = (exchange: Exchange | undefined): void => void (this.#entered = exchange);
    replaceMethod<Emit>(prototype, "emit", (original) => {
      return function emit(event, ...args) {
        const exchange = begin(event, args);
        if (exchange === undefined) return original.call(this, event, ...args);
        enter(exchange);
        const done = contexts.with(exchange.context, original, this, event, ...args);
        enter(undefined); // it is still there when a handler throws
        return done;
      };
    });
  }

  #begin(event: string | symbol, args: readonly unknown[]): Exchange | undefined {
    try {
      switch (event) {
        case "request":
        case "checkContinue":
        case "checkExpectation":
          return this.#take(...(args as [IncomingMessage & Marked, ServerResponse & Marked])); // Node's
        case "connect":
        case "upgrade":
          return this.#takeHandshake(...(args as [IncomingMessage & Marked, Socket])); // Node's
        default:
          return undefined;
      }
    } catch (error) {
      tell(`tracing a request failed: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** The app may emit the same request again, after a 100-continue or to another server: still the same. */
  #take(request: IncomingMessage & Marked, response: ServerResponse & Marked) {
    if (!isHttp1(request)) return undefined;
    const known = exchangeOf(request);
    if (known || isScrape(request)) return known;
    const exchange = this.#start(headOf(request));
    exchange.request = request;
    exchange.findRoute = expressRouteOf;
    request[hearerKey] = exchange;
    response[hearerKey] = exchange;
    if (response.socket === null) endWithConnection(response, request.socket);
    return exchange;
  }

  #takeHandshake(request: IncomingMessage & Marked, socket: Socket): Exchange | undefined {
    if (!isHttp1(request)) return undefined;
    const known = exchangeOf(request);
    if (known) return known;
    const exchange = this.#start(headOf(request));
    request[hearerKey] = exchange;
    watchHandshake(socket, exchange);
    return exchange;
  }

  /** The process is about to end, unless the app has other plans for it, and its answer too. */
  crash(error: unknown): void {
    try {
      const metadata = this.#entered ?? metadataOf(contextsInUse().active());
      this.#entered = undefined;
      if (!(metadata instanceof Exchange)) return;
      const isCaught =
        process.listenerCount("uncaughtException") > 0 ||
        process.hasUncaughtExceptionCaptureCallback();
      if (!isCaught) metadata.end(undefined, errorType(error), error);
      else if (error instanceof Error) metadata.span.recordException(error);
    } catch {
      // The app's own exception is what matters now.
    }
  }
}

/** Other servers may have events of these names, with whatever they like. */
function isHttp1(request: Partial<IncomingMessage> | null | undefined): boolean {
  return request?.httpVersionMajor === 1 && typeof request.socket === "object";
}

function headOf(request: IncomingMessage): RequestHead {
  const { headers, socket } = request;
  return {
    method: request.method ?? "GET",
    target: request.url ?? "/",
    scheme: schemeOf(headers, "encrypted" in socket),
    version: request.httpVersion,
    host: headers.host,
    headers,
    socket,
  };
}

/** By connection: responses that had to wait for others when their requests came. */
const waiting = new WeakMap<Socket, Set<ServerResponse>>();

/** Before Node 24 one that waits behind another of its connection, and dies there, has no 'close'. */
function endWithConnection(response: ServerResponse, socket: Socket): void {
  let responses = waiting.get(socket);
  if (!responses) {
    waiting.set(socket, (responses = new Set()));
    socket.once("close", () => {
      for (const left of waiting.get(socket) ?? []) {
        if (!left.writableFinished) exchangeOf(left)?.endWith(left);
      }
    });
  }
  for (const one of responses) if (exchangeOf(one)?.isEnded) responses.delete(one);
  responses.add(response);
}
