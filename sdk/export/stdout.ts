// The exporter `otlp/stdout`: each request as a line of OTLP/JSON on stdout, for platforms that collect what
// a process prints. Beside the app's own lines, as it asks for.

import type { ISerializer } from "@opentelemetry/otlp-transformer";
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs";
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { SpanProcessor } from "@opentelemetry/sdk-trace";
import { load } from "../packages.ts";
import type { BatchSettings } from "../settings.ts";
import { LogBuffer } from "./log-buffer.ts";

export function printSpans({
  delayMs,
  timeoutMs,
  maxQueue,
  maxBatch,
}: BatchSettings): SpanProcessor {
  const { BatchSpanProcessor } = load("@opentelemetry/sdk-trace");
  const { JsonTraceSerializer } = load("@opentelemetry/otlp-transformer");
  return new BatchSpanProcessor({
    exporter: printing(JsonTraceSerializer),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: timeoutMs,
    maxQueueSize: maxQueue,
    maxExportBatchSize: maxBatch,
  });
}

export function printLogs(batch: BatchSettings): LogRecordProcessor {
  const { JsonLogsSerializer } = load("@opentelemetry/otlp-transformer");
  return new LogBuffer(batch, (records) => print(JsonLogsSerializer.serializeRequest(records)));
}

export function printMetrics(): PushMetricExporter {
  return printing(load("@opentelemetry/otlp-transformer").JsonMetricsSerializer);
}

function printing<Items>(serializer: ISerializer<Items, unknown>) {
  return {
    export(items: Items, done: (result: { code: number }) => void): void {
      print(serializer.serializeRequest(items));
      done({ code: 0 });
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

/** In one piece, so that two writers do not mix. */
function print(line: Uint8Array | undefined): void {
  if (line) process.stdout.write(`${Buffer.from(line).toString()}\n`);
}
