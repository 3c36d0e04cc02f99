// OpenTelemetry's SDK around an instrumentation of ours, in this process, keeping the spans that end.

import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { afterEach, beforeAll, beforeEach } from "vitest";
import { until } from "../../support/until.ts";
import { closeAll } from "./http.ts";

export interface Tracing {
  /** Those that ended, as soon as there are that many; fails if more have begun. */
  spans(count: number): Promise<readonly ReadableSpan[]>;
  reset(): void;
}

/** For a file of tests: each begins without spans, and what it has opened is closed after it. */
export function useTracing(instrument: () => void): Tracing {
  const tracing = startTracing();
  beforeAll(instrument);
  beforeEach(() => tracing.reset());
  afterEach(closeAll);
  return tracing;
}

function startTracing(): Tracing {
  const exporter = new InMemorySpanExporter();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({
      propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
    }),
  );
  let begun = 0;
  const counter: SpanProcessor = {
    onStart: () => void begun++,
    onEnd() {},
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  const spanProcessors = [counter, new SimpleSpanProcessor({ exporter })];
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
  return {
    async spans(count) {
      await until("it has come", () => exporter.getFinishedSpans().length >= count);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      const spans = exporter.getFinishedSpans();
      if (spans.length > count || begun > count) {
        throw new Error(`${begun} spans began and ${spans.length} ended, not ${count}`);
      }
      return spans;
    },
    reset() {
      exporter.reset();
      begun = 0;
    },
  };
}

export function statusOf({ attributes }: { readonly attributes: object }): unknown {
  return (attributes as Readonly<Record<string, unknown>>)["http.response.status_code"];
}

/** The id of the span that is running; "" outside of any. */
export function activeSpanId(): string {
  return trace.getActiveSpan()?.spanContext().spanId ?? "";
}
