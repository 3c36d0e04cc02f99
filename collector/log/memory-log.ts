// The log in memory: the reference that says in few lines what every log does, and the log of those who
// accept that a crash loses what waits.

import { randomBytes } from "node:crypto";
import { type Batch, noItems, type PerSignal } from "../wire/batch.ts";
import type { Entry, Limits, Log, Position, Reader, Slice, Waiting } from "./log.ts";
import { copiedBelowBytes, Refused } from "./log.ts";
import { Waiters } from "./waiters.ts";

export interface MemoryLogOptions {
  readonly maxBytes: number;
  readonly nowMs?: () => number;
}

export class MemoryLog implements Log {
  readonly id = randomBytes(8).toString("hex");
  readonly appended: PerSignal = noItems();
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  readonly #readers = new Map<string, MemoryReader>();
  /** Those from `#first` on: what some reader has not committed. */
  #entries: Entry[] = [];
  #first: Position = 0;
  #bytes = 0;
  #isClosed = false;

  constructor({ maxBytes, nowMs = Date.now }: MemoryLogOptions) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  async append(batch: Batch): Promise<Position> {
    if (this.#isClosed) throw new Refused("closed", "the collector is shutting down");
    const size = batch.bytes.length;
    const limit = `log_max_bytes is ${this.#maxBytes}`;
    if (size > this.#maxBytes) {
      throw new Refused("too_large", `a request of ${size} bytes, but ${limit}`);
    }
    if (this.#bytes + size > this.#maxBytes) {
      throw new Refused(
        "full",
        `the log is full: ${this.#bytes} bytes wait for an output, ${limit}`,
      );
    }
    const position = this.head;
    const isCopied = size < copiedBelowBytes;
    const kept = isCopied ? { ...batch, bytes: Buffer.from(batch.bytes) } : batch;
    this.#entries.push({ position, batch: kept, atMs: this.#nowMs() });
    this.#bytes += size;
    this.appended[batch.signal] += batch.items;
    for (const reader of this.#readers.values()) reader.wake();
    return position;
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
  readonly #handedOut: Position[] = [];
  #at: Position;

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

  async next(limits: Limits): Promise<Slice | undefined> {
    while (!this.#log.isClosed && !limits.signal.aborted) {
      const entries = this.#upTo(limits);
      const last = entries.at(-1);
      if (last) {
        const from = this.#at;
        this.#at = last.position + 1;
        this.#handedOut.push(this.#at);
        return { from, upTo: this.#at, entries, lost: noItems() };
      }
      await this.#waiters.wait(limits.signal);
    }
    return undefined;
  }

  async commit(upTo: Position, memo: string): Promise<void> {
    const index = this.#handedOut.indexOf(upTo);
    if (index < 0) throw new Error(`commit of ${upTo}, which ends no slice that is handed out`);
    this.#handedOut.splice(0, index + 1);
    this.committedUpTo = upTo;
    this.memo = memo;
    this.#log.forget();
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
