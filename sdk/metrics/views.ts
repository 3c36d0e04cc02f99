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
import { instrumentTypes } from "../config-file/views.ts";
import type { MetricView, ViewAggregation } from "../config-file/views.ts";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { finestScale, fitted, usualSize } from "./exponential.ts";
import { exponentialPoint, gaugePoint, histogramPoint, sumPoint } from "./kinds.ts";
import type { OwnMetrics } from "./own.ts";
import type { ReaderForm } from "./reader.ts";
import type { Exemplary, KeepingByView } from "./series.ts";

// ── sdk-metrics ─────────────────────────────────────────────────────────────────────────────────

/** Where histograms are exponential by default, those that a view says nothing else about remain so. */
export function officialViews(views: readonly MetricView[], isExponential = false): ViewOptions[] {
  const { InstrumentType: types } = load("@opentelemetry/sdk-metrics");
  const all = isExponential ? views.flatMap(withExponentialDefault) : views;
  return all.map((view) => {
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

/** sdk-metrics takes the default of the instrument for a view's, not the reader's: so one view for each type. */
function withExponentialDefault(view: MetricView): MetricView[] {
  const { kind = "default" } = view.aggregation ?? {};
  if (kind !== "default") return [view];
  const { instrumentType } = view.selector;
  const fitting = instrumentType === undefined ? instrumentTypes : [instrumentType];
  return fitting.map((type) => ({
    ...view,
    selector: { ...view.selector, instrumentType: type },
    aggregation: type === "histogram" ? usualExponential : undefined,
  }));
}

const usualExponential: ViewAggregation = {
  kind: "base2_exponential_bucket_histogram",
  maxSize: undefined,
  maxScale: undefined,
  hasMinMax: true,
};

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

/** What sdk-metrics has collected, on the scale that a view allows at most: it knows none itself. */
export function withScales(
  collected: readonly ScopeMetrics[],
  views: readonly MetricView[],
): readonly ScopeMetrics[] {
  const scaled = views.filter(({ aggregation }) => maxScaleOf(aggregation) < finestScale);
  if (scaled.length === 0) return collected;
  return collected.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map((metric) => {
      if (metric.dataPointType !== exponentialPoint) return metric;
      const view = scaled.find((one) => isMadeBy(one, metric, scope));
      return view ? fittedTo(view, metric) : metric;
    }),
  }));
}

/** Told by what it is called now, which for a view with a name is that name. */
function isMadeBy(view: MetricView, { descriptor }: MetricData, scope: ScopeMetrics["scope"]) {
  const { name, unit } = descriptor;
  const { type = "" } = descriptor as { readonly type?: string }; // beyond its types sdk-metrics has it
  const types = [type.toLowerCase()];
  const { name: meter, version, schemaUrl } = scope;
  const { selector } = view;
  const told = { ...selector, instrumentName: view.name ?? selector.instrumentName };
  return fits({ ...view, selector: told }, { name, unit, types, meter, version, schemaUrl });
}

/** sdk-metrics takes what is there for what is meant. */
function withoutUndefined<Options extends object>(options: {
  readonly [Name in keyof Options]: Options[Name] | undefined;
}): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Options; // all that is left is of its type
}

// ── ours ────────────────────────────────────────────────────────────────────────────────────────

/** How the histograms that are ours are to be kept, so that each view finds what it asks for. */
export function keepingByView({
  views,
  histogramAggregation,
}: Pick<Settings, "views" | "histogramAggregation">): KeepingByView {
  const isExponential = histogramAggregation === "base2_exponential_bucket_histogram";
  return (name, meter) => {
    const subject = { name, unit: "s", types: ["histogram"], meter };
    const asked = views.filter((view) => fits(view, subject)).map(({ aggregation }) => aggregation);
    if (asked.length === 0) return undefined;
    const bounds = asked.map((one) =>
      one?.kind === "explicit_bucket_histogram" ? one.boundaries : undefined,
    );
    const sizes = asked.filter((one) => isExponentialBy(one, isExponential)).map(maxSizeOf);
    return {
      bounds: bounds.find((one) => one !== undefined),
      maxSize: sizes.length > 0 ? Math.max(...sizes) : undefined,
    };
  };
}

