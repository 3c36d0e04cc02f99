// Splits a request into requests within limits: for destinations that take no more at a time, and to
// find the leaves that one of them refuses. Each part repeats what describes its leaves — resource,
// scope, schema URLs, fields that we do not know — and the parts, one after the other, say what the
// whole said. A metric with more points than fit becomes several metrics of the same name.

import type { Batch } from "./batch.ts";
import { Cursor } from "./cursor.ts";
import { descriptionOf } from "./extract.ts";
import { Composition } from "./composition.ts";
import { ownRoom, type Room } from "./room.ts";
import { type Piece, piecesOfMetric, type SplitLimits } from "./split-metric.ts";

export type { SplitLimits } from "./split-metric.ts";

export interface Part {
  readonly batch: Batch;
  /** Where in the whole its first leaf stands, counted as Leaves does. */
  readonly firstLeaf: number;
}

/**
 * Part by part, so that no more than one has to be held; the batch itself where it is within limits.
 * Parts are written into the room, memory of their own if there is none.
 */
export function* split(batch: Batch, limits: SplitLimits, room: Room = ownRoom): Generator<Part> {
  if (batch.items <= limits.maxItems && batch.bytes.length <= limits.maxBytes) {
    yield { batch, firstLeaf: 0 };
    return;
  }
  const part = new PartWriter(batch, limits, room);
  const groups = new Cursor(batch.bytes);
  const scopes = new Cursor(batch.bytes, 0, 0);
  const leaves = new Cursor(batch.bytes, 0, 0);
  while (groups.next()) {
    if (groups.number !== 1) {
      if (!part.hasRoomFor(0, groups.end - groups.fieldStart)) yield part.finish();
      part.addLoose(groups);
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
        if (batch.signal === "metrics") {
          for (const { items, bytes, start, end } of part.piecesOf(leaves)) {
            if (!part.hasRoomFor(items, end - start)) yield part.finish();
            part.add(items, bytes, start, end);
          }
        } else {
          const { bytes, fieldStart, end } = leaves;
          if (!part.hasRoomFor(1, end - fieldStart)) yield part.finish();
          part.add(1, bytes, fieldStart, end);
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
  readonly #room: Room;
  readonly #content = new Composition();
  #group: Level = nothing;
  #scope: Level = nothing;
  #items = 0;
  #firstLeaf = 0;
  /** What the part will take at most: lengths are known when it is done. */
  #mostBytes = 0;

  constructor(batch: Batch, limits: SplitLimits, room: Room) {
    this.#batch = batch;
    this.#limits = limits;
    this.#room = room;
  }

  get isEmpty(): boolean {
    return this.#content.isEmpty;
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
    if (this.#scope.isOpen) this.#content.end();
    this.#scope = nothing;
  }

  leaveGroup(): void {
    if (!this.#group.isWritten) this.#open();
    if (this.#group.isOpen) this.#content.end();
    this.#group = nothing;
  }

  /** The metric as it is, unless no part has room for it. */
  piecesOf(metric: Cursor): Iterable<Piece> {
    const { maxItems, maxBytes } = this.#limits;
    const around = headBytesOf(this.#group) + headBytesOf(this.#scope);
    return piecesOfMetric(metric, { maxItems, maxBytes: maxBytes - around });
  }

  hasRoomFor(items: number, bytes: number): boolean {
    if (this.isEmpty) return true;
    const more = bytes + this.#bytesToOpen();
    const { maxItems, maxBytes } = this.#limits;
    return this.#items + items <= maxItems && this.#mostBytes + more <= maxBytes;
  }

  /** A leaf, or some points of a metric. */
  add(items: number, bytes: Uint8Array, start: number, end: number): void {
    this.#open();
    this.#content.add(bytes, start, end);
    this.#mostBytes += end - start;
    this.#items += items;
  }

  /** A field of the request itself that we do not know. */
  addLoose({ bytes, fieldStart, end }: Cursor): void {
    if (this.isEmpty) this.#firstLeaf = this.leaf;
    this.#content.add(bytes, fieldStart, end);
    this.#mostBytes += end - fieldStart;
  }

  finish(): Part {
    for (const level of [this.#scope, this.#group]) {
      if (level.isOpen) this.#content.end();
      level.isOpen = false;
    }
    const { signal } = this.#batch;
    const batch = { signal, bytes: this.#content.finish(this.#room), items: this.#items };
    this.#items = this.#mostBytes = 0;
    return { batch, firstLeaf: this.#firstLeaf };
  }

  #bytesToOpen(): number {
    return bytesToOpen(this.#group) + bytesToOpen(this.#scope);
  }

  #open(): void {
    if (this.isEmpty) this.#firstLeaf = this.leaf;
    this.#mostBytes += this.#bytesToOpen();
    this.#openLevel(1, this.#group);
    this.#openLevel(2, this.#scope);
  }

  #openLevel(field: number, level: Level): void {
    if (level === nothing || level.isOpen) return;
    this.#content.begin(field);
    this.#content.add(level.description);
    level.isOpen = level.isWritten = true;
  }
}

function levelOf(group: Cursor): Level {
  return { description: descriptionOf(group), isOpen: false, isWritten: false };
}

function bytesToOpen(level: Level): number {
  return level === nothing || level.isOpen ? 0 : headBytesOf(level);
}

function headBytesOf({ description }: Level): number {
  return mostHeadBytes + description.length;
}
