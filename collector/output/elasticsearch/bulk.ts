// The documents of one _bulk request and where in the log each comes from; and what is known of a delivery
// that takes several requests or attempts.

import type { Position } from "../../log/log.ts";
import { Leaves } from "../../wire/leaves.ts";
import type { Delivery, Outcome, Piece, RejectedItem } from "../output.ts";
import type { Rejected } from "./answer.ts";
import type { JsonWriter } from "./json-writer.ts";
import type { Ids } from "./members.ts";

/** Writes the documents of one signal. */
export interface Documents {
  readonly json: JsonWriter;
  /** Of the documents. */
  readonly ids: Ids;
  /** How many documents the leaf becomes that `leaves` stands on. */
  count(leaves: Leaves): number;
  /**
   * Adds the action and one document of the leaf that `leaves` stands on. Where each leaf is one document,
   * those of the leaves behind it as well, as far as that costs little; `leaves` then stands on the last.
   */
  write(leaves: Leaves, entry: Piece, wanted: Wanted): Run;
}

export interface Wanted {
  /** Which of the documents of a leaf that has several. */
  readonly part: number;
  /** Of leaves. */
  readonly most: number;
  /** Nothing more is added once `json` is as long as that. */
  readonly enough: number;
}

/** Documents of consecutive leaves. */
export interface Run {
  /** The name of the place that they go to. */
  readonly destination: string;
  readonly count: number;
  /** Where each of them ends. */
  readonly ends: { readonly [index: number]: number };
}

/** What was written last, if that is one document. */
export function alone(destination: string, { length }: JsonWriter): Run {
  return { destination, count: 1, ends: [length] };
}

/** Of a document in a delivery. */
interface Place {
  /** Among all documents of the delivery. */
  readonly number: number;
  readonly position: Position;
  /** Of its leaf, among those of its batch. */
  readonly index: number;
}

export class Bulk {
  readonly documents: Documents;
  readonly #entries: Piece[] = [];
  /** Of each document: its entry, its leaf in that, its part of that, its number, and where it ends. */
  #rows = new Int32Array(firstRows * row);
  #records = 0;
  readonly #destinations = new Set<string>();

  constructor(documents: Documents) {
    this.documents = documents;
  }

  get records(): number {
    return this.#records;
  }

  /** Indices or data streams that the documents go to. */
  get destinations(): ReadonlySet<string> {
    return this.#destinations;
  }

