// How our instrumentations start spans: our own tracer takes their attributes as they are, of another SDK's
// the span is made as for any app.

import type { Attributes as ApiAttributes, Context, Span, SpanKind } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { Tracer } from "../trace/tracer.ts";
import { plain } from "../trace/values.ts";
import type { Attributes } from "../trace/values.ts";

export type StartSpan = (name: string, attributes: Attributes, parent: Context) => Span;

export function spanStarter(scope: string, kind: SpanKind): StartSpan {
  const tracer = load("@opentelemetry/api").trace.getTracer(scope);
  if (tracer instanceof Tracer) {
    return (name, attributes, parent) => tracer.begin(name, kind, attributes, parent);
  }
  return (name, attributes, parent) => {
    const given = { kind, attributes: plain(attributes) as ApiAttributes }; // scalars, as they were added
    return tracer.startSpan(name, given, parent);
  };
}
