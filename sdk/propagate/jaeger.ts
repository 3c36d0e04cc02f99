// Jaeger's own format: `uber-trace-id: {trace id}:{span id}:{parent}:{flags}`, baggage in `uberctx-{key}`.

import type { TextMapPropagator } from "@opentelemetry/api";
import { headerOf, idOf, injectBaggage, spanToInject, withBaggage, withParent } from "./headers.ts";

const header = "uber-trace-id";
const baggage = { prefix: "uberctx-", encode: encodeURIComponent, decode: decodeURIComponent };

export function jaegerPropagator(): TextMapPropagator {
  return {
    inject(context, carrier, setter) {
      const span = spanToInject(context);
      if (span !== undefined) {
        const flags = (span.traceFlags & 1).toString().padStart(2, "0");
        setter.set(carrier, header, `${span.traceId}:${span.spanId}:0:${flags}`);
      }
      injectBaggage(context, carrier, setter, baggage);
    },
    extract(context, carrier, getter) {
      const text = headerOf(carrier, getter, header)?.replaceAll(/%3a/gi, ":") ?? "";
      const [traceId, spanId, , flags = "", ...more] = text.split(":");
      const isRight = more.length === 0 && /^[0-9a-f]{1,2}$/i.test(flags);
      // The second bit asks for debugging, which is more than sampling.
      const isSampled = (Number.parseInt(flags, 16) & 3) !== 0;
      const parent = isRight
        ? withParent(context, idOf(traceId, 32), idOf(spanId, 16), isSampled)
        : context;
      return withBaggage(parent, carrier, getter, baggage);
    },
    fields: () => [header],
  };
}