function isExponentialBy(aggregation: ViewAggregation | undefined, byDefault: boolean): boolean {
  switch (aggregation?.kind) {
    case "base2_exponential_bucket_histogram":
      return true;
    case "explicit_bucket_histogram":
      return false;
    default:
      return byDefault;
  }
}

function maxSizeOf(aggregation: ViewAggregation | undefined): number {
  const { maxSize } = { maxSize: undefined, ...aggregation };
  return maxSize ?? usualSize;
}

function maxScaleOf(aggregation: ViewAggregation | undefined): number {
  const { maxScale } = { maxScale: undefined, ...aggregation };
  return maxScale ?? finestScale;
}

/** Of `own` that tells histograms in all kinds in which they are kept. */
export function withViews(
  own: OwnMetrics,
  views: readonly MetricView[],
  form: ReaderForm,
): OwnMetrics {
  const viewed = (scopes: readonly ScopeMetrics[]): ScopeMetrics[] =>
    scopes.flatMap(({ scope, metrics }) => {
      const told = metrics.flatMap((metric) => tellBy(views, metric, scope.name, form));
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

function tellBy(
  views: readonly MetricView[],
  metric: MetricData,
  meter: string,
  form: ReaderForm,
): MetricData[] {
  const { name, unit } = metric.descriptor;
  const subject = { name, unit, types: typesOf(metric), meter };
  const fitting = views.filter((view) => fits(view, subject));
  if (fitting.length === 0) return isOfKind(metric, form.isExponential) ? [metric] : [];
  return fitting.flatMap((view) => {
    const isExponential = !form.isText && isExponentialBy(view.aggregation, form.isExponential);
    if (view.aggregation?.kind === "drop" || !isOfKind(metric, isExponential)) return [];
    const descriptor = {
      ...metric.descriptor,
      name: view.name ?? name,
      description: view.description ?? metric.descriptor.description,
    };
    const dataPoints = hasKeys(view) ? joined(metric, keeper(view)) : metric.dataPoints;
    return [fittedTo(view, { ...metric, descriptor, dataPoints } as MetricData)]; // points of the kind that it had
  });
}

/** Whatever is no histogram is of either kind. */
function isOfKind({ dataPointType }: MetricData, isExponential: boolean): boolean {
  return dataPointType !== (isExponential ? histogramPoint : exponentialPoint);
}

/** Within the limits of the view, as to buckets and as to what is told beside them. */
function fittedTo({ aggregation }: MetricView, metric: MetricData): MetricData {
  const { hasMinMax } = { hasMinMax: true, ...aggregation };
  const limits = { maxSize: maxSizeOf(aggregation), maxScale: maxScaleOf(aggregation) };
  const withRange = <Value extends Totals>(value: Value): Value =>
    hasMinMax ? value : { ...value, min: undefined, max: undefined };
  switch (metric.dataPointType) {
    case histogramPoint: {
      const dataPoints = metric.dataPoints.map((point) => ({
        ...point,
        value: withRange(point.value),
      }));
      return { ...metric, dataPoints };
    }
    case exponentialPoint: {
      const dataPoints = metric.dataPoints.map((point) => ({
        ...point,
        value: withRange(fitted(point.value, limits)),
      }));
      return { ...metric, dataPoints };
    }
    default:
      return metric;
  }
}

interface Subject {
  readonly name: string;
  readonly unit: string;
  readonly types: readonly string[];
  readonly meter: string;
  readonly version?: string | undefined;
  readonly schemaUrl?: string | undefined;
}

function fits({ selector }: MetricView, subject: Subject): boolean {
  const { name, unit, types, meter, version, schemaUrl } = subject;
  const { instrumentName, instrumentType, meterName, meterVersion, meterSchemaUrl } = selector;
  return (
    (instrumentName === undefined || pattern(instrumentName).test(name)) &&
    (instrumentType === undefined || types.includes(instrumentType)) &&
    (selector.unit === undefined || selector.unit === unit) &&
    (meterName === undefined || meterName === meter) &&
    (meterVersion === undefined || meterVersion === version) &&
    (meterSchemaUrl === undefined || meterSchemaUrl === schemaUrl)
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
