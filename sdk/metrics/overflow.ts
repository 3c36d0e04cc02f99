// A metric with more sets of attributes than are kept apart is a mistake that nobody sees until the numbers
// are missing.

import type { MetricData } from "@opentelemetry/sdk-metrics";
import { tell } from "../tell.ts";

export const overflow = "otel.metric.overflow";

/** Attribute sets of one metric, the one for all others included; sdk-metrics has the same limit. */
export const maxSeries = 2000;

export function tellOfOverflow({ descriptor, dataPoints }: MetricData): void {
  if (dataPoints.length < maxSeries) return;
  if (!dataPoints.some(({ attributes }) => attributes[overflow] === true)) return;
  const { name } = descriptor;
  tell(
    `the metric "${name}" has more than ${maxSeries - 1} sets of attributes; all others are counted as one, ` +
      `with ${overflow}. Take an attribute away that has a new value each time`,
    `overflow ${name}`,
  );
}
