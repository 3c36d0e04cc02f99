// One pass over a batch, in which a step drops leaves and edits what is left. The three requests have one
// shape, so one walk serves them all:
//
//   request › 1 resource group › 1 resource, 2 scope group › 1 scope, 2 leaf [› 5 7 9 10 11 › 1 point]
//
// A group that has lost all its leaves goes too, since there is nothing left that it would describe.

import type { Batch } from "../wire/batch.ts";
import { Cursor } from "../wire/cursor.ts";
import type { Range } from "../wire/leaves.ts";
import type { Room } from "../wire/room.ts";
import { Edits } from "./edits.ts";
import { Item } from "./item.ts";

export interface Visitor {
  /** At the resource and the scope; `isThere` is false where the message would have to be put in. */
  resource?(item: Item, edits: Edits, isThere: boolean): void;
  scope?(item: Item, edits: Edits, isThere: boolean): void;
  /** False: drop it. Edits are made within the message. */
  leaf?(item: Item, edits: Edits): boolean;
  /** Asked for the data points of metrics, where it is there. */
  point?(item: Item, edits: Edits): boolean;
}

/** The fields of a metric that hold data points. */
export const pointFields: ReadonlySet<number> = new Set([5, 7, 9, 10, 11]);

/** For the loops of expressions, beside one for each byte, which is what a loop over all there is needs. */
const stepsPerBatch = 1_000_000;

export class Walk {
  readonly #visitor: Visitor;
  readonly #item = new Item();
  readonly #edits = new Edits();
  readonly #groups = new Cursor(new Uint8Array());
  readonly #scopes = new Cursor(new Uint8Array());
  readonly #leaves = new Cursor(new Uint8Array());
  readonly #data = new Cursor(new Uint8Array());
  readonly #points = new Cursor(new Uint8Array());
  #dropped = 0;

  constructor(visitor: Visitor) {
    this.#visitor = visitor;
  }

  apply(batch: Batch, room?: Room): Batch {
    const { bytes, signal } = batch;
    const item = this.#item;
    item.bytes = bytes;
    item.signal = signal;
    item.stepsLeft = bytes.length + stepsPerBatch;
    this.#edits.begin(bytes);
    this.#dropped = 0;
    for (const cursor of [this.#scopes, this.#leaves, this.#data, this.#points]) {
      cursor.over(0, 0, bytes);
    }
    const groups = this.#groups.over(0, bytes.length, bytes);
    while (groups.next()) if (groups.number === 1) this.#group();
    if (this.#edits.isEmpty) return batch;
    return { signal, bytes: this.#edits.finish(room), items: batch.items - this.#dropped };
  }

  #group(): void {
    const item = this.#item;
    item.resourceNumber++;
    const groups = this.#groups;
    const scopes = this.#scopes;
    describe(groups, scopes, item.resource);
    this.#edits.enter(groups);
    const isThere = item.resource.start > groups.start;
    if (!isThere) this.#visitor.resource?.(item, this.#edits, false);
    let kept = 0;
    let lost = 0;
    while (scopes.next()) {
      if (scopes.number === 2) {
        if (this.#scope()) kept++;
        else lost++;
      } else if (scopes.number === 1 && scopes.start === item.resource.start) {
        this.#edits.enter(scopes);
        this.#visitor.resource?.(item, this.#edits, true);
        this.#edits.leave();
      }
    }
    this.#leave(kept, lost);
  }

  /** False if it went. */
  #scope(): boolean {
    const item = this.#item;
    item.scopeNumber++;
    const scopes = this.#scopes;
    const leaves = this.#leaves;
    describe(scopes, leaves, item.scope);
    this.#edits.enter(scopes);
    const isThere = item.scope.start > scopes.start;
    if (!isThere) this.#visitor.scope?.(item, this.#edits, false);
    let kept = 0;
    let lost = 0;
    while (leaves.next()) {
      if (leaves.number === 2) {
        if (this.#leaf()) kept++;
        else lost++;
      } else if (leaves.number === 1 && leaves.start === item.scope.start) {
        this.#edits.enter(leaves);
        this.#visitor.scope?.(item, this.#edits, true);
        this.#edits.leave();
      }
    }
    return this.#leave(kept, lost);
  }

  #leaf(): boolean {
    const { leaf, signal } = this.#item;
    leaf.start = this.#leaves.start;
    leaf.end = this.#leaves.end;
    this.#edits.enter(this.#leaves);
    if (this.#visitor.leaf && !this.#visitor.leaf(this.#item, this.#edits)) {
      this.#dropped += signal === "metrics" ? this.#countPoints() : 1;
      this.#edits.leaveOut();
      return false;
    }
    if (signal !== "metrics" || !this.#visitor.point) {
      this.#edits.leave();
      return true;
    }
    return this.#metric();
  }

  #metric(): boolean {
    const item = this.#item;
    const data = this.#data.over(this.#leaves.start, this.#leaves.end);
    let kept = 0;
    let lost = 0;
    while (data.next()) {
      if (!pointFields.has(data.number)) continue;
      this.#edits.enter(data);
      item.pointKind = data.number;
      const points = this.#points.over(data.start, data.end);
      while (points.next()) {
        if (points.number !== 1) continue;
        item.point.start = points.start;
        item.point.end = points.end;
        this.#edits.enter(points);
        if (this.#visitor.point!(item, this.#edits)) {
          this.#edits.leave();
          kept++;
        } else {
          this.#edits.leaveOut();
          this.#dropped++;
          lost++;
        }
      }
      this.#edits.leave();
    }
    return this.#leave(kept, lost);
  }

  /** Whether what is being left is still there. */
  #leave(kept: number, lost: number): boolean {
    const isKept = kept > 0 || lost === 0;
    if (isKept) this.#edits.leave();
    else this.#edits.leaveOut();
    return isKept;
  }

  #countPoints(): number {
    let count = 0;
    const data = this.#data.over(this.#leaves.start, this.#leaves.end);
    while (data.next()) {
      if (!pointFields.has(data.number)) continue;
      const points = this.#points.over(data.start, data.end);
      while (points.next()) if (points.number === 1) count++;
    }
    return count;
  }
}

/** What describes a group may stand behind its children, so it is looked up first. */
function describe(group: Cursor, children: Cursor, described: Range): void {
  described.start = described.end = group.start;
  children.over(group.start, group.end);
  while (children.next()) {
    if (children.number !== 1) continue;
    described.start = children.start;
    described.end = children.end;
  }
  children.over(group.start, group.end);
}
