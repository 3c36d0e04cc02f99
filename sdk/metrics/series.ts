// The durations of one set of attributes: counted in buckets, each with the last that can be looked up
// as a trace.

import type { Attributes, HrTime, SpanContext } from "@opentelemetry/api";
import type {
  DataPoint,
  Histogram,
  ExponentialHistogramMetricData,
} from "@opentelemetry/sdk-metrics";
import type { Settings } from "../settings.ts";
import { hrTimeOf } from "../trace/clock.ts";
import { Span, SpanIds } from "../trace/span.ts";
import { Exponential, usualSize } from "./exponential.ts";

/** Seconds, as the conventions have them. */
export const bounds: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

/** The last in a bucket that is in a trace that is kept. */
export interface Exemplar {
  /** Undefined where nothing was traced, which is an example all the same if all are asked for. */
  readonly span: SpanContext | undefined;
  readonly value: number;
  readonly time: HrTime;
}

/** What sdk-metrics has no room for. */
export interface Exemplary {
  readonly exemplars?: readonly Exemplar[];
}
export type ExponentialPoint = ExponentialHistogramMetricData["dataPoints"][number];
export type DurationPoint = DataPoint<Histogram> & Exemplary;

type How = Pick<Settings, "exemplarFilter" | "histogramAggregation">;
let exemplarFilter: How["exemplarFilter"] = "trace_based";
let isExponential = false;

/** How a histogram is kept, where it is not as ever. */
export interface Keeping {
  readonly bounds: readonly number[] | undefined;
  /** The most buckets of an exponential one; undefined where nobody asks for one. */
  readonly maxSize: number | undefined;
}
export type KeepingByView = (name: string, meter: string) => Keeping | undefined;

const asEver: Keeping = { bounds: undefined, maxSize: undefined };
let byViews: KeepingByView = () => undefined;

/** Said once, before anything is recorded. */
export function keepDurations(how: How, byView: KeepingByView = () => undefined): void {
  ({ exemplarFilter } = how);
  byViews = byView;
  isExponential = how.histogramAggregation === "base2_exponential_bucket_histogram";
}

export function keepingOf(name: string, meter: string): Keeping {
  return byViews(name, meter) ?? asEver;
}

export class Series {
  readonly attributes: Attributes;
  readonly bounds: readonly number[];
  readonly counts: number[];
  /** Beside the others, which Prometheus is given in any case. */
  readonly exponential: Exponential | undefined;
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  /** By bucket, as they came: only what is collected is made into exemplars. */
  readonly #spans: (SpanContext | SpanIds | undefined)[] = [];
  readonly #values: number[] = [];
  readonly #times: number[] = [];

  constructor(attributes: Attributes, keeping: Keeping = asEver) {
    const { bounds: own = bounds, maxSize = isExponential ? usualSize : undefined } = keeping;
    this.attributes = attributes;
    this.bounds = own;
    this.counts = Array.from({ length: own.length + 1 }, () => 0);
    this.exponential = maxSize === undefined ? undefined : new Exponential(maxSize);
  }

  /** Of something that ended at that time of the process's clock; undefined where nothing was traced. */
  record(seconds: number, span: Span | SpanContext | undefined, endedMs: number): void {
    const bucket = this.add(seconds);
    if (exemplarFilter === "always_off") return;
    const seen = span instanceof Span ? new SpanIds(span) : span;
    const isSampled = seen !== undefined && (seen.traceFlags & 1) === 1;
    if (exemplarFilter === "trace_based" && !isSampled) return;
    this.#spans[bucket] = seen;
    this.#values[bucket] = seconds;
    this.#times[bucket] = endedMs;
  }

  /** Without an example. Returns the bucket. */
  add(seconds: number): number {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.count++;
    this.sum += seconds;
    if (seconds < this.min) this.min = seconds;
    if (seconds > this.max) this.max = seconds;
    if (this.exponential !== undefined) this.exponential.record(seconds);
    return bucket;
  }

  /** Of what ended at that time of the process's clock or later. */
  exemplars(sinceMs: number): readonly Exemplar[] {
    return this.#spans.flatMap((span, bucket) => {
      if (this.#times[bucket]! < sinceMs) return [];
      const time = hrTimeOf(performance.timeOrigin + this.#times[bucket]!);
      const context = span instanceof SpanIds ? span.context : span;
      return [{ span: context, value: this.#values[bucket]!, time }];
    });
  }
}
