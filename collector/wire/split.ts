// Splits a request into requests within limits: for destinations that take no more at a time, and to
// find the leaves that one of them refuses. Each part repeats what describes its leaves — resource,
// scope, schema URLs, fields that we do not know — and the parts, one after the other, say what the
// whole said. A metric with more points than fit becomes several metrics of the same name.

import type { Batch } from "./batch.ts";
import { Cursor } from "./cursor.ts";
import { descriptionOf } from "./extract.ts";
import { type Piece, piecesOfMetric, type SplitLimits } from "./split-metric.ts";
import { Writer } from "./writer.ts";

export type { SplitLimits } from "./split-metric.ts";

export interface Part {
  readonly batch: Batch;
  /** Where in the whole its first leaf stands, counted as Leaves does. */
  readonly firstLeaf: number;
}

/** Part by part, so that no more than one has to be held; the batch itself where it is within limits. */
export function* split(batch: Batch, limits: SplitLimits): Generator<Part> {
  if (batch.items <= limits.maxItems && batch.bytes.length <= limits.maxBytes) {
    yield { batch, firstLeaf: 0 };
    return;
  }
  const part = new PartWriter(batch, limits);
  const groups = new Cursor(batch.bytes);
  const scopes = new Cursor(batch.bytes, 0, 0);
  const leaves = new Cursor(batch.bytes, 0, 0);
  while (groups.next()) {
    if (groups.number !== 1) {
      const field = batch.bytes.subarray(groups.fieldStart, groups.end);
      if (!part.hasRoomFor(0, field.length)) yield part.finish();
      part.addLoose(field);
      continue;
    }
    part.enterGroup(groups);
    scopes.over(groups.start, groups.end);
    while (scopes.next()) {
      if (scopes.number !== 2) continue;
      part.enterScope(scopes);
      leaves.over(scopes.start, scopes.end);
      while (leaves.next()) {
        if (leaves.number !== 2) continue;
        for (const piece of part.piecesOf(leaves)) {
          if (!part.hasRoomFor(piece.items, piece.field.length)) yield part.finish();
          part.add(piece);
        }
        part.leaf++;
      }
      if (!part.hasRoomFor(0, 0)) yield part.finish();
      part.leaveScope();
    }
    if (!part.hasRoomFor(0, 0)) yield part.finish();
    part.leaveGroup();
  }
  if (!part.isEmpty) yield part.finish();
}

/** A tag of one byte and a length of at most five. */
const mostHeadBytes = 6;

/** A group of leaves that is being gone through: all from one resource, or all from one scope. */
interface Level {
  readonly description: Uint8Array;
  /** Whether the present part has begun with it. */
  isOpen: boolean;
  /** Whether any part has: one without leaves must not be left out. */
  isWritten: boolean;
}

const nothing: Level = { description: new Uint8Array(), isOpen: false, isWritten: true };

class PartWriter {
  /** How many leaves have been passed. */
  leaf = 0;
  readonly #batch: Batch;
  readonly #limits: SplitLimits;
  readonly #writer = new Writer();
  #group: Level = nothing;
  #scope: Level = nothing;
  #items = 0;
  #firstLeaf = 0;
  /** What the part will take at most: lengths are known when it is done. */
  #mostBytes = 0;

  constructor(batch: Batch, limits: SplitLimits) {
    this.#batch = batch;
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#writer.length === 0;
  }

  enterGroup(group: Cursor): void {
    this.#group = levelOf(group);
    this.#scope = nothing;
  }

  enterScope(scope: Cursor): void {
    this.#scope = levelOf(scope);
  }

  leaveScope(): void {
    if (!this.#scope.isWritten) this.#open();
    if (this.#scope.isOpen) this.#writer.end();
    this.#scope = nothing;
  }

  leaveGroup(): void {
    if (!this.#group.isWritten) this.#open();
    if (this.#group.isOpen) this.#writer.end();
    this.#group = nothing;
  }

  /** The leaf as it is, unless it is a metric that no part has room for. */
  piecesOf(leaf: Cursor): Iterable<Piece> {
    const field = leaf.bytes.subarray(leaf.fieldStart, leaf.end);
    if (this.#batch.signal !== "metrics") return [{ field, items: 1 }];
    const { maxItems, maxBytes } = this.#limits;
    const around = headBytesOf(this.#group) + headBytesOf(this.#scope);
    return piecesOfMetric(leaf, { maxItems, maxBytes: maxBytes - around });
  }

  hasRoomFor(items: number, bytes: number): boolean {
    if (this.isEmpty) return true;
    const more = bytes + this.#bytesToOpen();
    const { maxItems, maxBytes } = this.#limits;
    return this.#items + items <= maxItems && this.#mostBytes + more <= maxBytes;
  }

  add({ field, items }: Piece): void {
    this.#open();
    this.#writer.raw(field);
    this.#mostBytes += field.length;
    this.#items += items;
  }

  /** A field of the request itself that we do not know. */
  addLoose(field: Uint8Array): void {
    if (this.isEmpty) this.#firstLeaf = this.leaf;
    this.#writer.raw(field);
    this.#mostBytes += field.length;
  }

  finish(): Part {
    for (const level of [this.#scope, this.#group]) {
      if (level.isOpen) this.#writer.end();
      level.isOpen = false;
    }
    const { signal } = this.#batch;
    const batch = { signal, bytes: this.#writer.finish(), items: this.#items };
    this.#items = this.#mostBytes = 0;
    return { batch, firstLeaf: this.#firstLeaf };
  }

  #bytesToOpen(): number {
    const levels = [this.#group, this.#scope].filter((level) => level !== nothing && !level.isOpen);
    return levels.reduce((sum, level) => sum + headBytesOf(level), 0);
  }

  #open(): void {
    if (this.isEmpty) this.#firstLeaf = this.leaf;
    this.#mostBytes += this.#bytesToOpen();
    for (const [field, level] of [
      [1, this.#group],
      [2, this.#scope],
    ] as const) {
      if (level === nothing || level.isOpen) continue;
      this.#writer.begin(field);
      this.#writer.raw(level.description);
      level.isOpen = level.isWritten = true;
    }
  }
}

function levelOf(group: Cursor): Level {
  return { description: descriptionOf(group), isOpen: false, isWritten: false };
}

function headBytesOf({ description }: Level): number {
  return mostHeadBytes + description.length;
}
