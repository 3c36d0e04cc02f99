// How much a span or a log record may hold.

import type { Limits } from "../settings.ts";
import type { AttributeLimits } from "./values.ts";

export interface SpanLimits {
  readonly attributes: AttributeLimits;
  readonly eventAttributes: AttributeLimits;
  readonly linkAttributes: AttributeLimits;
  readonly events: number;
  readonly links: number;
}

const defaultCount = 128;

export function spanLimitsOf(limits: Limits): SpanLimits {
  // OpenTelemetry's reads 0 as no limit of the length, since nobody wants all texts empty.
  const length = limits.spanAttributeLength || Infinity;
  return {
    attributes: { count: limits.spanAttributes ?? defaultCount, length },
    eventAttributes: { count: limits.eventAttributes ?? defaultCount, length },
    linkAttributes: { count: limits.linkAttributes ?? defaultCount, length },
    events: limits.spanEvents ?? defaultCount,
    links: limits.spanLinks ?? defaultCount,
  };
}

export function logLimitsOf(limits: Limits): AttributeLimits {
  return {
    count: limits.logAttributes ?? defaultCount,
    length: limits.logAttributeLength || Infinity,
    isLenient: true,
  };
}
