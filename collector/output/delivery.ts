// From the entries of a slice to deliveries: what the output's steps leave of each, put together up to
// the output's limits, and what is above these in parts.

import type { Entry } from "../log/log.ts";
import type { Memory } from "../memory/memory.ts";
import { Scratch } from "../memory/scratch.ts";
import type { Step } from "../step/step.ts";
import type { Batch, Signal } from "../wire/batch.ts";
import type { Room } from "../wire/room.ts";
import { split, type SplitLimits } from "../wire/split.ts";
import type { Line } from "./books.ts";
import type { Delivery, Output, Piece } from "./output.ts";

export type DeliveryLimits = Pick<Output, "maxItems" | "maxBytes" | "takesParts">;

/**
 * One after the other, so that the parts of a large batch are not all in memory: those of a delivery are
 * gone when the next one is asked for.
 */
export function* deliveriesOf(
  signal: Signal,
  pieces: readonly Piece[],
  { maxItems, maxBytes, takesParts = false }: DeliveryLimits,
  memory: Memory,
): Generator<Delivery> {
  let together: Piece[] = [];
  let items = 0;
  let bytes = 0;
  for (const piece of pieces) {
    const { batch } = piece;
    items += batch.items;
    bytes += batch.bytes.length;
    if (together.length > 0 && (items > maxItems || bytes > maxBytes)) {
      yield deliveryOf(signal, together);
      together = [];
      items = batch.items;
      bytes = batch.bytes.length;
    }
    if (takesParts && (items > maxItems || bytes > maxBytes)) {
      yield* partsAlone(piece, { maxItems, maxBytes }, memory);
      items = bytes = 0;
    } else together.push(piece);
  }
  if (together.length > 0) yield deliveryOf(signal, together);
}

/** Each part as a delivery of its own, which is gone when the next one is asked for. */
export function* partsAlone(
  piece: Piece,
  limits: SplitLimits,
  memory: Memory,
): Generator<Delivery> {
  const scratch = new Scratch(memory);
  for (const part of partsOf(piece, limits, scratch.room)) {
    yield deliveryOf(piece.batch.signal, [part]);
    // Not when nobody asks for the next one: what was given up may still be on its way out.
    scratch.release();
  }
}

export function* partsOf(piece: Piece, limits: SplitLimits, room?: Room): Generator<Piece> {
  const { position, atMs, firstLeaf = 0 } = piece;
  for (const part of split(piece.batch, limits, room)) {
    const isWhole = part.batch === piece.batch;
    yield isWhole
      ? piece
      : { position, atMs, batch: part.batch, firstLeaf: firstLeaf + part.firstLeaf };
  }
}

export function deliveryOf(signal: Signal, entries: readonly Piece[]): Delivery {
  return { signal, entries, ...amountOf(entries) };
}

export type Amount = Pick<Delivery, "items" | "bytes">;

export function amountOf(entries: readonly Entry[]): Amount {
  let items = 0;
  let bytes = 0;
  for (const { batch } of entries) {
    items += batch.items;
    bytes += batch.bytes.length;
  }
  return { items, bytes };
}

export interface Passing {
  readonly steps: readonly Step[];
  /** What the steps took away is added. */
  readonly lines: Line[];
  /** What they change is written there. */
  readonly scratch: Scratch;
  readonly memory: Memory;
}

/** What is left behind the steps. */
export function applySteps(entries: readonly Entry[], passing: Passing): readonly Entry[] {
  const { steps, scratch, memory } = passing;
  if (steps.length === 0) return entries;
  // What a step leaves for the next one is needed no longer than for that.
  const draft = steps.length === 1 ? scratch : new Scratch(memory);
  const left: Entry[] = [];
  for (const entry of entries) {
    let batch = applyTo(entry.batch, passing, draft.room);
    if (batch.items > 0 && batch === entry.batch) left.push(entry);
    else if (batch.items > 0) {
      if (draft !== scratch) batch = copyOf(batch, scratch.room);
      left.push({ ...entry, batch });
    }
    if (draft !== scratch) draft.release();
  }
  return left;
}

function copyOf(batch: Batch, room: Room): Batch {
  const bytes = room(batch.bytes.length);
  bytes.set(batch.bytes);
  return { ...batch, bytes };
}

function applyTo(given: Batch, { steps, lines }: Passing, room: Room): Batch {
  let batch = given;
  for (const step of steps) {
    if (batch.items === 0) break;
    const before = batch.items;
    batch = step.apply(batch, room);
    const items = before - batch.items;
    if (items < 0) throw new Error(`step ${step.name} made ${-items} items, which no step may`);
    const { signal } = given;
    lines.push({ signal, outcome: "filtered", reason: `step:${step.name}`, items });
  }
  return batch;
}
