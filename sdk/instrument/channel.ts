// Spans of what a library tells on a tracing channel of its own: no patch, and nothing is done for an app that
// does not use it. One that throws here would end the app, so nothing does.

import { tracingChannel } from "node:diagnostics_channel";
import type { Span } from "@opentelemetry/api";
import { load } from "../packages.ts";

interface Message {
  /** There as soon as it has failed. */
  readonly error?: unknown;
}

export interface Operation<Told> {
  /** Undefined for what is not worth a span. */
  start(told: Told): Span | undefined;
  /** Just before it ends, failed or not. */
  finish?(span: Span, told: Told): void;
  /** What of an error may be told; its message may have values in it. */
  describeError(error: unknown): { readonly type: string; readonly message: string };
}

export function traceChannel<Told extends object>(name: string, operation: Operation<Told>): void {
  const { SpanStatusCode } = load("@opentelemetry/api");
  const spans = new WeakMap<object, Span>();
  const end = (message: object): void => {
    const span = spans.get(message);
    if (span === undefined) return;
    spans.delete(message);
    try {
      operation.finish?.(span, message as Told);
    } finally {
      span.end();
    }
  };
  tracingChannel(name).subscribe({
    start: guarded((message) => {
      const span = operation.start(message as Told); // as the library documents it
      if (span) spans.set(message, span);
    }),
    error: guarded((message) => {
      const span = spans.get(message);
      if (span === undefined) return;
      const { type, message: told } = operation.describeError((message as Message).error);
      span.setAttribute("error.type", type);
      span.setStatus({ code: SpanStatusCode.ERROR, message: told });
    }),
    // One that has thrown does not go on asynchronously.
    end: guarded((message) => {
      if ("error" in message || ("result" in message && !isPromise(message.result))) end(message);
    }),
    asyncStart() {},
    asyncEnd: guarded(end),
  });
}

function guarded(handle: (message: object) => void) {
  return (message: unknown): void => {
    try {
      handle(message as object); // tracing channels pass objects
    } catch {
      // Without this span, then.
    }
  };
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
