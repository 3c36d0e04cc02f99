// The format of OpenTracing's basic tracers: `ot-tracer-traceid`, `ot-tracer-spanid`, `ot-tracer-sampled`, and
// baggage in `ot-baggage-{key}`. It has room for half a trace id; the later half is passed on.

import type { TextMapPropagator } from "@opentelemetry/api";
import { headerOf, idOf, injectBaggage, spanToInject, withBaggage, withParent } from "./headers.ts";

const headers = {
  traceId: "ot-tracer-traceid",
  spanId: "ot-tracer-spanid",
  sampled: "ot-tracer-sampled",
};
const asIs = (value: string): string => value;
const baggage = { prefix: "ot-baggage-", encode: asIs, decode: asIs };

export function ottracePropagator(): TextMapPropagator {
  return {
    inject(context, carrier, setter) {
      const span = spanToInject(context);
      if (span === undefined) return;
      setter.set(carrier, headers.traceId, span.traceId.slice(16));
      setter.set(carrier, headers.spanId, span.spanId);
      setter.set(carrier, headers.sampled, String((span.traceFlags & 1) === 1));
      injectBaggage(context, carrier, setter, baggage);
    },
    extract(context, carrier, getter) {
      const traceId = idOf(headerOf(carrier, getter, headers.traceId), 32);
      const spanId = idOf(headerOf(carrier, getter, headers.spanId), 16);
      if (traceId === undefined || spanId === undefined) return context;
      const sampled = headerOf(carrier, getter, headers.sampled)?.toLowerCase();
      const parent = withParent(context, traceId, spanId, sampled === "true" || sampled === "1");
      return withBaggage(parent, carrier, getter, baggage);
    },
    fields: () => Object.values(headers),
  };
}
