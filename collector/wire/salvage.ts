// What is left of a request when its invalid items are left out: one bad span must not cost the others
// that were sent with it. Only items that are damaged inside can be left out; where the frame around
// them is broken, nobody can say what was meant, and the whole is refused.

import type { Batch, Signal } from "./batch.ts";
import { Cursor } from "./cursor.ts";
import { everyLeaf } from "./leaves.ts";
import { pathTo } from "./path.ts";
import { leafOf, type Message, requests } from "./schema.ts";
import { check, describeProblem, isReadable, validate, type WireProblem } from "./validate.ts";
import { Writer } from "./writer.ts";

export interface Salvaged {
  readonly batch: Batch;
  readonly rejectedItems: number;
  /** Of the first item that was left out. */
  readonly problem: WireProblem;
}

/** Finding a fault costs far more than not finding one; who sends so many gets nothing salvaged. */
export const mostFaults = 1_000;

/** For what validate() has refused. Undefined when nothing can be saved. */
export function salvage(signal: Signal, bytes: Uint8Array): Salvaged | undefined {
  if (!isReadable(frames[signal], bytes)) return undefined;
  const faults = findFaults(signal, bytes);
  const [first] = faults.leaves;
  if (!first || faults.isTooMany || faults.itemsKept === 0) return undefined;
  const left = validate(signal, copyWithout(bytes, faults.leaves));
  if (left.kind === "invalid") throw new Error(`left over is ${describeProblem(left.problem)}`);
  return {
    batch: left.batch,
    rejectedItems: faults.itemsRejected,
    problem: { path: pathTo(signal, bytes, first.offset), offset: first.offset, why: first.why },
  };
}

/** The field that holds the children of a request, of a resource group and of a scope group. */
const childFields = [1, 2, 2];
const scopeLevel = 2;
const leafDepth = 4;

/** The requests as they are around their leaves: those are bytes of any kind here. */
const frames: Readonly<Record<Signal, Message>> = {
  traces: frameOf(requests.traces, 0),
  metrics: frameOf(requests.metrics, 0),
  logs: frameOf(requests.logs, 0),
};

function frameOf(message: Message, level: number): Message {
  const fields = message.fields.map((field) => {
    if (field?.number !== childFields[level] || typeof field?.type !== "object") return field;
    const type = level === scopeLevel ? ("bytes" as const) : frameOf(field.type, level + 1);
    return { ...field, type };
  });
  return { ...message, fields };
}

interface Faults {
  readonly leaves: FaultyLeaf[];
  readonly itemsKept: number;
  readonly itemsRejected: number;
  readonly isTooMany: boolean;
}

interface FaultyLeaf {
  /** Where its field begins, tag included. */
  readonly fieldStart: number;
  readonly offset: number;
  readonly why: string;
}

function findFaults(signal: Signal, bytes: Uint8Array): Faults {
  const leaf = leafOf[signal];
  const leaves: FaultyLeaf[] = [];
  let itemsKept = 0;
  let itemsRejected = 0;
  const isTooMany = !everyLeaf(bytes, ({ fieldStart, start, end }) => {
    const part = { start, end, depth: leafDepth };
    const { items, fault } = check(leaf, bytes, part);
    if (fault) {
      leaves.push({ fieldStart, offset: fault.offset, why: fault.why });
      itemsRejected += Math.max(1, check(counted[signal], bytes, part).items);
    } else itemsKept += items;
    return leaves.length <= mostFaults;
  });
  return { leaves, itemsKept, itemsRejected, isTooMany };
}

/**
 * Leaves of which nothing is known but where their items are: whatever is wrong in these, as many are
 * rejected as were sent. Where the leaf's own frame is broken, it is those before the break.
 */
const counted: Readonly<Record<Signal, Message>> = {
  traces: itemsOnly(leafOf.traces),
  metrics: itemsOnly(leafOf.metrics),
  logs: itemsOnly(leafOf.logs),
};

function itemsOnly(message: Message, level = 0): Message {
  const isBelowItems = message.isItem || level > 1;
  const fields = message.fields.map((field) => {
    if (isBelowItems || typeof field?.type !== "object") return undefined;
    return { ...field, type: itemsOnly(field.type, level + 1) };
  });
  return { ...message, fields };
}

/** A copy with every field but those of the faulty leaves, which come in the order of the bytes. */
function copyWithout(bytes: Uint8Array, faulty: readonly FaultyLeaf[]): Uint8Array {
  const writer = new Writer(bytes.length);
  let next = 0;
  const copy = (from: Cursor, level: number): void => {
    while (from.next()) {
      const { number, fieldStart, start, end } = from;
      if (level === scopeLevel && faulty[next]?.fieldStart === fieldStart) next++;
      else if (level < scopeLevel && number === childFields[level]) {
        writer.begin(number);
        copy(new Cursor(bytes, start, end), level + 1);
        writer.end();
      } else writer.raw(bytes.subarray(fieldStart, end));
    }
  };
  copy(new Cursor(bytes), 0);
  return writer.finish();
}
