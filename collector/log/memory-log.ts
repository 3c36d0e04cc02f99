// The log in memory: the reference that says in few lines what every log does, and the log of those who
// accept that a crash loses what waits.

import { randomBytes } from "node:crypto";
import { type Batch, noItems, type PerSignal } from "../wire/batch.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { laggards, minus, nothingSkipped, plus, type Skipped, type WhenFull } from "./limit.ts";
import type { Entry, Limits, Log, Position, Reader, Slice, Waiting } from "./log.ts";
import { owned, Refused } from "./log.ts";
import { Waiters } from "./waiters.ts";

export interface MemoryLogOptions {
  readonly maxBytes: number;
  readonly whenFull?: WhenFull;
  /** Told of what an output misses because the log is full. */
  readonly incidents?: Incidents;
  readonly nowMs?: () => number;
}

export class MemoryLog implements Log {
  readonly id = randomBytes(8).toString("hex");
  readonly appended: PerSignal = noItems();
  readonly #maxBytes: number;
  readonly #whenFull: WhenFull;
  readonly #incidents: Incidents | undefined;
  readonly #nowMs: () => number;
  readonly #readers = new Map<string, MemoryReader>();
  /** Those from `#first` on: what some reader has not committed. */
  #entries: Entry[] = [];
  #first: Position = 0;
  #bytes = 0;
  #isClosed = false;

  constructor({ maxBytes, whenFull = "skip", incidents, nowMs = Date.now }: MemoryLogOptions) {
    this.#maxBytes = maxBytes;
    this.#whenFull = whenFull;
    this.#incidents = incidents;
    this.#nowMs = nowMs;
  }

