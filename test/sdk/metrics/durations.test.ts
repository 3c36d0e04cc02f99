import type { SpanContext } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";
import { afterEach, expect, test } from "vitest";
import { clientDurations, Durations, serverDurations } from "../../../sdk/metrics/durations.ts";
import { ownMetricsFor } from "../../../sdk/metrics/own.ts";
import type { OwnMetrics } from "../../../sdk/metrics/own.ts";
import { keepDurations } from "../../../sdk/metrics/series.ts";
import type { DurationPoint, ExponentialPoint } from "../../../sdk/metrics/series.ts";
import { readSettings } from "../../../sdk/settings.ts";

const { settings } = readSettings({ OTEL_NODE_ENABLED_INSTRUMENTATIONS: "none" });
const delta = { histograms: "delta", counters: "delta", isExponential: false } as const;

afterEach(() => keepDurations(settings));

const spanWith = (traceFlags: number, spanId: string): SpanContext => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId,
  traceFlags,
});
const unsampled = spanWith(0, "b7ad6b7169203331");

function metricOf(own: OwnMetrics, name: string): MetricData | undefined {
  const metrics = own.collectNow().flatMap(({ metrics }) => metrics);
  return metrics.find(({ descriptor }) => descriptor.name === name);
}

function pointsOf(own: OwnMetrics, name: string) {
  const metric = metricOf(own, name);
  const isFixed = metric?.dataPointType === DataPointType.HISTOGRAM;
  return { metric, points: (isFixed ? metric.dataPoints : []) as DurationPoint[] };
}

