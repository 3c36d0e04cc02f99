// The records of one _bulk request and where in the log each comes from; and what is known of a delivery
// that takes several requests or attempts.

import type { Entry, Position } from "../../log/log.ts";
import { Leaves } from "../../wire/leaves.ts";
import type { Delivery, Outcome, RejectedItem } from "../output.ts";
import type { Rejected } from "./answer.ts";
import type { Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { JsonWriter } from "./json-writer.ts";
import { LogDocuments } from "./log-documents.ts";

/** Of a record in a delivery. */
interface Place {
  /** Among all records of the delivery. */
  readonly number: number;
  readonly position: Position;
  /** Among those of its batch. */
  readonly index: number;
}

/** What is kept of the buffer between deliveries. */
const keptBytes = 16 * 1024 * 1024;

export class Bulk {
  readonly #json = new JsonWriter();
  readonly #documents: LogDocuments;
  readonly #places: Place[] = [];
  /** Where each record ends. */
  readonly #ends: number[] = [];
  /** Where the id of each begins and ends, quotes included. */
  readonly #ids: number[] = [];
  readonly #destinations = new Set<string>();

  constructor(destinations: Destinations, names: FieldNames, logId: string) {
    this.#documents = new LogDocuments(this.#json, { destinations, names, logId });
  }

  get records(): number {
    return this.#places.length;
  }

  /** Indices or data streams that the records go to. */
  get destinations(): ReadonlySet<string> {
    return this.#destinations;
  }

  /** Takes remaining records until it has `bytes` or so many of them; false if there are none. */
  load(remaining: Remaining, bytes: number, records = Infinity): boolean {
    this.clear();
    while (this.#json.length < bytes && this.records < records && remaining.next()) {
      const { entry, leaves, number } = remaining;
      const { destination, id } = this.#documents.write(leaves, entry);
      this.#destinations.add(destination);
      this.#ids.push(id.start, id.end);
      this.#places.push({ number, position: entry.position, index: leaves.index });
      this.#ends.push(this.#json.length);
    }
    return this.records > 0;
  }

  /** The lines of these records, good until the next `load` or `clear`. */
  body(from: number, to: number): Uint8Array {
    return this.#json.slice(from === 0 ? 0 : this.#ends[from - 1]!, this.#ends[to - 1]!);
  }

  id(record: number): string {
    const json = this.#json.slice(this.#ids[record * 2]!, this.#ids[record * 2 + 1]!);
    return JSON.parse(json.toString()) as string; // a text is what was written there
  }

  place(record: number): Place {
    return this.#places[record]!;
  }

  clear(): void {
    this.#json.clear(keptBytes);
    this.#places.length = this.#ends.length = this.#ids.length = 0;
    this.#destinations.clear();
  }
}

export class Progress {
  /** Some of what is not settled may be stored all the same. */
  isUncertain = false;
  /** How often the question what is stored could not be answered in full. */
  incomplete = 0;
  /** It has been handed over before. */
  isBegun = false;
  readonly #isSettled: Uint8Array;
  readonly #rejected: RejectedItem[] = [];

  constructor({ items }: Delivery) {
    this.#isSettled = new Uint8Array(items);
  }

  isSettled(number: number): boolean {
    return this.#isSettled[number] === 1;
  }

  settle({ number }: Place): void {
    this.#isSettled[number] = 1;
  }

  reject(place: Place, { reason, detail }: Rejected): void {
    this.settle(place);
    this.#rejected.push({ position: place.position, index: place.index, reason, detail });
  }

  /** Once everything is settled. */
  outcome(): Outcome {
    const first = this.#rejected[0];
    if (!first) return { kind: "delivered" };
    const { reason, detail } = first;
    const items = this.#rejected.length;
    return { kind: "rejected", reason, detail, items, which: this.#rejected };
  }
}

const nothing: Entry = {
  position: -1,
  batch: { signal: "logs", bytes: new Uint8Array(), items: 0 },
  atMs: 0,
};

/** The records of a delivery that are not settled, one after the other. */
export class Remaining {
  /** Of the present one. */
  number = -1;
  entry = nothing;
  leaves = new Leaves(nothing.batch);
  readonly #entries: Delivery["entries"];
  readonly #progress: Progress;
  #nextEntry = 0;

  constructor({ entries }: Delivery, progress: Progress) {
    this.#entries = entries;
    this.#progress = progress;
  }

  next(): boolean {
    do {
      while (!this.leaves.next()) {
        const entry = this.#entries[this.#nextEntry++];
        if (!entry) return false;
        this.entry = entry;
        this.leaves = new Leaves(entry.batch);
      }
      this.number++;
    } while (this.#progress.isSettled(this.number));
    return true;
  }
}
