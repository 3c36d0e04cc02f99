// Exemplars of the histograms that an app makes: sdk-metrics 3.0 has none. The last recordings of each are remembered as
// they come, which costs a recording little; to which set of attributes and which bucket they belong is found
// out when metrics are collected.

import type { Attributes, Context, Histogram, SpanContext } from "@opentelemetry/api";
import type { DataPoint, MetricData, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { hrTimeOf } from "../trace/clock.ts";
import { spanIn } from "../trace/context.ts";
import { parentOf, Span } from "../trace/span.ts";
import { exponentialPoint, histogramPoint } from "./kinds.ts";
import type { Exemplar, Exemplary } from "./series.ts";

/** Of one histogram: the last so many, whatever their attributes. */
const mostRecordings = 128;
/** Those beyond have no exemplars. */
const mostHistograms = 500;
/** Of a point whose buckets are too fine to have one each. */
const mostOfPoint = 16;

interface Recording {
  readonly value: number;
  readonly attributes: Attributes | undefined;
  readonly span: SpanContext | undefined;
  readonly atMs: number;
}

class Recordings {
  readonly #ring: Recording[] = [];
  #next = 0;

  add(recording: Recording): void {
    this.#ring[this.#next] = recording;
    this.#next = (this.#next + 1) % mostRecordings;
  }

  /** The newest first, by their attributes. */
  bySet(sinceMs: number): ReadonlyMap<string, readonly Recording[]> {
    const found = new Map<string, Recording[]>();
    for (const recording of this.#ring.toSorted((one, other) => other.atMs - one.atMs)) {
      if (recording.atMs < sinceMs) break;
      const key = keyOf(recording.attributes);
      const others = found.get(key);
      if (others) others.push(recording);
      else found.set(key, [recording]);
    }
    return found;
  }
}

/** By scope and name; the same name again is the same histogram to sdk-metrics. */
const histograms = new Map<string, Recordings>();

export interface Scope {
  readonly name: string;
  readonly version?: string | undefined;
  readonly schemaUrl?: string | undefined;
}

/** Changes the histogram, which is of nobody but who asked for it. */
export function rememberRecordings(
  histogram: Histogram,
  { scope, name }: { readonly scope: Scope; readonly name: string },
  filter: Settings["exemplarFilter"],
): void {
  if (filter === "always_off" || histograms.size >= mostHistograms) return;
  const key = nameOf(scope, name);
  let recordings = histograms.get(key);
  if (!recordings) histograms.set(key, (recordings = new Recordings()));
  const kept = recordings;
  const { context } = load("@opentelemetry/api");
  const record = histogram.record.bind(histogram);
  histogram.record = (value, attributes, given?: Context): void => {
    record(value, attributes, given);
    try {
      if (!(value >= 0) || value === Infinity) return; // sdk-metrics has not counted it
      const found = parentOf(spanIn(given ?? context.active()));
      const span = found instanceof Span ? found.spanContext() : found;
      const isTraced = span !== undefined && (span.traceFlags & 1) === 1;
      if (!isTraced && filter === "trace_based") return;
      kept.add({ value, attributes, span, atMs: performance.now() });
    } catch {
      // Whatever was given instead of a number or of a context.
    }
  };
}

/** What sdk-metrics has collected, with examples of what was recorded since. */
export function withExemplars(
  collected: readonly ScopeMetrics[],
  sinceMs: number,
): readonly ScopeMetrics[] {
  if (histograms.size === 0) return collected;
  return collected.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map((metric) => {
      const recordings = histograms.get(nameOf(scope, metric.descriptor.name));
      return recordings ? exemplify(metric, recordings.bySet(sinceMs)) : metric;
    }),
  }));
}

function exemplify(
  metric: MetricData,
  recorded: ReadonlyMap<string, readonly Recording[]>,
): MetricData {
  const exemplary = <Point extends DataPoint<unknown>>(
    point: Point,
    bounds: readonly number[] | undefined,
  ): Point & Exemplary => {
    const found = recorded.get(keyOf(point.attributes)) ?? [];
    return { ...point, exemplars: examplesOf(found, bounds) };
  };
  if (metric.dataPointType === histogramPoint) {
    const dataPoints = metric.dataPoints.map((point) =>
      exemplary(point, point.value.buckets.boundaries),
    );
    return { ...metric, dataPoints };
  }
  if (metric.dataPointType === exponentialPoint) {
    return { ...metric, dataPoints: metric.dataPoints.map((point) => exemplary(point, undefined)) };
  }
  return metric;
}

/** The newest of each bucket, or the newest of all. */
function examplesOf(
  recordings: readonly Recording[],
  bounds: readonly number[] | undefined,
): readonly Exemplar[] {
  const taken = new Set<number>();
  const chosen = recordings.filter(({ value }, index) => {
    const bucket = bounds ? bounds.filter((bound) => bound < value).length : index;
    if (taken.has(bucket) || (!bounds && taken.size >= mostOfPoint)) return false;
    taken.add(bucket);
    return true;
  });
  return chosen.map(({ value, span, atMs }) => ({
    value,
    span,
    time: hrTimeOf(performance.timeOrigin + atMs),
  }));
}

/** OpenTelemetry's names are the same in whatever case; its scopes are not. */
function nameOf({ name, version, schemaUrl }: Scope, histogram: string): string {
  return `${name}@${version ?? ""}:${schemaUrl ?? ""} ${histogram.toLowerCase()}`;
}

/** In any order of the attributes; "-" where they cannot be read. */
function keyOf(attributes: Attributes | undefined): string {
  try {
    const entries = Object.entries(attributes ?? {});
    return JSON.stringify(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  } catch {
    return "-";
  }
}
