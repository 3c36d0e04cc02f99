// What the SDK has to say to the person who runs the app: one line each on stderr, never twice the same,
// and never many. Written past the streams, so that a closed stderr cannot end the app.

import { writeSync } from "node:fs";

const told = new Set<string>();
const mostLines = 20;

/** Lines on the same subject are told once, whatever they say. */
export function tell(line: string, subject = line): void {
  if (told.has(subject) || told.size >= mostLines) return;
  told.add(subject);
  writeLine(`sonde: ${line}`);
}

export function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads stderr.
  }
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A connection tried over several addresses fails with an AggregateError that has no message itself.
  const inner = error instanceof AggregateError ? (error.errors as unknown[])[0] : undefined;
  return error.message || (inner === undefined ? error.name : messageOf(inner));
}
