// The thresholds of consistent probability sampling, and the trace states that carry them:
// `ot=th:c;rv:d1dd8cb41b1b85,other=1` says that of four traces one was kept (th, a fraction of 2^56 in hex
// without the zeros at its end) and by which number (rv, else the trace id's).

import { textOf } from "../../wire/cursor.ts";
import { Writer } from "../../wire/writer.ts";

/** Hex digits that a threshold is rounded to, beside leading f's: the ratio is right to 1 in 65,536. */
const digits = 4;

/** The seven bytes from which on traces are kept; undefined if none are. */
export function thresholdOf(ratio: number): Uint8Array | undefined {
  if (ratio <= 0) return undefined;
  const exact = BigInt(Math.round((1 - ratio) * 2 ** 53)) << 3n;
  const hex = exact.toString(16).padStart(14, "0");
  const leading = /^f*/.exec(hex)?.[0].length ?? 0;
  const kept = 4n * BigInt(Math.max(0, 14 - leading - digits));
  const rounded = ((exact + (kept > 0n ? 1n << (kept - 1n) : 0n)) >> kept) << kept;
  // What would round up to "none" is left exact, down to one trace in 2^53.
  const value = rounded >= 1n << 56n ? (exact >= 1n << 56n ? (1n << 56n) - 8n : exact) : rounded;
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(14, "0"), "hex"));
}

export interface Places {
  readonly idStart: number;
  /** Empty where the span has no trace state. */
  readonly stateStart: number;
  readonly stateEnd: number;
}

export class Thresholds {
  readonly #threshold: string;
  /** Of a span that has none: as it is written into every one that is kept. */
  readonly #only: Uint8Array;

  constructor(threshold: Uint8Array) {
    this.#threshold = Buffer.from(threshold).toString("hex");
    this.#only = fieldOf(`ot=th:${shortened(this.#threshold)}`);
  }

  /**
   * The trace state of a span that is kept, as a field to write; null if it is to stay as it is, and
   * undefined if the span is not kept.
   */
  next(
    bytes: Uint8Array,
    { idStart, stateStart, stateEnd }: Places,
  ): Uint8Array | null | undefined {
    if (stateEnd <= stateStart) return this.#only;
    const state = textOf(bytes, stateStart, stateEnd);
    const { ot, others } = split(state);
    const random = /(?:^|;)rv:([0-9a-f]{14})(?:;|$)/.exec(ot)?.[1];
    const number = random ?? Buffer.from(bytes.subarray(idStart + 9, idStart + 16)).toString("hex");
    if (number < this.#threshold) return undefined;
    const [, before] = /(?:^|;)th:([0-9a-f]{1,14})(?:;|$)/.exec(ot) ?? [];
    const known = before?.padEnd(14, "0");
    // One that contradicts the trace's own number says nothing.
    if (known !== undefined && known >= this.#threshold && number >= known) return null;
    const rest = ot.split(";").filter((part) => part !== "" && !part.startsWith("th:"));
    const own = ["ot=" + [`th:${shortened(this.#threshold)}`, ...rest].join(";")];
    return fieldOf([...own, ...others].join(","));
  }
}

/** The member of OpenTelemetry, and the others as they are. */
function split(state: string): { ot: string; others: string[] } {
  let ot = "";
  const others: string[] = [];
  for (const part of state.split(",")) {
    const member = part.trim();
    if (member.startsWith("ot=")) ot = member.slice(3);
    else if (member !== "") others.push(member);
  }
  return { ot, others };
}

function shortened(threshold: string): string {
  return threshold.replace(/0+$/, "") || "0";
}

function fieldOf(state: string): Uint8Array {
  const writer = new Writer(64);
  writer.text(3, state);
  return writer.finish();
}
