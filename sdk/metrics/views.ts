// Views at work: for the instruments of sdk-metrics by its own means, for the metrics that are ours on what is
// collected. Several that fit a metric make several of it.

import type {
  DataPoint,
  ExponentialHistogram,
  Histogram,
  IAttributesProcessor,
  InstrumentType,
  MetricData,
  ScopeMetrics,
  ViewOptions,
} from "@opentelemetry/sdk-metrics";
import type { MetricView } from "../config-file/views.ts";
import { load } from "../packages.ts";
import { exponentialPoint, gaugePoint, histogramPoint, sumPoint } from "./kinds.ts";
import type { OwnMetrics } from "./own.ts";
import type { Exemplary } from "./series.ts";

// ── sdk-metrics ─────────────────────────────────────────────────────────────────────────────────

export function officialViews(views: readonly MetricView[]): ViewOptions[] {
  const { InstrumentType: types } = load("@opentelemetry/sdk-metrics");
  return views.map((view) => {
    const { instrumentName, instrumentType, unit, ...meter } = view.selector;
    return withoutUndefined<ViewOptions>({
      instrumentName,
      instrumentType: instrumentType && types[instrumentType.toUpperCase() as InstrumentType],
      instrumentUnit: unit,
      ...meter,
      name: view.name,
      description: view.description,
      aggregationCardinalityLimit: view.mostSeries,
      aggregation: officialAggregation(view),
      attributesProcessors: hasKeys(view) ? [keysProcessor(view)] : undefined,
    });
  });
}

function officialAggregation({ aggregation }: MetricView): ViewOptions["aggregation"] {
  const { AggregationType } = load("@opentelemetry/sdk-metrics");
  switch (aggregation?.kind) {
    case undefined:
      return undefined;
    case "default":
      return { type: AggregationType.DEFAULT };
    case "drop":
      return { type: AggregationType.DROP };
    case "last_value":
      return { type: AggregationType.LAST_VALUE };
    case "sum":
      return { type: AggregationType.SUM };
    case "explicit_bucket_histogram": {
      const boundaries = [...(aggregation.boundaries ?? officialBoundaries)];
      const options = { boundaries, recordMinMax: aggregation.hasMinMax };
      return { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options };
    }
    case "base2_exponential_bucket_histogram": {
      const { hasMinMax: recordMinMax, maxSize } = aggregation;
      const options = { recordMinMax, ...(maxSize === undefined ? {} : { maxSize }) };
      return { type: AggregationType.EXPONENTIAL_HISTOGRAM, options };
    }
    default:
      return aggregation satisfies never;
  }
}

/** The specification's, for where none are given. */
const officialBoundaries = [
  0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000,
];

function keysProcessor(view: MetricView): IAttributesProcessor {
  const keep = keeper(view);
  return {
    process: (attributes) =>
      Object.fromEntries(Object.entries(attributes).filter(([name]) => keep(name))),
  };
}

/** sdk-metrics takes what is there for what is meant. */
function withoutUndefined<Options extends object>(options: {
  readonly [Name in keyof Options]: Options[Name] | undefined;
}): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Options; // all that is left is of its type
}

// ── ours ────────────────────────────────────────────────────────────────────────────────────────

/** The boundaries that a histogram of durations is to have, if a view says so. */
export function boundsByView(
  views: readonly MetricView[],
): (name: string) => readonly number[] | undefined {
  return (name) => {
    const subject = { name, unit: "s", types: ["histogram"], meter: "sonde/http" };
    for (const view of views) {
      const { aggregation } = view;
      if (aggregation?.kind !== "explicit_bucket_histogram" || !fits(view, subject)) continue;
      if (aggregation.boundaries !== undefined) return aggregation.boundaries;
    }
    return undefined;
  };
}

export function withViews(own: OwnMetrics, views: readonly MetricView[]): OwnMetrics {
  const viewed = (scopes: readonly ScopeMetrics[]): ScopeMetrics[] =>
    scopes.flatMap(({ scope, metrics }) => {
      const told = metrics.flatMap((metric) => tellBy(views, metric, scope.name));
      return told.length > 0 ? [{ scope, metrics: told }] : [];
    });
  return {
    async collect(options) {
      const { resourceMetrics, errors } = await own.collect(options);
      const scopeMetrics = viewed(resourceMetrics.scopeMetrics);
      return { resourceMetrics: { ...resourceMetrics, scopeMetrics }, errors };
    },
    collectNow: () => viewed(own.collectNow()),
  };
}

function tellBy(views: readonly MetricView[], metric: MetricData, meter: string): MetricData[] {
  const { name, unit } = metric.descriptor;
  const subject = { name, unit, types: typesOf(metric), meter };
  const fitting = views.filter((view) => fits(view, subject));
  if (fitting.length === 0) return [metric];
  return fitting.flatMap((view) => {
    if (view.aggregation?.kind === "drop") return [];
    const descriptor = {
      ...metric.descriptor,
      name: view.name ?? name,
      description: view.description ?? metric.descriptor.description,
    };
    const dataPoints = hasKeys(view) ? joined(metric, keeper(view)) : metric.dataPoints;
    return [{ ...metric, descriptor, dataPoints } as MetricData]; // points of the kind that it had
  });
}

