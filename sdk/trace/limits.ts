// How much a span or a log record may hold.

import type { Limits } from "../settings.ts";
import { unlimited } from "./values.ts";
import type { AttributeLimits } from "./values.ts";

export interface SpanLimits {
  readonly attributes: AttributeLimits;
  readonly eventAttributes: AttributeLimits;
  readonly linkAttributes: AttributeLimits;
  readonly events: number;
  readonly links: number;
}

export function spanLimitsOf(limits: Limits): SpanLimits {
  // OpenTelemetry's reads 0 as no limit of the length, since nobody wants all texts empty.
  const length = within(limits.spanAttributeLength || unlimited);
  return {
    attributes: { count: within(limits.spanAttributes), length },
    eventAttributes: { count: within(limits.eventAttributes), length },
    linkAttributes: { count: within(limits.linkAttributes), length },
    events: within(limits.spanEvents),
    links: within(limits.spanLinks),
  };
}

export function logLimitsOf(limits: Limits): AttributeLimits {
  return {
    count: within(limits.logAttributes),
    length: within(limits.logAttributeLength || unlimited),
    isLenient: true,
  };
}

function within(limit: number): number {
  return Math.min(limit, unlimited);
}
