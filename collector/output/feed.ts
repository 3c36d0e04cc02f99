// Feeds one output from its reader: read, apply the steps, deliver, commit. Several slices may be on
// their way at a time, but they are committed in order, each with the books as they stand with it: what
// a crash finds is always a beginning of the log that has been dealt with, and its exact account. Only a
// final answer moves the cursor; shutdown, time and errors are none.

import { setTimeout as sleep } from "node:timers/promises";
import { minus } from "../log/limit.ts";
import type { Log, Reader, Slice } from "../log/log.ts";
import { Memory } from "../memory/memory.ts";
import { Scratch } from "../memory/scratch.ts";
import type { Step } from "../step/step.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { signals } from "../wire/batch.ts";
import type { BackoffOptions } from "./backoff.ts";
import { Books, type Line, passedBy } from "./books.ts";
import { type Account, Courier } from "./courier.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { applySteps, deliveriesOf } from "./delivery.ts";
import { Gate } from "./gate.ts";
import { insist, type InsistOptions } from "./insist.ts";
import type { Output } from "./output.ts";

export interface FeedOptions {
  readonly name: string;
  readonly log: Log;
  readonly reader: Reader;
  readonly output: Output;
  /** What stands between the log and the output, in this order. */
  readonly steps: readonly Step[];
  readonly deadLetters: DeadLetters;
  readonly incidents: Incidents;
  readonly backoff?: BackoffOptions;
  /** For what is made of the batches on their way. */
  readonly memory?: Memory;
}

export interface Failure {
  readonly sinceMs: number;
  readonly atMs: number;
  readonly reason: string;
  readonly detail: string;
}

/** A slice on its way. */
interface Flight {
  readonly slice: Slice;
  readonly bytes: number;
  /** Whether it was committed; false if it was stopped before. */
  readonly isCommitted: Promise<boolean>;
}

/**
 * After a small slice the next one waits for more to come. Nobody waits for it, since senders have their
 * answer already, and under many small requests it saves most of what a delivery costs.
 */
const lingerMs = 50;

const usualBackoff: BackoffOptions = { firstMs: 500, mostMs: 30_000, random: Math.random };

export class Feed {
  readonly name: string;
  readonly reader: Reader;
  /** Set while the destination does not take what it is given. */
  failure: Failure | undefined;
  /** The last one, also after it has passed. */
  lastFailure: Failure | undefined;
  readonly #options: FeedOptions;
  readonly #memory: Memory;
  readonly #courier: Courier;
  readonly #onDisk: InsistOptions;
  /** The books that a memo holds, not to read them again. */
  #known: { readonly memo: string | undefined; readonly books: Books };
  /** In the order of the log. */
  readonly #flights: Flight[] = [];
  /** Ends waiting: for data, for the next try. */
  readonly #stop = new AbortController();
  /** Ends a delivery under way. */
  readonly #cut = new AbortController();
  #running: Promise<void> | undefined;
  #mistake: { readonly error: unknown } | undefined;

  constructor(options: FeedOptions) {
    const { name, reader, output, incidents, backoff = usualBackoff } = options;
    this.#options = options;
    this.name = name;
    this.reader = reader;
    this.#known = { memo: reader.memo, books: openBooks(options) };
    const stop = this.#stop.signal;
    const failed = (error: unknown): void => incidents.outputFailed(name, error);
    this.#onDisk = { backoff, stop, failed };
    const gate = new Gate({
      backoff,
      stop,
      closed: ({ reason, detail }) => this.#fail(reason, detail),
      reopened: () => this.#recover(),
    });
    const cut = this.#cut.signal;
    this.#memory = options.memory ?? new Memory();
    const memory = this.#memory;
    this.#courier = new Courier({ name, output, gate, incidents, memory, cut });
  }

