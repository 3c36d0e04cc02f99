// What the instrumentations of HTTP have in common: the context of a request, methods, addresses, URLs and
// the names of errors, as OpenTelemetry's conventions for HTTP have them.

import type { Context, Span } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { knownMethods as methodsOf } from "../values.ts";

/**
 * The keys under which the API and its SDKs keep things in a context. The API makes all its keys with
 * Symbol.for, so that several copies of it in one process find what another has put there.
 */
const spanKey = Symbol.for("OpenTelemetry Context Key SPAN");
const metadataKey = Symbol.for("OpenTelemetry SDK Context Key RPC_METADATA");
const suppressedKey = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** What OpenTelemetry's instrumentations of frameworks look for in the context, to set the route. */
export interface RpcMetadata {
  readonly type: "http";
  readonly span: Span;
  route: string | undefined;
}

/**
 * A context with one span, and with metadata if it is a server's. Two fields instead of the two copies of a
 * Map that the API would make for them, which is a microsecond for every request.
 */
export class SpanScope implements Context {
  readonly span: Span;
  metadata: RpcMetadata | undefined;
  readonly #parent: Context;
  #copy: Context | undefined;

  constructor(parent: Context, span: Span, metadata?: RpcMetadata) {
    this.#parent = parent;
    this.span = span;
    this.metadata = metadata;
  }

  getValue(key: symbol): unknown {
    if (key === spanKey) return this.span;
    if (key === metadataKey && this.metadata !== undefined) return this.metadata;
    return this.#parent.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#asMap().setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return this.#asMap().deleteValue(key);
  }

  #asMap(): Context {
    if (this.#copy) return this.#copy;
    let copy = this.#parent.setValue(spanKey, this.span);
    if (this.metadata) copy = copy.setValue(metadataKey, this.metadata);
    return (this.#copy = copy);
  }
}

export function isSuppressed(context: Context): boolean {
  return context.getValue(suppressedKey) === true;
}

/** What the span of a request that is being handled knows of it; undefined outside of servers. */
export function metadataOf(context: Context): RpcMetadata | undefined {
  const metadata = context.getValue(metadataKey) as RpcMetadata | undefined; // what the key stands for
  return metadata?.type === "http" ? metadata : undefined;
}

let knownMethods: ReadonlySet<string> = methodsOf([]);

/** Those that the user says there are. */
export function knowMethods(methods: ReadonlySet<string>): void {
  knownMethods = methods;
}

/** `_OTHER` for one that is not known, so that nobody makes series of metrics by inventing methods. */
export function knownMethod(method: string): string {
  return knownMethods.has(method) ? method : "_OTHER";
}

/** It has an instrumentation of its own. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/grpc") ?? false;
}

export function spanName(method: string): string {
  return method === "_OTHER" ? "HTTP" : method;
}

export interface Address {
  readonly host: string;
  readonly port: number | undefined;
}

/** `host`, `host:port`, `[::1]` or `[::1]:port`; the brackets are of the URL, not of the address. */
export function addressOf(text: string): Address {
  const afterHost = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  if (text.startsWith("[") && afterHost > 1) {
    return { host: text.slice(1, afterHost - 1), port: portOf(text.slice(afterHost + 1)) };
  }
  if (afterHost <= 0 || text.includes(":", afterHost + 1)) return { host: text, port: undefined };
  return { host: text.slice(0, afterHost), port: portOf(text.slice(afterHost + 1)) };
}

function portOf(text: string): number | undefined {
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Class or code of what went wrong: never its message, which is another one each time. */
export function errorType(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  const { code, name, cause } = error as { code?: unknown; name?: unknown; cause?: unknown };
  // A signal that timed out aborts with an AbortError that says why in its cause.
  if (name === "AbortError" && isTimeout(cause)) return "TimeoutError";
  if (typeof code === "string" && code !== "") return code;
  return typeof name === "string" && name !== "" ? name : "Error";
}

/** Given up by the app itself, which is no failure; a time limit of its own is one. */
export function isCancelled(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  return name === "AbortError" && !isTimeout(cause);
}

function isTimeout(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === "TimeoutError";
}

export function fail(span: Span, type: string, error?: unknown): void {
  const { SpanStatusCode } = load("@opentelemetry/api");
  span.setAttribute("error.type", type);
  const message = error instanceof Error ? error.message : undefined;
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message ? { message } : {}) });
  if (error instanceof Error) span.recordException(error);
}
