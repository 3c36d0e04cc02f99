// Metrics as OTLP has them, those of sdk-metrics and ours. OpenTelemetry's own encoder leaves exemplars out,
// and is a tenth of all that the SDK would load. Fields that have their default value are left out.

import type { Attributes as ApiAttributes } from "@opentelemetry/api";
import type {
  DataPoint,
  ExponentialHistogram,
  Histogram,
  MetricData,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { Encoder } from "../export/encoder.ts";
import { load } from "../packages.ts";
import { partAt } from "../trace/ids.ts";
import { Attributes, unlimited } from "../trace/values.ts";
import { delta, exponentialPoint, gaugePoint, histogramPoint, sumPoint } from "./kinds.ts";
import { tellOfOverflow } from "./overflow.ts";
import type { Exemplar, Exemplary } from "./series.ts";

/** What is needed of sdk-metrics' ResourceMetrics. */
export interface Collected {
  readonly resource: { readonly attributes: ApiAttributes; readonly schemaUrl?: string };
  readonly scopeMetrics: readonly ScopeMetrics[];
}

/** An ExportMetricsServiceRequest. */
export function encodeMetrics({ resource, scopeMetrics }: Collected): Uint8Array {
  const encoder = new Encoder();
  const all = encoder.begin(0x0a);
  const described = encoder.begin(0x0a);
  attributesOf(encoder, 0x0a, resource.attributes);
  encoder.end(described);
  for (const { scope, metrics } of scopeMetrics) {
    const start = encoder.begin(0x12);
    const named = encoder.begin(0x0a);
    encoder.text(0x0a, scope.name);
    if (scope.version) encoder.text(0x12, scope.version);
    encoder.end(named);
    for (const metric of metrics) encodeMetric(encoder, metric);
    if (scope.schemaUrl) encoder.text(0x1a, scope.schemaUrl);
    encoder.end(start);
  }
  if (resource.schemaUrl) encoder.text(0x1a, resource.schemaUrl);
  encoder.end(all);
  return encoder.take();
}

function encodeMetric(encoder: Encoder, metric: MetricData): void {
  const { name, description, unit } = metric.descriptor;
  tellOfOverflow(metric);
  const start = encoder.begin(0x12);
  encoder.text(0x0a, name);
  if (description !== "") encoder.text(0x12, description);
  if (unit !== "") encoder.text(0x1a, unit);
  switch (metric.dataPointType) {
    case gaugePoint: {
      const gauge = encoder.begin(0x2a);
      encodeNumbers(encoder, metric);
      encoder.end(gauge);
      break;
    }
    case sumPoint: {
      const sum = encoder.begin(0x3a);
      encodeNumbers(encoder, metric);
      encoder.uint(0x10, temporalityOf(metric));
      if (metric.isMonotonic) encoder.uint(0x18, 1);
      encoder.end(sum);
      break;
    }
    case histogramPoint: {
      const histogram = encoder.begin(0x4a);
      for (const point of metric.dataPoints) encodeHistogram(encoder, point);
      encoder.uint(0x10, temporalityOf(metric));
      encoder.end(histogram);
      break;
    }
    case exponentialPoint: {
      const histogram = encoder.begin(0x52);
      for (const point of metric.dataPoints) encodeExponential(encoder, point);
      encoder.uint(0x10, temporalityOf(metric));
      encoder.end(histogram);
      break;
    }
    default:
      metric satisfies never;
  }
  encoder.end(start);
}

function temporalityOf({ aggregationTemporality }: MetricData): number {
  return aggregationTemporality === delta ? 1 : 2;
}

interface Numbers {
  readonly descriptor: MetricData["descriptor"];
  readonly dataPoints: readonly (DataPoint<number> & Exemplary)[];
}

function encodeNumbers(encoder: Encoder, { descriptor, dataPoints }: Numbers): void {
  const { ValueType } = load("@opentelemetry/api");
  const isWhole = descriptor.valueType === ValueType.INT;
  for (const { startTime, endTime, value, exemplars = [], attributes } of dataPoints) {
    const start = encoder.begin(0x0a);
    encoder.time(0x11, startTime);
    encoder.time(0x19, endTime);
    if (isWhole && Number.isInteger(value)) encoder.fixed64(0x31, value);
    else encoder.double(0x21, value);
    for (const exemplar of exemplars) encodeExemplar(encoder, 0x2a, exemplar);
    attributesOf(encoder, 0x3a, attributes);
    encoder.end(start);
  }
}

function encodeHistogram(encoder: Encoder, point: DataPoint<Histogram> & Exemplary): void {
  const { startTime, endTime, value, attributes, exemplars = [] } = point;
  const { counts, boundaries } = value.buckets;
  const start = encoder.begin(0x0a);
  encoder.time(0x11, startTime);
  encoder.time(0x19, endTime);
  encoder.fixed64(0x21, value.count);
  if (value.sum !== undefined) encoder.double(0x29, value.sum);
  encoder.head(0x32, counts.length * 8);
  for (const count of counts) encoder.bare64(count);
  encoder.head(0x3a, boundaries.length * 8);
  for (const boundary of boundaries) encoder.bareDouble(boundary);
  for (const exemplar of exemplars) encodeExemplar(encoder, 0x42, exemplar);
  attributesOf(encoder, 0x4a, attributes);
  if (isFinite(value.min)) encoder.double(0x59, value.min);
  if (isFinite(value.max)) encoder.double(0x61, value.max);
  encoder.end(start);
}

function encodeExponential(
  encoder: Encoder,
  point: DataPoint<ExponentialHistogram> & Exemplary,
): void {
  const { startTime, endTime, value, attributes, exemplars = [] } = point;
  const start = encoder.begin(0x0a);
  attributesOf(encoder, 0x0a, attributes);
  encoder.time(0x11, startTime);
  encoder.time(0x19, endTime);
  encoder.fixed64(0x21, value.count);
  if (value.sum !== undefined) encoder.double(0x29, value.sum);
  encoder.uint(0x30, zigzag(value.scale));
  encoder.fixed64(0x39, value.zeroCount);
  encodeBuckets(encoder, 0x42, value.positive);
  encodeBuckets(encoder, 0x4a, value.negative);
  for (const exemplar of exemplars) encodeExemplar(encoder, 0x5a, exemplar);
  if (isFinite(value.min)) encoder.double(0x61, value.min);
  if (isFinite(value.max)) encoder.double(0x69, value.max);
  encoder.end(start);
}

function encodeBuckets(
  encoder: Encoder,
  tag: number,
  { offset, bucketCounts }: ExponentialHistogram["positive"],
): void {
  if (bucketCounts.length === 0) return;
  const start = encoder.begin(tag);
  encoder.uint(0x08, zigzag(offset));
  const counts = encoder.begin(0x12);
  for (const count of bucketCounts) {
    encoder.reserve(10);
    encoder.varint(count);
  }
  encoder.end(counts);
  encoder.end(start);
}

function encodeExemplar(encoder: Encoder, tag: number, { span, value, time }: Exemplar): void {
  const start = encoder.begin(tag);
  encoder.time(0x11, time);
  encoder.double(0x19, value);
  if (span !== undefined) {
    encoder.head(0x22, 8);
    for (let at = 0; at < 16; at += 8) encoder.part(partAt(span.spanId, at));
    encoder.head(0x2a, 16);
    for (let at = 0; at < 32; at += 8) encoder.part(partAt(span.traceId, at));
  }
  encoder.end(start);
}

/** What an app gives for the attributes of its own metrics is kept by sdk-metrics as it came. */
function attributesOf(encoder: Encoder, tag: number, attributes: ApiAttributes): void {
  const kept = new Attributes();
  kept.setAll(attributes, { count: unlimited, length: unlimited });
  encoder.attributes(tag, kept);
}

/** Of a histogram that has none they are absent, or as sdk-metrics begins with them. */
function isFinite(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value);
}

/** A sint32. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}
