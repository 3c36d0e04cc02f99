// One series that stands for several: what each of them grows by is added to it, so that it does not fall
// when one of them ends or begins anew.

import type { Kind } from "./metric.ts";
import { Distribution, NumberSeries, type Series } from "./series.ts";

/** A series as it was before a point. */
export interface Before {
  readonly isNew: boolean;
  readonly start: number;
  readonly value: number;
  readonly sum: number;
  readonly count: number;
  readonly counts: readonly number[];
  readonly bounds: readonly number[];
}

/** By what kind of point, and when. */
export interface Growing {
  readonly kind: Kind;
  readonly nowMs: number;
}

const nothing: Before = {
  isNew: true,
  start: 0,
  value: 0,
  sum: 0,
  count: 0,
  counts: [],
  bounds: [],
};

export function beforeOf(series: Series): Before {
  const { start, seenMs } = series;
  const isNew = seenMs < 0;
  if (series instanceof NumberSeries) return { ...nothing, isNew, start, value: series.value };
  const { sum, count, buckets } = series;
  const counts = series.counts.slice();
  return { ...nothing, isNew, start, sum, count, counts, bounds: buckets.bounds };
}

/** Of a histogram a number has the count. Where both are histograms, they have the same bounds by now. */
export function grow(
  target: Series,
  series: Series,
  before: Before,
  { kind, nowMs }: Growing,
): void {
  const isReset = before.isNew || (!kind.isDelta && isFallen(series, before, kind));
  // Of one that was counted before the target was there, the target has only what came since.
  if (target.seenMs < 0 && before.isNew) target.start = series.start;
  target.seenMs = nowMs;
  target.time = Math.max(target.time, series.time);
  if (target instanceof Distribution) {
    if (series instanceof Distribution) addTo(target, series, isReset ? nothing : before);
    return;
  }
  const isNumber = series instanceof NumberSeries;
  const now = isNumber ? series.value : series.count;
  const last = isNumber ? before.value : before.count;
  target.value += isReset ? now : now - last;
}

/** Its sender began anew. */
function isFallen(series: Series, before: Before, { isMonotonic }: Kind): boolean {
  const isNumber = series instanceof NumberSeries;
  if (isNumber && !isMonotonic) return false; // a level may fall
  if (series.start !== before.start && series.start !== 0 && before.start !== 0) return true;
  return isNumber ? series.value < before.value : series.count < before.count;
}

function addTo(target: Distribution, series: Distribution, before: Before): void {
  const last = areEqual(before.bounds, series.buckets.bounds) ? before : nothing;
  for (let at = 0; at < target.counts.length; at++) {
    target.counts[at]! += series.counts[at]! - (last.counts[at] ?? 0);
  }
  target.count += series.count - last.count;
  target.sum += series.sum - last.sum;
}

/** By hand, since it is asked for every point of a histogram. */
export function areEqual(some: readonly number[], others: readonly number[]): boolean {
  if (some === others) return true;
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}
