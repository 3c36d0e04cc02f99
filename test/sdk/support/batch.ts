// Batches of spans that have nothing but their names.

import { Batch, type Section, type Send } from "../../../sdk/export/batch.ts";
import type { Encoder } from "../../../sdk/export/encoder.ts";
import { Attributes } from "../../../sdk/trace/values.ts";

interface Started {
  readonly batch: Batch;
  readonly section: Section;
}

/** Sends when so many are in it, and not by time. */
export function batchOf(maxBatch: number, sends: readonly Send[]): Started {
  const batch = new Batch({
    resource: () => new Attributes(),
    settings: { maxBatch, delayMs: 60_000, timeoutMs: 0, maxQueue: 0 },
    sends,
  });
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  return { batch, section };
}

export function named(encoder: Encoder, name: string): void {
  const span = encoder.begin(0x12);
  encoder.text(0x2a, name);
  encoder.end(span);
}