  /** Takes remaining documents until it has `bytes` or so many of them; false if there are none. */
  load(remaining: Remaining, bytes: number, records = Infinity): boolean {
    this.clear();
    const { documents } = this;
    const { json } = documents;
    let lastEntry: Piece | undefined;
    let last: string | undefined;
    while (json.length < bytes && this.#records < records && remaining.next()) {
      const { entry, leaves, part, number } = remaining;
      const { index } = leaves;
      const most = Math.min(remaining.consecutive, records - this.#records);
      const wanted = { part, most, enough: bytes };
      const { destination, count, ends } = documents.write(leaves, entry, wanted);
      if (destination !== last) this.#destinations.add(destination);
      last = destination;
      if (entry !== lastEntry) this.#entries.push(entry);
      lastEntry = entry;
      for (let more = 0; more < count; more++) {
        const at = this.#newRow();
        const rows = this.#rows;
        rows[at] = this.#entries.length - 1;
        rows[at + 1] = index + more;
        rows[at + 2] = part;
        rows[at + 3] = number + more;
        rows[at + 4] = ends[more]!;
      }
      remaining.number += count - 1;
    }
    return this.records > 0;
  }

  /** The lines of these documents, good until the next `load` or `clear`. */
  body(from: number, to: number): Uint8Array {
    const start = from === 0 ? 0 : this.#rows[from * row - 1]!;
    return this.documents.json.slice(start, this.#rows[to * row - 1]!);
  }

  id(record: number): string {
    const [entry, index, part] = this.#rows.subarray(record * row);
    return this.documents.ids.of(this.#entries[entry!]!, index!, part!);
  }

  number(record: number): number {
    return this.#rows[record * row + 3]!;
  }

  place(record: number): Place {
    const [entry, index] = this.#rows.subarray(record * row);
    return {
      number: this.number(record),
      position: this.#entries[entry!]!.position,
      index: index!,
    };
  }

  clear(): void {
    this.documents.json.clear();
    this.#entries.length = this.#records = 0;
    this.#destinations.clear();
  }

  #newRow(): number {
    const at = this.#records++ * row;
    if (at < this.#rows.length) return at;
    const grown = new Int32Array(this.#rows.length * 2);
    grown.set(this.#rows);
    this.#rows = grown;
    return at;
  }
}

const row = 5;
const firstRows = 2048;

export class Progress {
  /** Some of what is not settled may be stored all the same. */
  isUncertain = false;
  /** How often the question what is stored could not be answered in full. */
  incomplete = 0;
  /** It has been handed over before. */
  isBegun = false;
  /** By the numbers of documents; longer where leaves become several of them. */
  #isSettled: Uint8Array;
  readonly #isPointwise: boolean;
  /** By their leaves. */
  readonly #rejected = new Map<string, RejectedItem>();

  constructor({ items, signal }: Delivery) {
    this.#isSettled = new Uint8Array(items);
    this.#isPointwise = signal === "metrics";
  }

  /** No document of a higher number is settled. */
  highestSettled = -1;

  isSettled(number: number): boolean {
    return this.#isSettled[number] === 1;
  }

  settle(number: number): void {
    this.highestSettled = Math.max(this.highestSettled, number);
    if (number >= this.#isSettled.length) {
      const grown = new Uint8Array((number + 1) * 2);
      grown.set(this.#isSettled);
      this.#isSettled = grown;
    }
    this.#isSettled[number] = 1;
  }

  reject({ number, position, index }: Place, { reason, detail }: Rejected): void {
    this.settle(number);
    const leaf = `${position}-${index}`;
    const before = this.#rejected.get(leaf);
    if (!before) this.#rejected.set(leaf, { position, index, reason, detail });
    // A span of which several documents are refused is one span; a metric has many points.
    else if (this.#isPointwise) {
      this.#rejected.set(leaf, { ...before, items: (before.items ?? 1) + 1 });
    }
  }

  /** Once everything is settled. */
  outcome(): Outcome {
    const which = [...this.#rejected.values()];
    const [first] = which;
    if (!first) return { kind: "delivered" };
    const { reason, detail } = first;
    const items = which.reduce((sum, { items = 1 }) => sum + items, 0);
    return { kind: "rejected", reason, detail, items, which };
  }
}

const nothing: Piece = {
  position: -1,
  batch: { signal: "logs", bytes: new Uint8Array(), items: 0 },
  atMs: 0,
};

/** The documents of a delivery that are not settled, one after the other. */
export class Remaining {
  /** Of the present one. */
  number = -1;
  entry = nothing;
  leaves = new Leaves(nothing.batch);
  /** Among those of its leaf. */
  part = 0;
  readonly #entries: Delivery["entries"];
  readonly #progress: Progress;
  readonly #documents: Documents;
  #nextEntry = 0;
  #parts = 0;

  constructor({ entries }: Delivery, progress: Progress, documents: Documents) {
    this.#entries = entries;
    this.#progress = progress;
    this.#documents = documents;
  }

  /** At most so many leaves from the present one on have documents that all remain. */
  get consecutive(): number {
    return this.number > this.#progress.highestSettled ? Infinity : 1;
  }

  next(): boolean {
    do {
      this.part++;
      while (this.part >= this.#parts) {
        if (!this.#nextLeaf()) return false;
      }
      this.number++;
    } while (this.#progress.isSettled(this.number));
    return true;
  }

  #nextLeaf(): boolean {
    while (!this.leaves.next()) {
      const entry = this.#entries[this.#nextEntry++];
      if (!entry) return false;
      this.entry = entry;
      this.leaves = new Leaves(entry.batch);
    }
    this.part = 0;
    this.#parts = this.#documents.count(this.leaves);
    return true;
  }
}
