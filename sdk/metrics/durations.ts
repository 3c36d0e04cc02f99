// How long HTTP requests took, as histograms that are aggregated where the request ends: finding the
// series is two lookups, counting is an addition. sdk-metrics sorts, joins and hashes the attributes for
// every measurement, which costs a request more than its span. Readers collect from here by sdk-metrics' own
// interface for foreign metrics.

import type { Attributes, HrTime, SpanContext } from "@opentelemetry/api";
import type {
  DataPoint,
  Histogram,
  MetricData,
  MetricProducer,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";

/** Seconds, as the conventions have them. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Attribute sets of one metric, the one for all others included; sdk-metrics has the same limit. */
const maxSeries = 2000;

/** The last request in a bucket that is in a trace that is kept. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  readonly time: HrTime;
  readonly filteredAttributes: Attributes;
}

/** As sdk-metrics has it, and what its serializer does not ask for yet. */
export type DurationPoint = DataPoint<Histogram> & { readonly exemplars: readonly Exemplar[] };

let exemplarFilter: Settings["exemplarFilter"] = "trace_based";

/** Which requests are kept as examples of their duration. */
export function keepExemplars(filter: Settings["exemplarFilter"]): void {
  exemplarFilter = filter;
}

class Series {
  readonly attributes: Attributes;
  readonly counts: number[] = Array.from({ length: bounds.length + 1 }, () => 0);
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  /** By bucket, as they came: only what is collected is made into exemplars. */
  readonly #spans: (SpanContext | undefined)[] = [];
  readonly #values: number[] = [];
  readonly #times: number[] = [];

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }

  /** Of a request that ended at that time of the process's clock. */
  record(seconds: number, span: SpanContext, endedMs: number): void {
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.count++;
    this.sum += seconds;
    if (seconds < this.min) this.min = seconds;
    if (seconds > this.max) this.max = seconds;
    if (exemplarFilter === "always_off") return;
    if (exemplarFilter === "trace_based" && (span.traceFlags & 1) === 0) return;
    this.#spans[bucket] = span;
    this.#values[bucket] = seconds;
    this.#times[bucket] = endedMs;
  }

  exemplars(): readonly Exemplar[] {
    return this.#spans.flatMap((span, bucket) => {
      if (span === undefined) return [];
      const { traceId, spanId } = span;
      const time = hrTimeOf(performance.timeOrigin + this.#times[bucket]!);
      return [{ traceId, spanId, value: this.#values[bucket]!, time, filteredAttributes: {} }];
    });
  }
}

/** The requests of one method, scheme and version of the protocol: few, and the same for many requests. */
export class Family {
  readonly method: string;
  readonly scheme: string;
  readonly version: string;
  /** Requests that are being handled. */
  active = 0;
  readonly #series = new Map<string, Map<number | string, Series>>();

  constructor(method: string, scheme: string, version: string) {
    this.method = method;
    this.scheme = scheme;
    this.version = version;
  }

  /** A route or a host, and what else tells one series from another, a number where it can be. */
  find(name: string, key: number | string): Series | undefined {
    return this.#series.get(name)?.get(key);
  }

  keep(name: string, key: number | string, series: Series): void {
    let byKey = this.#series.get(name);
    if (!byKey) this.#series.set(name, (byKey = new Map()));
    byKey.set(key, series);
  }
}

export class Durations {
  readonly name: string;
  readonly description: string;
  readonly series: Series[] = [];
  readonly #families = new Map<string, Family[]>();
  #overflow: Series | undefined;

  constructor(name: string, description: string) {
    this.name = name;
    this.description = description;
  }

  get families(): readonly Family[] {
    return [...this.#families.values()].flat();
  }

  /** The method is one of those that are known, so that there cannot be many. */
  family(method: string, scheme: string, version: string): Family {
    let ofMethod = this.#families.get(method);
    if (!ofMethod) this.#families.set(method, (ofMethod = []));
    for (const family of ofMethod) {
      if (family.version === version && family.scheme === scheme) return family;
    }
    const family = new Family(method, scheme, version);
    ofMethod.push(family);
    return family;
  }

  /** Beyond the limit it is the same series for all, and what it is for is not remembered. */
  add(family: Family, name: string, key: number | string, attributes: Attributes): Series {
    if (this.series.length < maxSeries - 1) {
      const series = new Series(attributes);
      this.series.push(series);
      family.keep(name, key, series);
      return series;
    }
    if (!this.#overflow) {
      this.#overflow = new Series({ "otel.metric.overflow": true });
      this.series.push(this.#overflow);
    }
    return this.#overflow;
  }
}

export const serverDurations = new Durations(
  "http.server.request.duration",
  "Duration of HTTP server requests.",
);
export const clientDurations = new Durations(
  "http.client.request.duration",
  "Duration of HTTP client requests.",
);

export interface HttpMetrics extends MetricProducer {
  /** For the end of a process, when nothing asynchronous happens any more. */
  collectNow(): readonly ScopeMetrics[];
}

/** For readers that want sums since the process began. */
export const httpMetrics: HttpMetrics = httpMetricsFor("cumulative");

/** What a reader of deltas has been given is its own affair, so each has a producer of its own. */
export function httpMetricsFor(temporality: "cumulative" | "delta"): HttpMetrics {
  const cursor = temporality === "delta" ? new Cursor() : undefined;
  return {
    collect() {
      const { resourceFromAttributes } = load("@opentelemetry/resources");
      const scopeMetrics = collect(cursor);
      return Promise.resolve({
        resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics },
        errors: [],
      });
    },
    collectNow: () => collect(cursor),
  };
}

function collect(cursor: Cursor | undefined): ScopeMetrics[] {
  const { AggregationTemporality, DataPointType } = load("@opentelemetry/sdk-metrics");
  const { ValueType } = load("@opentelemetry/api");
  const now = hrTimeOf(Date.now());
  const metrics: MetricData[] = [];
  for (const durations of [serverDurations, clientDurations]) {
    const dataPoints = cursor
      ? durations.series.flatMap((series) => cursor.take(series, now) ?? [])
      : durations.series.map((series) => pointOf(series, startTime, now));
    if (dataPoints.length === 0) continue;
    metrics.push({
      descriptor: {
        name: durations.name,
        description: durations.description,
        unit: "s",
        valueType: ValueType.DOUBLE,
      },
      aggregationTemporality: cursor
        ? AggregationTemporality.DELTA
        : AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    });
  }
  if (cursor) cursor.since = now;
  if (process.env["SONDE_HTTP_ACTIVE_REQUESTS"]?.toLowerCase() === "true") {
    metrics.push(...activeRequests(now));
  }
  return metrics.length > 0 ? [{ scope: { name: "sonde/http" }, metrics }] : [];
}

/** Opt-in by the conventions. By method and scheme. */
function activeRequests(endTime: HrTime): MetricData[] {
  const { AggregationTemporality, DataPointType } = load("@opentelemetry/sdk-metrics");
  const { ValueType } = load("@opentelemetry/api");
  const points = new Map<string, DataPoint<number>>();
  for (const { method, scheme, active } of serverDurations.families) {
    const key = `${method} ${scheme}`;
    const value = (points.get(key)?.value ?? 0) + active;
    const attributes = { "http.request.method": method, "url.scheme": scheme };
    points.set(key, { startTime, endTime, attributes, value });
  }
  if (points.size === 0) return [];
  return [
    {
      descriptor: {
        name: "http.server.active_requests",
        description: "Number of active HTTP server requests.",
        unit: "{request}",
        valueType: ValueType.INT,
      },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.SUM,
      isMonotonic: false,
      dataPoints: [...points.values()],
    },
  ];
}

/** What a reader of deltas has been given so far. */
class Cursor {
  since: HrTime = startTime;
  readonly #given = new Map<Series, { counts: number[]; count: number; sum: number }>();

  /** Nothing for a series without a request since then. */
  take(series: Series, now: HrTime): DurationPoint | undefined {
    const { counts, count, sum } = series;
    const given = this.#given.get(series);
    if (given?.count === count) return undefined;
    this.#given.set(series, { counts: [...counts], count, sum });
    const point = pointOf(series, this.since, now);
    if (!given) return point;
    return {
      ...point,
      value: {
        // The least and the most since the process began say nothing about this time.
        buckets: {
          boundaries: bounds,
          counts: counts.map((value, bucket) => value - given.counts[bucket]!),
        },
        count: count - given.count,
        sum: sum - given.sum,
      },
    };
  }
}

function pointOf(series: Series, start: HrTime, end: HrTime): DurationPoint {
  const { attributes, counts, count, sum, min, max } = series;
  return {
    startTime: start,
    endTime: end,
    attributes,
    value: { buckets: { boundaries: bounds, counts: [...counts] }, count, sum, min, max },
    exemplars: series.exemplars(),
  };
}

const startTime: HrTime = hrTimeOf(performance.timeOrigin);

function hrTimeOf(epochMs: number): HrTime {
  const seconds = Math.trunc(epochMs / 1000);
  return [seconds, Math.trunc((epochMs - seconds * 1000) * 1e6)];
}
