// Keeps a part of all traces, whole: which ones is decided by the trace id alone, so that every step,
// output and collector that samples comes to the same traces. It is OpenTelemetry's consistent
// probability sampling: the last 56 bits of the trace id (or `rv` of the trace state, where it is given)
// are the trace's number, and the traces from a threshold on are kept.
//
// The threshold is written into the trace state of each span that is kept (`ot=th:…`), which is how others
// know that one span stands for many. Of a span that was sampled more thinly before, nothing more is
// taken. A log record follows its trace; what has no trace id is kept.

import type { Batch } from "../../wire/batch.ts";
import { Cursor } from "../../wire/cursor.ts";
import type { Room } from "../../wire/room.ts";
import type { Edits } from "../edits.ts";
import type { Item } from "../item.ts";
import type { Step, StepContext, StepProblem } from "../step.ts";
import { Walk } from "../walk.ts";
import type { Settings } from "./settings.ts";
import { thresholdOf, Thresholds } from "./threshold.ts";

export function check(): StepProblem[] {
  return [];
}

export function open({ ratio }: Settings, { name }: StepContext): Step {
  const sampler = new Sampler(ratio);
  const spans = new Walk({ leaf: (item, edits) => sampler.span(item, edits) });
  const logs = new Walk({ leaf: (item) => sampler.log(item) });
  const apply = (batch: Batch, room?: Room): Batch => {
    if (ratio === 1 || batch.signal === "metrics") return batch;
    return (batch.signal === "traces" ? spans : logs).apply(batch, room);
  };
  return { name, apply };
}

const traceIdOfSpan = 1;
const traceStateOfSpan = 3;
const traceIdOfLog = 9;

class Sampler {
  readonly #threshold: Uint8Array | undefined;
  readonly #states: Thresholds | undefined;
  readonly #fields = new Cursor(new Uint8Array());

  constructor(ratio: number) {
    this.#threshold = thresholdOf(ratio);
    this.#states = this.#threshold && new Thresholds(this.#threshold);
  }

  log({ bytes, leaf }: Item): boolean {
    const fields = this.#fields.over(leaf.start, leaf.end, bytes);
    let idStart = -1;
    while (fields.next()) {
      if (fields.number === traceIdOfLog) idStart = fields.end > fields.start ? fields.start : -1;
    }
    return !isTraceId(bytes, idStart) || this.#isFrom(bytes, idStart + 9);
  }

  span({ bytes, leaf }: Item, edits: Edits): boolean {
    const fields = this.#fields.over(leaf.start, leaf.end, bytes);
    let idStart = -1;
    let stateStart = -1;
    let stateEnd = -1;
    while (fields.next()) {
      if (fields.number === traceIdOfSpan) idStart = fields.end > fields.start ? fields.start : -1;
      else if (fields.number === traceStateOfSpan) {
        stateStart = fields.start;
        stateEnd = fields.end;
      }
    }
    if (!isTraceId(bytes, idStart)) return true;
    if (!this.#states) return false;
    if (stateEnd <= stateStart && !this.#isFrom(bytes, idStart + 9)) return false;
    const state = this.#states.next(bytes, { idStart, stateStart, stateEnd });
    if (state === undefined) return false;
    if (state !== null) this.#write(bytes, leaf, { edits, state });
    return true;
  }

  #isFrom(bytes: Uint8Array, numberStart: number): boolean {
    if (!this.#threshold) return false;
    for (let at = 0; at < 7; at++) {
      const difference = bytes[numberStart + at]! - this.#threshold[at]!;
      if (difference !== 0) return difference > 0;
    }
    return true;
  }

  #write(
    bytes: Uint8Array,
    { start, end }: Item["leaf"],
    { edits, state }: { edits: Edits; state: Uint8Array },
  ): void {
    const fields = this.#fields.over(start, end, bytes);
    let isWritten = false;
    while (fields.next()) {
      if (fields.number !== traceStateOfSpan) continue;
      edits.replace(fields.fieldStart, fields.end, isWritten ? nothing : state);
      isWritten = true;
    }
    if (!isWritten) edits.replace(end, end, state);
  }
}

const nothing = new Uint8Array();

/** All zeros are no id. */
function isTraceId(bytes: Uint8Array, start: number): boolean {
  if (start < 0) return false;
  for (let at = start; at < start + 16; at++) if (bytes[at] !== 0) return true;
  return false;
}
