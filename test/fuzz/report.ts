// What a run tells: a line for each target, and of what broke one everything that is needed to see it again.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Result } from "./engine.ts";

const columns = [
  "inputs",
  "per s",
  "per CPU s",
  "taken",
  "features",
  "branches",
  "corpus",
  "slowest",
  "peak rss",
  "growth",
];
const nameWidth = 22;
const width = 11;

export function header(): string {
  return row("target", columns);
}

export function line(result: Result): string {
  const { reached, all } = result.branches;
  return row(result.name, [
    String(result.runs),
    String(Math.round(result.runs / result.seconds)),
    String(Math.round(result.runs / result.cpuSeconds)),
    `${Math.round((100 * result.taken) / result.runs)} %`,
    String(result.features),
    `${reached}/${all}`,
    String(result.corpus),
    `${result.slowest.ms.toFixed(1)} ms`,
    `${megabytes(result.peakRssBytes)} MB`,
    `+${megabytes(result.peakRssBytes - result.startRssBytes)} MB`,
  ]);
}

const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

function row(name: string, cells: readonly string[]): string {
  return `${name.padEnd(nameWidth)}${cells.map((cell) => cell.padStart(width)).join("")}\n`;
}

/** For programs: without the inputs themselves. */
export function summary({ crash, slowest, ...figures }: Result): object {
  const found = crash && { input: base64(crash.input), error: String(crash.error) };
  return { ...figures, slowestMs: slowest.ms, slowestBytes: slowest.input.length, crash: found };
}

/** Says how to see it again. The input is kept in a folder of its own for temporary files. */
export function saveCrash({ name, runs, crash }: Result, seed: number): string {
  if (!crash) return "";
  const { input, error } = crash;
  const file = join(mkdtempSync(join(tmpdir(), "sonde-fuzz-")), name);
  writeFileSync(file, input);
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    `\n${name}: broken by input ${runs} of seed ${seed}, ${input.length} bytes, kept in ${file}`,
    reason,
    `base64: ${base64(input)}`,
    `again:  npm run fuzz -- --target ${name} --input ${base64(input)}\n\n`,
  ].join("\n");
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
