// The wire format, held against OpenTelemetry's own encoder for what that one writes.

import { ValueType } from "@opentelemetry/api";
import { ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  MeterProvider,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import type { ResourceMetrics, ViewOptions } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { encodeMetrics } from "../../../sdk/metrics/encode.ts";
import { decodeRequest } from "../../support/otlp.ts";

class TestReader extends MetricReader {
  onForceFlush = () => Promise.resolve();
  onShutdown = () => Promise.resolve();
}

async function collected(temporality: AggregationTemporality): Promise<ResourceMetrics> {
  const reader = new TestReader({
    aggregationTemporalitySelector: () => temporality,
    aggregationSelector: (type) =>
      type === InstrumentType.HISTOGRAM
        ? { type: AggregationType.EXPONENTIAL_HISTOGRAM }
        : { type: AggregationType.DEFAULT },
  });
  const resource = resourceFromAttributes({ "service.name": "orders", "process.pid": 12 });
  const fixed = {
    instrumentName: "fixed",
    aggregation: {
      type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM as const,
      options: { boundaries: [1, 5] },
    },
  } satisfies ViewOptions;
  const provider = new MeterProvider({ resource, readers: [reader], views: [fixed] });
  const meter = provider.getMeter("shop", "1.2.3", { schemaUrl: "https://example.com/schema" });
  meter.createCounter("orders", { unit: "{order}", valueType: ValueType.INT }).add(2 ** 40 + 1);
  meter.createCounter("turnover", { description: "Umsatz in €" }).add(1.5, { kind: "a", ok: true });
  meter.createUpDownCounter("waiting", { valueType: ValueType.INT }).add(-3, { list: ["a", "b"] });
  meter.createGauge("temperature").record(-1.25);
  meter.createGauge("odd").record(Number.POSITIVE_INFINITY);
  const exponential = meter.createHistogram("exponential");
  for (const value of [0.001, 0.5, 3, 0, 300]) exponential.record(value);
  for (const value of [0.5, 3, 300]) meter.createHistogram("fixed").record(value, { n: 1 });
  const { resourceMetrics } = await reader.collect();
  return resourceMetrics;
}

test.each([
  ["cumulative", AggregationTemporality.CUMULATIVE],
  ["delta", AggregationTemporality.DELTA],
])(
  "every kind of metric is what OpenTelemetry's encoder makes of it: %s",
  async (_, temporality) => {
    const metrics = await collected(temporality);
    const theirs = decodeRequest("metrics", ProtobufMetricsSerializer.serializeRequest(metrics)!);
    const ours = decodeRequest("metrics", encodeMetrics(metrics));
    const made = theirs.resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics ?? [];
    for (const point of made.flatMap((one) => one.exponentialHistogram?.dataPoints ?? [])) {
      expect(point.negative).toEqual({});
      delete point.negative; // buckets that are not there
    }
    expect(ours).toEqual(theirs);
    expect(ours.resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics).toHaveLength(7);
  },
);
