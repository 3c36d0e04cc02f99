// The Go collector as a subject: how it is configured and started.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startPeer } from "../support/peers.ts";
import { cores } from "./cores.ts";
import type { Running, StartOptions, Subject } from "./subjects.ts";

interface OtelcolOptions {
  readonly name: string;
  readonly share?: number;
  /** The processor that its documentation recommends: between receivers and queue. */
  readonly hasBatchProcessor?: boolean;
  /** The queue of its exporter on disk and synced, instead of in memory. */
  readonly isOnDisk?: boolean;
  /** Batches made of what comes out of the queue. */
  readonly hasQueueBatch?: boolean;
}

export function otelcolSubject(options: OtelcolOptions): Subject {
  const { name, share = 1, isOnDisk = false, hasBatchProcessor = false } = options;
  return {
    name: `otelcol, ${name}`,
    share,
    isDurable: isOnDisk && !hasBatchProcessor,
    start: (where) => startOtelcol(forwarding(options, where), where.folder),
  };
}

/** What differs: the rest of its configuration is the same. */
export interface OtelcolConfig {
  readonly extensions?: object;
  readonly processors?: object;
  readonly exporters: object;
  readonly pipelines: object;
}

/** $-names are filled in at the start. */
export async function startOtelcol(given: OtelcolConfig, folder: string): Promise<Running> {
  const config = join(folder, "bench.yaml");
  const text = JSON.stringify(wholeOf(given)); // JSON is YAML
  writeFileSync(config, text.replace('"${PORT_3}"', "${PORT_3}")); // a number, once filled in
  const begin = performance.now();
  const dir = join(folder, "otelcol");
  const peer = await startPeer("otelcol", { config, dir, under: cores.collector });
  const readyMs = performance.now() - begin;
  rmSync(config); // it has a copy
  const { pid = "", otlp_http: http = "", otlp_grpc: grpc = "" } = peer.address;
  return { pid: Number(pid), http, grpc, readyMs, stop: () => peer.stop() };
}

function wholeOf({
  extensions = {},
  processors = {},
  exporters,
  pipelines,
}: OtelcolConfig): object {
  return {
    extensions: { health_check: address("PORT_4"), ...extensions },
    receivers: { otlp: { protocols: { grpc: address("PORT"), http: address("PORT_1") } } },
    processors,
    exporters,
    service: {
      extensions: ["health_check", ...Object.keys(extensions)],
      pipelines,
      telemetry: { metrics: { readers: [{ pull: { exporter: ownMetrics } }] } },
    },
  };
}

/** Both exporters would compress unless told not to; sonde does not. */
function forwarding(options: OtelcolOptions, { sinkUrl, signal }: StartOptions): OtelcolConfig {
  const { isOnDisk = false, hasBatchProcessor = false, hasQueueBatch = false } = options;
  const isHttp = sinkUrl.startsWith("http:");
  const exporter = isHttp ? "otlp_http" : "otlp_grpc";
  const destination = isHttp
    ? { endpoint: sinkUrl }
    : { endpoint: new URL(sinkUrl).host, tls: { insecure: true } };
  const storage = { directory: "${DIR}/queue", create_directory: true, fsync: true };
  return {
    extensions: isOnDisk ? { file_storage: storage } : {},
    processors: hasBatchProcessor ? { batch: {} } : {},
    exporters: {
      [exporter]: {
        ...destination,
        compression: "none",
        retry_on_failure: { max_elapsed_time: "0s" }, // or it drops what it could not send for 5 minutes
        ...(isOnDisk ? { sending_queue: queueOnDisk(hasQueueBatch) } : {}),
      },
    },
    pipelines: {
      [signal]: {
        receivers: ["otlp"],
        processors: hasBatchProcessor ? ["batch"] : [],
        exporters: [exporter],
      },
    },
  };
}

/** To wait when it is full costs it less than to refuse what is then sent again. */
function queueOnDisk(hasBatch: boolean): object {
  const batch = { flush_timeout: "200ms", min_size: 8192, sizer: "items" };
  return {
    storage: "file_storage",
    block_on_overflow: true,
    queue_size: 100_000,
    ...(hasBatch ? { batch } : {}),
  };
}

const ownMetrics = { prometheus: { host: "127.0.0.1", port: "${PORT_3}" } };

export function address(port: string): object {
  return { endpoint: `127.0.0.1:\${${port}}` };
}
