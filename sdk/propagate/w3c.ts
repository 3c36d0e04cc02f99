// The formats of W3C are OpenTelemetry's own. Imported and not loaded, as all else of theirs is: so only what they
// need of their package gets into the file that every app's start pays for.

import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { isSuppressed, spanIn } from "../trace/context.ts";
import { Span } from "../trace/span.ts";

export { W3CBaggagePropagator } from "@opentelemetry/core";

export class TraceContextPropagator implements TextMapPropagator {
  readonly #official = new W3CTraceContextPropagator();

  /** The ids of a span of ours are known to be valid: to look at each digit takes as long as to write them. */
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = spanIn(context);
    if (!(span instanceof Span)) {
      this.#official.inject(context, carrier, setter);
      return;
    }
    if (isSuppressed(context)) return;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    setter.set(carrier, "traceparent", `00-${traceId}-${spanId}-0${traceFlags}`);
    if (traceState) setter.set(carrier, "tracestate", traceState.serialize());
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    return this.#official.extract(context, carrier, getter);
  }

  fields(): string[] {
    return this.#official.fields();
  }
}
