import type { SpanContext } from "@opentelemetry/api";
import type { HistogramMetricData, MetricProducer } from "@opentelemetry/sdk-metrics";
import { AggregationTemporality } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import {
  clientDurations,
  Durations,
  httpMetrics,
  httpMetricsFor,
  serverDurations,
} from "../../sdk/metrics/durations.ts";
import type { DurationPoint } from "../../sdk/metrics/durations.ts";

const spanWith = (traceFlags: number, spanId: string): SpanContext => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId,
  traceFlags,
});
const unsampled = spanWith(0, "b7ad6b7169203331");

async function pointsOf(producer: MetricProducer, name: string) {
  const { resourceMetrics } = await producer.collect();
  const metrics = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  const metric = metrics.find(({ descriptor }) => descriptor.name === name);
  const points = (metric as HistogramMetricData | undefined)?.dataPoints ?? [];
  return { metric, points: points as DurationPoint[] };
}

test("a duration is in the bucket whose upper bound it does not exceed", async () => {
  const family = serverDurations.family("GET", "http", "1.1");
  const series = serverDurations.add(family, "/buckets", 200, { "http.route": "/buckets" });
  for (const seconds of [0, 0.005, 0.0051, 10, 10.1]) series.record(seconds, unsampled, 1000);
  const { metric, points } = await pointsOf(httpMetrics, "http.server.request.duration");
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

test("deltas are what came since the reader asked last, each reader for itself", async () => {
  const name = "http.client.request.duration";
  const family = clientDurations.family("GET", "", "1.1");
  const series = clientDurations.add(family, "shop", 200, { "server.address": "shop" });
  const [one, other] = [httpMetricsFor("delta"), httpMetricsFor("delta")];
  series.record(0.02, unsampled, 1000);
  const first = await pointsOf(one, name);
  expect(first.metric?.aggregationTemporality).toBe(AggregationTemporality.DELTA);
  expect(first.points[0]?.value).toMatchObject({ count: 1, sum: 0.02 });
  expect((await pointsOf(one, name)).points).toEqual([]);
  series.record(0.5, unsampled, 1000);
  series.record(0.5, unsampled, 1000);
  const second = await pointsOf(one, name);
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
  expect((await pointsOf(other, name)).points[0]?.value.count).toBe(3);
  expect((await pointsOf(httpMetrics, name)).points[0]?.value.count).toBe(3);
});

test("a bucket's exemplar is the last request in it whose trace is kept", async () => {
  const family = serverDurations.family("PUT", "http", "1.1");
  const series = serverDurations.add(family, "/exemplars", 200, { "http.route": "/exemplars" });
  series.record(0.001, spanWith(1, "1111111111111111"), 1000);
  series.record(0.002, spanWith(1, "2222222222222222"), 1000);
  series.record(0.003, unsampled, 1000);
  series.record(3, spanWith(1, "3333333333333333"), 1000);
  const { points } = await pointsOf(httpMetrics, "http.server.request.duration");
  const point = points.find(({ attributes }) => attributes["http.route"] === "/exemplars");
  expect(point?.exemplars[0]?.time[0]).toBe(Math.trunc(performance.timeOrigin / 1000 + 1));
  expect(point?.exemplars.map(({ spanId, value }) => [spanId, value])).toEqual([
    ["2222222222222222", 0.002],
    ["3333333333333333", 3],
  ]);
});
