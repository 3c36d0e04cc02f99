// What a point does to its series: replaces what was there, is added to it, or is left out since it
// comes too late.

import { labelText, numberText } from "../../telemetry/exposition.ts";
import { addExponential, type ExponentialHistogram, explicitBuckets } from "./exponential.ts";
import { areEqual } from "./growth.ts";
import type { Kind } from "./metric.ts";
import { maxBuckets, type Point } from "./point.ts";
import {
  type Buckets,
  type Distribution,
  type NumberSeries,
  type Problem,
  type Stream,
} from "./series.ts";

/** Nothing is to be done with a point that was taken before or is older than what is known. */
export type Verdict = "take" | "ignore" | { readonly problem: string };

/**
 * Two senders that cannot be told apart would make a counter jump to and fro, so the one that began
 * last is believed, and the latest point. After so long a silence, two and a half of the SDKs' usual
 * intervals, whoever sends is believed: a clock may have been set back.
 */
const silenceMs = 150_000;

interface Times {
  readonly start: number;
  readonly time: number;
  readonly seenMs: number;
}

export function judge(series: Times, point: Point, kind: Kind, nowMs: number): Verdict {
  if (kind.isMonotonic && !(point.value >= 0)) {
    return { problem: `a counter or its difference cannot be ${point.value}` };
  }
  const isKnown = series.seenMs >= 0 && nowMs - series.seenMs < silenceMs;
  if (kind.isDelta) {
    if (!isFinite(point.value)) {
      return { problem: `a difference of ${point.value} cannot be added` };
    }
    if (!isKnown || point.time === 0 || point.time > series.time) return "take";
    if (point.time === series.time) return "ignore";
    return { problem: "a difference older than what has been added up" };
  }
  if (!isKnown) return "take";
  if (!kind.isGauge && point.start !== 0) {
    if (point.start > series.start) return "take";
    if (point.start < series.start) {
      return {
        problem: "a sender that began later sends the same series; set service.instance.id",
      };
    }
  }
  return point.time !== 0 && point.time < series.time ? "ignore" : "take";
}

export function takeNumber(series: NumberSeries, point: Point, { isDelta }: Kind): void {
  series.value = isDelta ? series.value + point.value : point.value;
  if (!isDelta || series.start === 0) series.start = point.start;
  series.time = point.time;
}

/** The usual case, in place; false when the buckets are not those of the series. */
export function takeSameBuckets(series: Distribution, point: Point, { isDelta }: Kind): boolean {
  if (series.seenMs < 0 || point.exponential || series.fine) return false;
  if (!areEqual(series.buckets.bounds, point.bounds)) return false;
  const { counts } = series;
  for (let at = 0; at < counts.length; at++) {
    counts[at] = isDelta ? counts[at]! + point.counts[at]! : point.counts[at]!;
  }
  series.count = isDelta ? series.count + point.count : point.count;
  series.sum = isDelta ? series.sum + point.sum : point.sum;
  if (!isDelta || series.start === 0) series.start = point.start;
  series.time = point.time;
  return true;
}

/** What a histogram or summary would be with the point. */
export interface Distributed {
  readonly buckets: Buckets;
  readonly counts: number[];
  readonly count: number;
  readonly sum: number;
  readonly start: number;
  readonly fine: ExponentialHistogram | undefined;
}

/** With other buckets a histogram begins anew, unless both are exponential and can be added. */
export function withOtherBuckets(
  series: Distribution,
  point: Point,
  { isDelta }: Kind,
  stream: Stream,
): Distributed | Problem {
  const { count, sum, exponential } = point;
  if (!isDelta || !exponential || !series.fine || series.seenMs < 0) {
    const counts = point.counts.slice();
    const buckets = bucketsFor(stream, point.bounds);
    return { buckets, counts, count, sum, start: point.start, fine: exponential };
  }
  const fine = addExponential(series.fine, exponential);
  const into = { bounds: [], counts: [] };
  const problem = explicitBuckets(fine, into, maxBuckets);
  if (problem) return { reason: "bad_data", detail: problem };
  return {
    buckets: bucketsFor(stream, into.bounds),
    counts: into.counts,
    count: series.count + count,
    sum: series.sum + sum,
    start: series.start || point.start,
    fine,
  };
}

export function takeDistribution(series: Distribution, point: Point, next: Distributed): void {
  series.exemplars = undefined; // their places are others now, and the point brings its own
  series.buckets = next.buckets;
  series.counts = next.counts;
  series.count = next.count;
  series.sum = next.sum;
  series.fine = next.fine;
  series.start = next.start;
  series.time = point.time;
}

/** The series of one metric have the same buckets nearly always, and then share them. */
export function bucketsFor(stream: Stream, bounds: readonly number[]): Buckets {
  if (stream.buckets && areEqual(stream.buckets.bounds, bounds)) return stream.buckets;
  const name = stream.family.type === "summary" ? "quantile" : "le";
  const labelOf = (bound: number): string => labelText([[name, numberText(bound)]]);
  stream.buckets = {
    bounds: bounds.slice(),
    labels: bounds.map(labelOf),
  };
  return stream.buckets;
}
