// From the entries of a slice to deliveries: what the output's steps leave of each, put together up to
// the output's limits, and what is above these in parts.

import type { Entry } from "../log/log.ts";
import type { Step } from "../step/step.ts";
import type { Signal } from "../wire/batch.ts";
import { split } from "../wire/split.ts";
import type { Line } from "./books.ts";
import type { Delivery, Output, Piece } from "./output.ts";

export type DeliveryLimits = Pick<Output, "maxItems" | "maxBytes" | "takesParts">;

/** One after the other, so that the parts of a large batch are not all in memory. */
export function* deliveriesOf(
  signal: Signal,
  pieces: readonly Piece[],
  { maxItems, maxBytes, takesParts = false }: DeliveryLimits,
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
      for (const part of partsOf(piece, { maxItems, maxBytes })) yield deliveryOf(signal, [part]);
      items = bytes = 0;
    } else together.push(piece);
  }
  if (together.length > 0) yield deliveryOf(signal, together);
}

export function* partsOf(
  piece: Piece,
  limits: Pick<DeliveryLimits, "maxItems" | "maxBytes">,
): Generator<Piece> {
  const { position, atMs, firstLeaf = 0 } = piece;
  for (const part of split(piece.batch, limits)) {
    const isWhole = part.batch === piece.batch;
    yield isWhole
      ? piece
      : { position, atMs, batch: part.batch, firstLeaf: firstLeaf + part.firstLeaf };
  }
}

export function deliveryOf(signal: Signal, entries: readonly Piece[]): Delivery {
  let items = 0;
  let bytes = 0;
  for (const { batch } of entries) {
    items += batch.items;
    bytes += batch.bytes.length;
  }
  return { signal, entries, items, bytes };
}

/** What is left behind the steps; what they took away is added to `lines`. */
export function applySteps(
  entries: readonly Entry[],
  steps: readonly Step[],
  lines: Line[],
): readonly Entry[] {
  if (steps.length === 0) return entries;
  const left: Entry[] = [];
  for (const entry of entries) {
    const batch = applyTo(entry.batch, steps, lines);
    if (batch.items > 0) left.push(batch === entry.batch ? entry : { ...entry, batch });
  }
  return left;
}

function applyTo(given: Entry["batch"], steps: readonly Step[], lines: Line[]): Entry["batch"] {
  let batch = given;
  for (const step of steps) {
    if (batch.items === 0) break;
    const before = batch.items;
    batch = step.apply(batch);
    const items = before - batch.items;
    if (items < 0) throw new Error(`step ${step.name} made ${-items} items, which no step may`);
    const { signal } = given;
    lines.push({ signal, outcome: "filtered", reason: `step:${step.name}`, items });
  }
  return batch;
}