  /** Always those that belong to the reader's present cursor. */
  get books(): Books {
    return withSkipped(this.#memoBooks, this.reader);
  }

  /** Without what the reader was moved past: it keeps that itself, since it may have to take it back. */
  get #memoBooks(): Books {
    const { memo } = this.reader;
    return memo && memo !== this.#known.memo ? Books.fromMemo(memo) : this.#known.books;
  }

  start(): void {
    // What is thrown here is our own mistake. The cursor stays, so nothing is lost; health shows it.
    this.#running = this.#run().catch((error: unknown) => {
      this.#fail("server_error", `stopped by an internal error: ${String(error)}`);
      this.#options.incidents.outputFailed(this.name, error);
    });
  }

  /** Delivers what waits and can be delivered before the deadline; the rest stays in the log. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stop.abort();
    const cut = (): void => this.#cut.abort();
    if (deadline.aborted) cut();
    deadline.addEventListener("abort", cut, { once: true });
    await this.#running;
    deadline.removeEventListener("abort", cut);
    await this.#options.output.close();
    await this.#options.deadLetters.close();
  }

  async #run(): Promise<void> {
    for (let slice = await this.#read(); slice; slice = await this.#read()) {
      this.#launch(slice);
      if (this.#isSmall(slice)) await this.#pause(lingerMs);
      if (!(await this.#hasRoom())) break;
    }
    await Promise.all(this.#flights.map(({ isCommitted }) => isCommitted));
    if (this.#mistake) throw this.#mistake.error;
  }

  /** Undefined when it is time to stop. */
  async #read(): Promise<Slice | undefined> {
    let hasFailed = false;
    const failed = (error: unknown): void => {
      hasFailed = true;
      this.#fail("server_error", `the log cannot be read: ${String(error)}`);
      this.#onDisk.failed(error);
    };
    const slice = await insist(() => this.#next(), { ...this.#onDisk, failed });
    if (hasFailed && slice) this.#recover();
    return slice;
  }

  #next(): Promise<Slice | undefined> {
    const { maxItems, maxBytes } = this.#options.output;
    // While stopping, data that stands ready is still read, but not waited for.
    const isMore = this.reader.waiting.batches > this.#batchesInFlight && !this.#cut.signal.aborted;
    const signal = isMore ? this.#cut.signal : this.#stop.signal;
    return this.reader.next({ maxItems, maxBytes, signal });
  }

  get #batchesInFlight(): number {
    const first = this.#flights[0];
    const last = this.#flights.at(-1);
    return first && last ? last.slice.upTo - first.slice.from : 0;
  }

  #isSmall({ entries }: Slice): boolean {
    const { maxItems, maxBytes } = this.#options.output;
    const items = entries.reduce((sum, { batch }) => sum + batch.items, 0);
    return items < maxItems / 2 && bytesOf(entries) < maxBytes / 2;
  }

  /**
   * Waits until one more slice may be read: what has been read and is not committed stays below
   * `maxInFlight` slices of the usual size. False when it is time to stop.
   */
  async #hasRoom(): Promise<boolean> {
    const { maxBytes, maxInFlight = 1 } = this.#options.output;
    for (let first = this.#flights[0]; first; first = this.#flights[0]) {
      const bytes = this.#flights.reduce((sum, flight) => sum + flight.bytes, 0);
      const isRoom = this.#flights.length < maxInFlight && bytes <= maxBytes * (maxInFlight - 1);
      if (isRoom) return true;
      if (!(await first.isCommitted)) return false;
    }
    return true;
  }

  #launch(slice: Slice): void {
    const before = this.#flights.at(-1)?.isCommitted ?? Promise.resolve(true);
    const isCommitted = this.#fly(slice, before).catch((error: unknown) => {
      this.#mistake ??= { error };
      this.#stop.abort();
      return false;
    });
    const bytes = bytesOf(slice.entries);
    // What the steps make of them is in memory, too.
    const held = this.#options.steps.length > 0 ? bytes * 2 : bytes;
    this.#flights.push({ slice, bytes: held, isCommitted });
  }

  async #fly(slice: Slice, before: Promise<boolean>): Promise<boolean> {
    const account = await this.#settle(slice);
    if (!(await before) || !account) return false;
    // In the order of the log, so that letters without their commit are the last ones of the file.
    if (!(await this.#keep(account.letters))) return false;
    if (!(await this.#commit(slice, account.lines))) return false;
    this.#flights.shift();
    return true;
  }

  /** What became of each item; undefined if it was stopped before there was a final answer for all. */
  async #settle(slice: Slice): Promise<Account | undefined> {
    const { output, steps } = this.#options;
    const account: Account = { lines: [], letters: [] };
    const { lines } = account;
    const memory = this.#memory;
    const scratch = new Scratch(memory);
    for (const signal of signals) {
      lines.push({ signal, outcome: "dropped", reason: "damaged", items: slice.lost[signal] });
      const entries = slice.entries.filter(({ batch }) => batch.signal === signal);
      if (!output.wants.includes(signal)) {
        const items = entries.reduce((sum, { batch }) => sum + batch.items, 0);
        lines.push({ signal, outcome: "filtered", reason: "not_wanted", items });
        continue;
      }
      const left = applySteps(entries, { steps, lines, scratch, memory });
      for (const delivery of deliveriesOf(signal, left, output, memory)) {
        // What is cut off may still be on its way out, so its memory is not used again.
        if (!(await this.#courier.carry(delivery, account))) return undefined;
      }
    }
    scratch.release();
    return account;
  }

  /** False if it was stopped before the letters were on disk. */
  async #keep(letters: readonly DeadLetter[]): Promise<boolean> {
    if (letters.length === 0) return true;
    const { deadLetters, incidents } = this.#options;
    const kept = await insist(() => deadLetters.write(letters), this.#onDisk);
    if (kept === undefined) return false;
    const lost = letters.length - kept;
    if (lost > 0) incidents.deadLettersFull(this.name, lost);
    return true;
  }

  async #commit(slice: Slice, lines: readonly Line[]): Promise<boolean> {
    const books = this.#memoBooks.copy();
    for (const line of lines) books.add(line);
    const memo = books.toMemo();
    const isDone = await insist(async () => {
      await this.reader.commit(slice.upTo, memo);
      return true;
    }, this.#onDisk);
    if (!isDone) return false;
    this.#known = { memo, books };
    return true;
  }

  #fail(reason: string, detail: string): void {
    const now = Date.now();
    this.failure = { sinceMs: this.failure?.sinceMs ?? now, atMs: now, reason, detail };
    this.lastFailure = this.failure;
    if (!this.#stop.signal.aborted)
      this.#options.incidents.outputRetries(this.name, reason, detail);
  }

  #recover(): void {
    if (!this.failure) return;
    this.failure = undefined;
    this.#options.incidents.outputRecovered(this.name);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

/**
 * An output that was taken out of the configuration and put back finds that the log has gone on without
 * it: what it has missed is entered as dropped.
 */
function openBooks({ log, reader }: FeedOptions): Books {
  const passed = minus(passedBy(log.appended, reader.waiting.items), reader.skipped);
  if (!reader.memo) return Books.begin(passed);
  const books = Books.fromMemo(reader.memo);
  const done = books.total();
  for (const signal of signals) {
    const items = passed[signal] - books.began[signal] - done[signal];
    books.add({ signal, outcome: "dropped", reason: "not_configured", items });
  }
  return books;
}

function withSkipped(books: Books, { skipped }: Reader): Books {
  if (signals.every((signal) => skipped[signal] === 0)) return books;
  const copy = books.copy();
  for (const signal of signals) {
    copy.add({ signal, outcome: "dropped", reason: "log_full", items: skipped[signal] });
  }
  return copy;
}

function bytesOf(entries: Slice["entries"]): number {
  return entries.reduce((sum, { batch }) => sum + batch.bytes.length, 0);
}
