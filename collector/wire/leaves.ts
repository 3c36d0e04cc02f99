// The leaves of a request — spans, metrics or log records — one after the other, with the resource and
// scope that each belongs to. The three requests have one shape, so one walk serves them all.
//
//   request › 1 resource group › 1 resource, 2 scope group › 1 scope, 2 leaf, 3 schema URL

import type { Batch } from "./batch.ts";
import { Cursor } from "./cursor.ts";

/** A stretch of the batch's bytes; empty where the message is absent. */
export interface Range {
  start: number;
  end: number;
}

export class Leaves {
  readonly bytes: Uint8Array;
  /** Of the present leaf. For logs and traces, its place in the batch as the books count items. */
  index = -1;
  start = 0;
  end = 0;
  readonly resource: Range = { start: 0, end: 0 };
  readonly scope: Range = { start: 0, end: 0 };
  /** They change when the resource or the scope does, so that what was read from it can be kept. */
  resourceNumber = -1;
  scopeNumber = -1;
  readonly #groups: Cursor;
  readonly #scopes: Cursor;
  readonly #leaves: Cursor;
  readonly #look: Cursor;

  constructor(batch: Pick<Batch, "bytes">) {
    this.bytes = batch.bytes;
    this.#groups = new Cursor(batch.bytes);
    this.#scopes = new Cursor(batch.bytes, 0, 0);
    this.#leaves = new Cursor(batch.bytes, 0, 0);
    this.#look = new Cursor(batch.bytes, 0, 0);
  }

  next(): boolean {
    while (!this.#nextIn(this.#leaves)) {
      while (!this.#nextIn(this.#scopes)) {
        if (!this.#nextGroup()) return false;
      }
      this.#enter(this.#scopes, this.#leaves, this.scope);
      this.scopeNumber++;
    }
    this.index++;
    this.start = this.#leaves.start;
    this.end = this.#leaves.end;
    return true;
  }

  /** Where the present leaf's field begins, tag included. */
  get fieldStart(): number {
    return this.#leaves.fieldStart;
  }

  /** Where the group ends that it stands in. */
  get groupEnd(): number {
    return this.#scopes.end;
  }

  /** For who has read on in the present group: over so many leaves, of which the last one ends there. */
  skip(count: number, end: number): void {
    this.index += count;
    this.start = this.end = end;
    this.#leaves.skipTo(end);
  }

  #nextGroup(): boolean {
    while (this.#groups.next()) {
      if (this.#groups.number !== 1) continue;
      this.#enter(this.#groups, this.#scopes, this.resource);
      this.resourceNumber++;
      return true;
    }
    return false;
  }

  /** Both kinds of group hold their children in field 2. */
  #nextIn(cursor: Cursor): boolean {
    while (cursor.next()) if (cursor.number === 2) return true;
    return false;
  }

  /** What describes a group may stand behind its children, so it is looked up first. */
  #enter(group: Cursor, children: Cursor, described: Range): void {
    described.start = described.end = group.start;
    const look = this.#look.over(group.start, group.end);
    while (look.next()) {
      if (look.number === 1) {
        described.start = look.start;
        described.end = look.end;
      }
      look.passOver(childTag);
    }
    children.over(group.start, group.end);
  }
}

const childTag = 0x12;

/** For who needs the fields themselves, tags included. False as soon as `visit` says so. */
export function everyLeaf(
  bytes: Uint8Array,
  visit: (leaf: Cursor, scope: Cursor, group: Cursor) => boolean,
): boolean {
  const groups = new Cursor(bytes);
  const scopes = new Cursor(bytes, 0, 0);
  const leaves = new Cursor(bytes, 0, 0);
  while (groups.next()) {
    if (groups.number !== 1) continue;
    scopes.over(groups.start, groups.end);
    while (scopes.next()) {
      if (scopes.number !== 2) continue;
      leaves.over(scopes.start, scopes.end);
      while (leaves.next()) {
        if (leaves.number === 2 && !visit(leaves, scopes, groups)) return false;
      }
    }
  }
  return true;
}