test("a duration is in the bucket whose upper bound it does not exceed", () => {
  const family = serverDurations.family("GET", "http", "1.1");
  const series = serverDurations.add(family, "/buckets", 200, { "http.route": "/buckets" });
  for (const seconds of [0, 0.005, 0.0051, 10, 10.1]) series.record(seconds, unsampled, 1000);
  const { metric, points } = pointsOf(ownMetricsFor(settings), "http.server.request.duration");
  const point = points.find(({ attributes }) => attributes["http.route"] === "/buckets");
  expect(metric?.descriptor.unit).toBe("s");
  expect(point?.value.buckets).toEqual({
    boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    counts: [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
  });
  expect(point?.value).toMatchObject({ count: 5, min: 0, max: 10.1 });
  expect(point?.value.sum).toBeCloseTo(20.1101);
});

test("attribute sets end at 2000, and all others are one that says so", () => {
  const durations = new Durations("test", "");
  const family = durations.family("GET", "http", "1.1");
  for (let route = 0; route < 1999; route++) durations.add(family, `/${route}`, 200, { route });
  expect(durations.series).toHaveLength(1999);
  const first = durations.add(family, "/more", 200, { route: "more" });
  const second = durations.add(family, "/still-more", 200, { route: "still-more" });
  expect(second).toBe(first);
  expect(first.attributes).toEqual({ "otel.metric.overflow": true });
  expect(durations.series).toHaveLength(2000);
  expect(family.find("/more", 200)).toBeUndefined();
  expect(family.find("/1998", 200)?.attributes).toEqual({ route: 1998 });
});

test("deltas are what came since the reader asked last, each reader for itself", () => {
  const name = "http.client.request.duration";
  const family = clientDurations.family("GET", "", "1.1");
  const series = clientDurations.add(family, "shop", 200, { "server.address": "shop" });
  const [one, other] = [ownMetricsFor(settings, delta), ownMetricsFor(settings, delta)];
  series.record(0.02, unsampled, 1000);
  const first = pointsOf(one, name);
  expect(first.metric?.aggregationTemporality).toBe(AggregationTemporality.DELTA);
  expect(first.points[0]?.value).toMatchObject({ count: 1, sum: 0.02 });
  expect(pointsOf(one, name).points).toEqual([]);
  series.record(0.5, unsampled, 1000);
  series.record(0.5, unsampled, 1000);
  const second = pointsOf(one, name);
  expect(second.points[0]?.value).toMatchObject({ count: 2, sum: 1 });
  expect(second.points[0]?.value.buckets.counts).toEqual([
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    2,
    ...Array.from({ length: 7 }, () => 0),
  ]);
  expect(second.points[0]!.startTime[0]).toBeGreaterThanOrEqual(first.points[0]!.endTime[0]);
  expect(pointsOf(other, name).points[0]?.value.count).toBe(3);
  expect(pointsOf(ownMetricsFor(settings), name).points[0]?.value.count).toBe(3);
});

test("a bucket's exemplar is the last request in it whose trace is kept", () => {
  const family = serverDurations.family("PUT", "http", "1.1");
  const series = serverDurations.add(family, "/exemplars", 200, { "http.route": "/exemplars" });
  series.record(0.001, spanWith(1, "1111111111111111"), 1000);
  series.record(0.002, spanWith(1, "2222222222222222"), 1000);
  series.record(0.003, unsampled, 1000);
  series.record(3, spanWith(1, "3333333333333333"), 1000);
  const { points } = pointsOf(ownMetricsFor(settings), "http.server.request.duration");
  const point = points.find(({ attributes }) => attributes["http.route"] === "/exemplars");
  expect(point?.exemplars?.[0]?.time[0]).toBe(Math.trunc(performance.timeOrigin / 1000 + 1));
  expect(point?.exemplars?.map(({ span, value }) => [span?.spanId, value])).toEqual([
    ["2222222222222222", 0.002],
    ["3333333333333333", 3],
  ]);
});

test.each([
  ["always_on", ["1111111111111111"]],
  ["trace_based", []],
  ["always_off", []],
] as const)("the filter %s decides whether a trace that is not kept is one", (filter, ids) => {
  keepDurations({ ...settings, exemplarFilter: filter });
  const family = serverDurations.family("DELETE", "http", "1.1");
  const series = serverDurations.add(family, filter, 200, { "http.route": filter });
  series.record(0.001, spanWith(0, "1111111111111111"), 1000);
  const { points } = pointsOf(ownMetricsFor(settings), "http.server.request.duration");
  const point = points.find(({ attributes }) => attributes["http.route"] === filter);
  expect(point?.exemplars?.map(({ span }) => span?.spanId)).toEqual(ids);
});

test("a delta has the exemplars of its own time only", () => {
  const own = ownMetricsFor(settings, delta);
  const family = serverDurations.family("PATCH", "http", "1.1");
  const series = serverDurations.add(family, "/later", 200, { "http.route": "/later" });
  const find = () =>
    pointsOf(own, "http.server.request.duration")
      .points.find(({ attributes }) => attributes["http.route"] === "/later")
      ?.exemplars?.map(({ span }) => span?.spanId);
  series.record(0.001, spanWith(1, "1111111111111111"), performance.now());
  expect(find()).toEqual(["1111111111111111"]);
  series.record(3, spanWith(1, "2222222222222222"), performance.now());
  expect(find()).toEqual(["2222222222222222"]);
});

test("exponential buckets hold what fixed ones do, as sums and as deltas", () => {
  keepDurations({ ...settings, histogramAggregation: "base2_exponential_bucket_histogram" });
  const name = "http.server.request.duration";
  const family = serverDurations.family("HEAD", "http", "1.1");
  const series = serverDurations.add(family, "/wide", 200, { "http.route": "/wide" });
  const sums = ownMetricsFor(settings, { ...delta, histograms: "cumulative", isExponential: true });
  const deltas = ownMetricsFor(settings, { ...delta, isExponential: true });
  const take = (own: OwnMetrics): ExponentialPoint["value"] | undefined => {
    const metric = metricOf(own, name);
    if (metric?.dataPointType !== DataPointType.EXPONENTIAL_HISTOGRAM) return undefined;
    return metric.dataPoints.find(({ attributes }) => attributes["http.route"] === "/wide")?.value;
  };
  const total = (value: ExponentialPoint["value"] | undefined): number =>
    (value?.zeroCount ?? 0) + (value?.positive.bucketCounts ?? []).reduce((a, b) => a + b, 0);
  series.record(0.1, unsampled, 1000);
  series.record(0, unsampled, 1000);
  expect(take(deltas)).toMatchObject({ count: 2, zeroCount: 1, scale: 20, min: 0, max: 0.1 });
  // Nine decades have no room in 160 buckets of that scale.
  for (const seconds of [1e-6, 0.001, 0.1, 1000]) series.record(seconds, unsampled, 1000);
  const later = take(deltas);
  expect(later?.count).toBe(4);
  expect(total(later)).toBe(4);
  expect(later?.zeroCount).toBe(0);
  const all = take(sums)!;
  expect([all.count, total(all), all.zeroCount]).toEqual([6, 6, 1]);
  expect(all.scale).toBe(2);
  expect(all.positive.bucketCounts.length).toBeLessThanOrEqual(160);
  // 0.1 stands in a bucket whose bounds are around it, twice.
  const base = 2 ** (2 ** -all.scale);
  const at = all.positive.bucketCounts.findIndex((count) => count === 2) + all.positive.offset;
  expect(base ** at).toBeLessThan(0.1);
  expect(base ** (at + 1)).toBeGreaterThanOrEqual(0.1);
});