  async append(batch: Batch): Promise<Position> {
    if (this.#isClosed) throw new Refused("closed", "the collector is shutting down");
    const size = batch.bytes.length;
    const limit = `log_max_bytes is ${this.#maxBytes}`;
    if (size > this.#maxBytes) {
      throw new Refused("too_large", `a request of ${size} bytes, but ${limit}`);
    }
    if (this.#whenFull === "skip") this.#makeRoom(size);
    if (this.#bytes + size > this.#maxBytes) {
      throw new Refused(
        "full",
        `the log is full: ${this.#bytes} bytes wait for an output, ${limit}`,
      );
    }
    const position = this.head;
    this.#entries.push({ position, batch: owned(batch), atMs: this.#nowMs() });
    this.#bytes += size;
    this.appended[batch.signal] += batch.items;
    for (const reader of this.#readers.values()) reader.wake();
    return position;
  }

  mostWaitingFor(bytes: number): number {
    return this.#maxBytes - bytes;
  }

  async reader(name: string): Promise<Reader> {
    if (this.#readers.has(name)) throw new Error(`the log has a reader "${name}" already`);
    const reader = new MemoryReader(name, this);
    this.#readers.set(name, reader);
    return reader;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const reader of this.#readers.values()) reader.wake();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get first(): Position {
    return this.#first;
  }

  get head(): Position {
    return this.#first + this.#entries.length;
  }

  at(position: Position): Entry | undefined {
    return this.#entries[position - this.#first];
  }

  /** What some reader has not committed, oldest first, up to what is there now. */
  async *held(): AsyncGenerator<Entry> {
    const { head } = this;
    for (let position = this.#first; position < head; position++) {
      const entry = this.at(position);
      if (entry) yield entry;
    }
  }

  /** Moves on those that stand at the oldest batch while others have passed it. */
  #makeRoom(size: number): void {
    const missed = new Map<string, number>();
    while (this.#bytes + size > this.#maxBytes) {
      const oldest = this.#entries[0];
      const late = laggards(this.#readers.values(), this.#first + 1);
      if (!oldest || late.length === 0) break;
      for (const reader of late) {
        reader.skip(oldest, this.head + 1);
        missed.set(reader.name, (missed.get(reader.name) ?? 0) + 1);
      }
      this.forget();
    }
    for (const [name, count] of missed) this.#incidents?.logSkipped(name, `${count} batches`);
  }

  /** Forgets what every reader has committed. */
  forget(): void {
    let passed = this.head;
    for (const reader of this.#readers.values()) passed = Math.min(passed, reader.committedUpTo);
    for (const { batch } of this.#entries.splice(0, passed - this.#first)) {
      this.#bytes -= batch.bytes.length;
    }
    this.#first = passed;
  }
}

class MemoryReader implements Reader {
  readonly name: string;
  memo: string | undefined;
  committedUpTo: Position;
  readonly #log: MemoryLog;
  readonly #waiters = new Waiters();
  readonly #handedOut: { readonly upTo: Position; readonly items: PerSignal }[] = [];
  #at: Position;
  #skipped: Skipped = nothingSkipped;

  constructor(name: string, log: MemoryLog) {
    this.name = name;
    this.#log = log;
    this.#at = this.committedUpTo = log.first;
  }

  get waiting(): Waiting {
    const items = noItems();
    let bytes = 0;
    let position = this.committedUpTo;
    for (let entry = this.#log.at(position); entry; entry = this.#log.at(++position)) {
      items[entry.batch.signal] += entry.batch.items;
      bytes += entry.batch.bytes.length;
    }
    const oldestAtMs = this.#log.at(this.committedUpTo)?.atMs;
    return { items, batches: position - this.committedUpTo, bytes, oldestAtMs };
  }

  get skipped(): PerSignal {
    return this.#skipped.items;
  }

  get isCatchingUp(): boolean {
    return this.committedUpTo < this.#skipped.until;
  }

  async next(limits: Limits): Promise<Slice | undefined> {
    while (!this.#log.isClosed && !limits.signal.aborted) {
      const entries = this.#upTo(limits);
      const last = entries.at(-1);
      if (last) {
        const from = this.#at;
        this.#at = last.position + 1;
        this.#handedOut.push({ upTo: this.#at, items: itemsOf(entries) });
        return { from, upTo: this.#at, entries, lost: noItems() };
      }
      await this.#waiters.wait(limits.signal);
    }
    return undefined;
  }

  async commit(upTo: Position, memo: string): Promise<void> {
    const index = this.#handedOut.findIndex((slice) => slice.upTo === upTo);
    if (index < 0) throw new Error(`commit of ${upTo}, which ends no slice that is handed out`);
    const done = this.#handedOut.splice(0, index + 1).map(({ items }) => items);
    // Of what is committed only now, the cursor may have been moved past a part, or all.
    const passed = this.#itemsUpTo(upTo);
    const items = done.reduce(minus, plus(this.#skipped.items, passed));
    this.#skipped = { ...this.#skipped, items };
    this.committedUpTo = Math.max(upTo, this.committedUpTo);
    this.memo = memo;
    this.#log.forget();
  }

  /** Moves on past the batch at which it stands. */
  skip({ position, batch }: Entry, until: Position): void {
    const items = { ...this.#skipped.items };
    items[batch.signal] += batch.items;
    this.#skipped = { items, until };
    this.committedUpTo = position + 1;
    this.#at = Math.max(this.#at, this.committedUpTo);
  }

  /** From the cursor on. */
  #itemsUpTo(upTo: Position): PerSignal {
    const entries: Entry[] = [];
    for (let position = this.committedUpTo; position < upTo; position++) {
      const entry = this.#log.at(position);
      if (entry) entries.push(entry);
    }
    return itemsOf(entries);
  }

  grown(signal: AbortSignal): Promise<void> {
    return this.#waiters.wait(signal);
  }

  wake(): void {
    this.#waiters.wake();
  }

  #upTo({ maxItems, maxBytes }: Limits): readonly Entry[] {
    const entries: Entry[] = [];
    let items = 0;
    let bytes = 0;
    let position = this.#at;
    for (let entry = this.#log.at(position); entry; entry = this.#log.at(++position)) {
      items += entry.batch.items;
      bytes += entry.batch.bytes.length;
      if (entries.length > 0 && (items > maxItems || bytes > maxBytes)) break;
      entries.push(entry);
    }
    return entries;
  }
}

function itemsOf(entries: readonly Entry[]): PerSignal {
  const items = noItems();
  for (const { batch } of entries) items[batch.signal] += batch.items;
  return items;
}
