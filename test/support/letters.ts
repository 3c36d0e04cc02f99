// Dead letters for tests.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DeadLetter } from "../../collector/output/dead-letter.ts";
import type { Signal } from "../../collector/wire/batch.ts";
import { encodeRequest, type Request, sampleBatch } from "./otlp.ts";

export interface LetterOptions extends Partial<DeadLetter> {
  /** Of the sample request. */
  readonly seed?: number;
}

/** A whole batch of ten that was refused, unless told otherwise. */
export function letter(position: number, options: LetterOptions = {}): DeadLetter {
  const { seed = position + 1, ...more } = options;
  const signal: Signal = more.signal ?? "traces";
  const items = more.items ?? 10;
  return {
    at: new Date(1_790_000_000_000 + position * 1000).toISOString(),
    log: "0123456789abcdef",
    signal,
    reason: "bad_data",
    detail: "no",
    position,
    items,
    request: base64(sampleBatch(signal, { items: more.among ?? items, seed }).bytes),
    ...more,
  };
}

export const requestOf = (signal: Signal, request: Request): string =>
  base64(encodeRequest(signal, request));

export const spanNamed = (name: string): Request => ({
  resourceSpans: [
    { scopeSpans: [{ spans: [{ traceId: "ab".repeat(16), spanId: "cd".repeat(8), name }] }] },
  ],
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Lines that are no letters are given as text. */
export function writeLetters(path: string, lines: readonly (DeadLetter | string)[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const text = lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`));
  writeFileSync(path, text.join(""));
}

export function readLetters(path: string): DeadLetter[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as DeadLetter);
}
