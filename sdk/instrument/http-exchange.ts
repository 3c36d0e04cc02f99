// A request that a server is handling: its span, its context, and what its duration is counted under.

import type { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Attributes, Context, Span } from "@opentelemetry/api";
import { serverDurations } from "../metrics/durations.ts";
import type { Family } from "../metrics/durations.ts";
import { parentOf, Span as OwnSpan } from "../trace/span.ts";
import { hearerKey } from "./http-events.ts";
import type { Hearer, Marked } from "./http-events.ts";
import { errorType, fail, SpanScope, spanName } from "./http-scope.ts";
import { finishes, hasFinished } from "./idle-connections.ts";
import type { RpcMetadata } from "./http-scope.ts";

export class Exchange implements Hearer, RpcMetadata {
  readonly type = "http";
  readonly span: Span;
  readonly context: SpanScope;
  /** Set by whoever knows the framework, at any time before the end. */
  route: string | undefined = undefined;
  /** Asked for the route at the end, with the request; frameworks that tell it nowhere else set it. */
  findRoute: ((request: object) => string | undefined) | undefined = undefined;
  request: object | undefined = undefined;
  /** By a handler, as its framework tells; an error of the server's only if that is what it answers. */
  thrown: unknown = undefined;
  isEnded = false;
  readonly #family: Family;
  readonly #begunMs = performance.now();

  constructor(span: Span, parent: Context, family: Family) {
    this.span = span;
    this.context = new SpanScope(parent, span, this);
    this.#family = family;
    family.active++;
  }

  /**
   * 'close' is the one event that every response has, once, after a complete answer as after a broken one.
   * What it was is asked before the app's listeners, who may still call end().
   */
  hear(event: string | symbol, source: object): void {
    if (event === "finish" && isResponse(source)) finishes(source);
    if (event !== "close") return;
    hasFinished();
    if (this.isEnded) return;
    if (isStream(source)) this.#endWithStream(source);
    else if (isResponse(source)) this.endWith(source);
  }

  #endWithStream(stream: ServerHttp2Stream): void {
    const status = stream.headersSent ? Number(stream.sentHeaders[":status"]) : undefined;
    const error: unknown = stream.errored;
    if (error) this.end(status, errorType(error), error);
    else if (stream.aborted || stream.rstCode !== 0) this.end(status, "aborted");
    else this.end(status);
  }

  endWith(response: ServerResponse): void {
    if (response.writableFinished) {
      this.end(response.statusCode);
      return;
    }
    // One that waited behind another answer of its connection has headers, but nobody has seen them.
    const isSent = response.headersSent && response.socket !== null;
    const error: unknown = response.errored;
    this.end(
      isSent ? response.statusCode : undefined,
      error ? errorType(error) : "aborted",
      error ?? undefined,
    );
  }

  /** Once. The status is that which was sent; `failure` is the error's type where it is not the status. */
  end(status: number | undefined, failure?: string, error?: unknown): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { span } = this;
    this.#family.active--;
    if (this.request) this.route ??= this.findRoute?.(this.request);
    this.findRoute = undefined;
    this.request = undefined; // a context may outlive it by far
    if (span.isRecording()) this.#describe(status, failure, error);
    const nowMs = performance.now();
    const seconds = (nowMs - this.#begunMs) / 1000;
    this.#seriesOf(status, failure).record(seconds, parentOf(span), nowMs);
    span.end();
    // Whatever the app has begun in its context may keep that for long, such as a WebSocket.
    if (span instanceof OwnSpan) span.release();
    this.context.metadata = undefined;
  }

  #describe(status: number | undefined, failure: string | undefined, error: unknown): void {
    const { span, route } = this;
    if (status !== undefined) span.setAttribute("http.response.status_code", status);
    if (route !== undefined) {
      span.setAttribute("http.route", route);
      span.updateName(`${spanName(this.#family.method)} ${route}`);
    }
    const type = failure ?? failureOf(status);
    if (type !== undefined) fail(span, type, error ?? this.thrown);
  }

  #seriesOf(status: number | undefined, failure: string | undefined) {
    const { route } = this;
    const family = this.#family;
    const key = failure === undefined ? (status ?? 0) : `${status} ${failure}`;
    const found = family.find(route ?? "", key);
    if (found) return found;
    const attributes: Attributes = {
      "http.request.method": family.method,
      "url.scheme": family.scheme,
      "network.protocol.version": family.version,
    };
    if (route !== undefined) attributes["http.route"] = route;
    if (status !== undefined) attributes["http.response.status_code"] = status;
    const type = failure ?? failureOf(status);
    if (type !== undefined) attributes["error.type"] = type;
    return serverDurations.add(family, route ?? "", key, attributes);
  }
}

function isStream(source: object): source is ServerHttp2Stream {
  return "rstCode" in source;
}

function isResponse(source: object): source is ServerResponse {
  return "writableFinished" in source;
}

/** A 4xx is the client's mistake, not the server's. */
function failureOf(status: number | undefined): string | undefined {
  return status !== undefined && status >= 500 ? String(status) : undefined;
}

/** Of a request or response as Node has it, over HTTP/1 or HTTP/2. */
export function exchangeOf(message: unknown): Exchange | undefined {
  const marked = message as (Marked & { readonly stream?: Marked }) | undefined;
  const hearer = marked?.[hearerKey] ?? marked?.stream?.[hearerKey];
  return hearer instanceof Exchange ? hearer : undefined;
}
