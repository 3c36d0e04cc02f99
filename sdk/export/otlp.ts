// What is recorded on its way out over OTLP: gRPC through OpenTelemetry's exporters, which read its settings
// themselves, HTTP through our sender.

import type { ISerializer } from "@opentelemetry/otlp-transformer";
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs";
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { load } from "../packages.ts";
import type { BatchSettings, OtlpSettings, Settings } from "../settings.ts";
import { LogBuffer } from "./log-buffer.ts";
import type { Sender, Target } from "./sender.ts";

export function otlpSpans({ traces, spanBatch }: Settings, sender: Sender): SpanProcessor {
  const { BatchSpanProcessor } = load("@opentelemetry/sdk-trace");
  return new BatchSpanProcessor({
    exporter: spanExporter(traces, sender),
    ...batchOptions(spanBatch),
  });
}

function spanExporter({ otlp }: Settings["traces"], sender: Sender): SpanExporter {
  if (otlp.protocol === "grpc") {
    return new (load("@opentelemetry/exporter-trace-otlp-grpc").OTLPTraceExporter)();
  }
  const { ProtobufTraceSerializer, JsonTraceSerializer } = load("@opentelemetry/otlp-transformer");
  const serializer = isJson(otlp) ? JsonTraceSerializer : ProtobufTraceSerializer;
  return exporterOf<ReadableSpan[]>(serializer, sender.open(targetOf(otlp)));
}

export function otlpLogs({ logs, logBatch }: Settings, sender: Sender): LogRecordProcessor {
  if (logs.otlp.protocol === "grpc") {
    const { BatchLogRecordProcessor } = load("@opentelemetry/sdk-logs");
    return new BatchLogRecordProcessor({
      exporter: new (load("@opentelemetry/exporter-logs-otlp-grpc").OTLPLogExporter)(),
      ...batchOptions(logBatch),
    });
  }
  const { ProtobufLogsSerializer, JsonLogsSerializer } = load("@opentelemetry/otlp-transformer");
  const serializer = isJson(logs.otlp) ? JsonLogsSerializer : ProtobufLogsSerializer;
  const send = sender.open(targetOf(logs.otlp));
  return new LogBuffer(logBatch, (records) => {
    const body = serializer.serializeRequest(records);
    if (body) send(body);
  });
}

export function otlpMetrics(
  { metrics, temporality, histogramAggregation }: Settings,
  sender: Sender,
): PushMetricExporter {
  if (metrics.otlp.protocol === "grpc") {
    return new (load("@opentelemetry/exporter-metrics-otlp-grpc").OTLPMetricExporter)();
  }
  const { ProtobufMetricsSerializer, JsonMetricsSerializer } = load(
    "@opentelemetry/otlp-transformer",
  );
  const { AggregationTemporality, AggregationType, InstrumentType } = load(
    "@opentelemetry/sdk-metrics",
  );
  const serializer = isJson(metrics.otlp) ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  const deltas: Readonly<Record<typeof temporality, readonly unknown[]>> = {
    cumulative: [],
    lowmemory: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM],
    delta: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM, InstrumentType.OBSERVABLE_COUNTER],
  };
  return {
    ...exporterOf(serializer, sender.open(targetOf(metrics.otlp))),
    selectAggregationTemporality: (type) =>
      deltas[temporality].includes(type)
        ? AggregationTemporality.DELTA
        : AggregationTemporality.CUMULATIVE,
    selectAggregation: (type) =>
      type === InstrumentType.HISTOGRAM &&
      histogramAggregation === "base2_exponential_bucket_histogram"
        ? { type: AggregationType.EXPONENTIAL_HISTOGRAM }
        : { type: AggregationType.DEFAULT },
  };
}

function batchOptions(batch: BatchSettings) {
  return {
    scheduledDelayMillis: batch.delayMs,
    exportTimeoutMillis: batch.timeoutMs,
    maxQueueSize: batch.maxQueue,
    maxExportBatchSize: batch.maxBatch,
  };
}

function isJson({ protocol }: OtlpSettings): boolean {
  return protocol === "http/json";
}

/** An export is over once the sender has the bytes; what happens to them after that is its affair. */
function exporterOf<Items>(
  serializer: ISerializer<Items, unknown>,
  send: (body: Uint8Array) => boolean,
): {
  export(items: Items, done: (result: { code: number; error?: Error }) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
} {
  return {
    export(items, done) {
      const body = serializer.serializeRequest(items);
      if (body && send(body)) done({ code: 0 });
      else done({ code: 1, error: new Error("not taken for sending") });
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

function targetOf(otlp: OtlpSettings): Target {
  const { url, headers, compression, timeoutMs, tls } = otlp;
  const contentType = isJson(otlp) ? "application/json" : "application/x-protobuf";
  return {
    url,
    headers: { "content-type": contentType, "user-agent": "sonde", ...headers },
    compression,
    timeoutMs,
    tls,
  };
}