interface Subject {
  readonly name: string;
  readonly unit: string;
  readonly types: readonly string[];
  readonly meter: string;
}

function fits({ selector }: MetricView, { name, unit, types, meter }: Subject): boolean {
  const { instrumentName, instrumentType, meterName, meterVersion, meterSchemaUrl } = selector;
  return (
    (instrumentName === undefined || pattern(instrumentName).test(name)) &&
    (instrumentType === undefined || types.includes(instrumentType)) &&
    (selector.unit === undefined || selector.unit === unit) &&
    (meterName === undefined || meterName === meter) &&
    meterVersion === undefined &&
    meterSchemaUrl === undefined
  );
}

/** Ours are read where they are kept, which nobody needs to know who chooses them by type. */
function typesOf(metric: MetricData): readonly string[] {
  switch (metric.dataPointType) {
    case gaugePoint:
      return ["gauge", "observable_gauge"];
    case sumPoint:
      return metric.isMonotonic
        ? ["counter", "observable_counter"]
        : ["up_down_counter", "observable_up_down_counter"];
    default:
      return ["histogram"];
  }
}

function hasKeys({ included, excluded }: MetricView): boolean {
  return included !== undefined || excluded.length > 0;
}

function keeper({ included, excluded }: MetricView): (name: string) => boolean {
  const wanted = (included ?? ["*"]).map(pattern);
  const unwanted = excluded.map(pattern);
  return (name) => wanted.some((one) => one.test(name)) && !unwanted.some((one) => one.test(name));
}

function pattern(text: string): RegExp {
  const escaped = text.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

type Point = DataPoint<unknown> & Exemplary;

/** Points that differ in nothing that is told any more are one. */
function joined(metric: MetricData, keep: (name: string) => boolean): readonly Point[] {
  const points = new Map<string, Point>();
  for (const point of metric.dataPoints as readonly Point[]) {
    const entries = Object.entries(point.attributes).filter(([name]) => keep(name));
    const key = JSON.stringify(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
    const known = points.get(key);
    const attributes = Object.fromEntries(entries);
    points.set(key, {
      ...point,
      attributes,
      ...(known && {
        value: sumOf(metric, known.value, point.value),
        exemplars: [...(known.exemplars ?? []), ...(point.exemplars ?? [])].slice(-mostExemplars),
      }),
    });
  }
  return [...points.values()];
}

const mostExemplars = 20;

function sumOf(metric: MetricData, one: unknown, other: unknown): unknown {
  switch (metric.dataPointType) {
    case gaugePoint:
      return other;
    case sumPoint:
      return (one as number) + (other as number); // of such points
    case histogramPoint:
      return histogramOf(one as Histogram, other as Histogram);
    case exponentialPoint:
      return exponentialOf(one as ExponentialHistogram, other as ExponentialHistogram);
    default:
      return metric satisfies never;
  }
}

function histogramOf(one: Histogram, other: Histogram): Histogram {
  const { boundaries, counts } = one.buckets;
  const sums = counts.map((count, bucket) => count + other.buckets.counts[bucket]!);
  return { ...totalsOf(one, other), buckets: { boundaries, counts: sums } };
}

/** On the coarser scale of the two: a step down halves the number of buckets. */
function exponentialOf(one: ExponentialHistogram, other: ExponentialHistogram) {
  const scale = Math.min(one.scale, other.scale);
  const counts = new Map<number, number>();
  for (const { positive, scale: finer } of [one, other]) {
    for (const [index, count] of positive.bucketCounts.entries()) {
      const bucket = (positive.offset + index) >> (finer - scale);
      counts.set(bucket, (counts.get(bucket) ?? 0) + count);
    }
  }
  const offset = counts.size > 0 ? Math.min(...counts.keys()) : 0;
  const length = counts.size > 0 ? Math.max(...counts.keys()) - offset + 1 : 0;
  const bucketCounts = Array.from({ length }, (_, index) => counts.get(offset + index) ?? 0);
  return {
    ...totalsOf(one, other),
    scale,
    zeroCount: one.zeroCount + other.zeroCount,
    positive: { offset, bucketCounts },
    negative: one.negative, // durations and sizes
  };
}

interface Totals {
  readonly count: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
}

function totalsOf(one: Totals, other: Totals): Totals {
  const hasRange = one.min !== undefined && other.min !== undefined;
  return {
    count: one.count + other.count,
    sum: (one.sum ?? 0) + (other.sum ?? 0),
    ...(hasRange && {
      min: Math.min(one.min, other.min),
      max: Math.max(one.max ?? one.min, other.max ?? other.min),
    }),
  };
}
