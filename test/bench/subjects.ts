// A collector that is measured, whichever it is.

import type { Counted } from "./cases.ts";
import { sondeSubject } from "./sonde.ts";
import { otelcolSubject } from "./otelcol.ts";

export interface Subject {
  readonly name: string;
  /** What of a case it is given: one that is slow would take minutes for what others do in seconds. */
  readonly share: number;
  /** Whether what it has acknowledged is on disk, so that it may be killed. */
  readonly isDurable: boolean;
  /** What it sends is for Elasticsearch. */
  readonly isForDocuments?: boolean;
  start(options: StartOptions): Promise<Running>;
}

export interface StartOptions {
  /** What it forwards to. */
  readonly sinkUrl: string;
  /** What of what comes in it forwards. */
  readonly signal: Counted;
  /** For all that it keeps: empty, or as the same subject has left it. */
  readonly folder: string;
}

export interface Running {
  readonly pid: number;
  /** Where it takes OTLP. */
  readonly http: string;
  readonly grpc: string;
  /** From its start until it takes data. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

/** Ours, as it is published and as users get it: what it has acknowledged is synced to disk. */
export function sonde(program: string, nodeArgs: readonly string[] = []): Subject {
  return sondeSubject({ name: "sonde", args: [...nodeArgs, program] });
}

/** Ours, with the output to Elasticsearch in place of OTLP. */
export function sondeToElasticsearch(program: string, nodeArgs: readonly string[] = []): Subject {
  const destination = "SONDE_ELASTICSEARCH_URL";
  const args = [...nodeArgs, program];
  const subject = sondeSubject({ name: "sonde, elasticsearch", args, destination });
  return { ...subject, isForDocuments: true };
}

/**
 * The Go collector. Those with "memory" lose what they have acknowledged when they are killed, and those
 * with "batch", the batch processor, what is in that. "queue batch", the exporter's own batches behind
 * the queue, is of the settings that keep the promise that sonde makes the one that costs least.
 */
export const otelcol = {
  memoryBatch: otelcolSubject({ name: "memory + batch", hasBatchProcessor: true }),
  memory: otelcolSubject({ name: "memory", share: 0.25 }),
  disk: otelcolSubject({ name: "disk", isOnDisk: true, share: 0.2 }),
  diskQueueBatch: otelcolSubject({
    name: "disk + queue batch",
    isOnDisk: true,
    hasQueueBatch: true,
    share: 0.2,
  }),
  batchDisk: otelcolSubject({
    name: "batch + disk",
    hasBatchProcessor: true,
    isOnDisk: true,
    share: 0.4,
  }),
} as const;
