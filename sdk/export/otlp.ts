// Where the requests of a signal go: over HTTP or gRPC through our sender, or to the console.

import type { Attributes } from "@opentelemetry/api";
import type { Signal } from "../../collector/wire/batch.ts";
import type { ExportMetrics } from "../metrics/periodic.ts";
import { loadOwn } from "../packages.ts";
import type { BatchSettings, OtlpSettings, Settings } from "../settings.ts";
import type { Send } from "./batch.ts";
import { GrpcTransport } from "./grpc.ts";
import { HttpTransport } from "./http.ts";
import type { Target } from "./http.ts";
import { jsonOf, printLine } from "./json.ts";
import type { Sender } from "./sender.ts";

/** OTEL_BSP_MAX_QUEUE_SIZE and its kin if nobody has set them: what waits is bounded in bytes then. */
const defaultQueue = 2048;

export function spanSends({ traces, spanBatch }: Settings, sender: Sender): readonly Send[] {
  return traces.exporters.map((exporter) =>
    exporter === "otlp" ? otlp("traces", traces.otlp, sender, spanBatch) : printLine("traces"),
  );
}

export function logSends({ logs, logBatch }: Settings, sender: Sender): readonly Send[] {
  return logs.exporters.map((exporter) =>
    exporter === "otlp" ? otlp("logs", logs.otlp, sender, logBatch) : printLine("logs"),
  );
}

/** Takes requests in protobuf, whatever the receiver is sent. */
function otlp(signal: Signal, settings: OtlpSettings, sender: Sender, batch?: BatchSettings): Send {
  if (settings.protocol === "grpc") {
    return sender.open(new GrpcTransport(signal, settings), mostWaiting(batch));
  }
  const transport = new HttpTransport(targetOf(settings, batch?.timeoutMs ?? Infinity));
  const send = sender.open(transport, mostWaiting(batch));
  if (settings.protocol === "http/protobuf") return send;
  return (body, items) => send(Buffer.from(jsonOf(signal, body)), items);
}

function mostWaiting(batch: BatchSettings | undefined): number {
  return batch === undefined || batch.maxQueue === defaultQueue ? Infinity : batch.maxQueue;
}

/** An export is over once the sender has the bytes; what happens to them then is its affair. */
export function otlpMetrics(
  { metrics }: Settings,
  sender: Sender,
  resource: () => Attributes,
): ExportMetrics {
  const send = otlp("metrics", metrics.otlp, sender);
  return (items) => {
    // Loaded when there is something to send.
    const { encodeMetrics } = loadOwn("./metrics/encode");
    return send(encodeMetrics({ resource: { attributes: resource() }, scopeMetrics: items }), 1);
  };
}

function targetOf(settings: OtlpSettings, mostMs: number): Target {
  const { protocol, url, headers, compression, timeoutMs, tls } = settings;
  const contentType = protocol === "http/json" ? "application/json" : "application/x-protobuf";
  return {
    url,
    headers: { "content-type": contentType, "user-agent": "sonde", ...headers },
    compression,
    timeoutMs: timeoutMs > 0 ? Math.min(timeoutMs, mostMs) : 0,
    tls,
  };
}
