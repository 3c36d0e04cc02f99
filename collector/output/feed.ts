// Feeds one output from its reader: read, apply the steps, deliver, commit. Several slices may be on
// their way at a time, but they are committed in order, with the books as they stand behind them: what
// a crash finds is always a beginning of the log that has been dealt with, and its exact account. Only a
// final answer moves the cursor; shutdown, time and errors are none. Nothing waits for a commit: what has
// its answers meanwhile is committed together by the next one.

import { minus } from "../log/limit.ts";
import type { Log, Position, Reader, Slice } from "../log/log.ts";
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
import { type Amount, amountOf, applySteps, deliveriesOf } from "./delivery.ts";
import { Gate } from "./gate.ts";
import { insist, type InsistOptions } from "./insist.ts";
import type { Output } from "./output.ts";
import { within } from "./within.ts";

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
  readonly amount: Amount;
  /** In memory for it. */
  readonly bytes: number;
  /** What became of it; undefined until there is a final answer for all. */
  account: Account | undefined;
}

/**
 * After a small slice the next one waits for more to come, until that is no longer small. Nobody waits for
 * it, since senders have their answer already, and under many small requests it saves most of what a
 * delivery costs.
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
  /** What is not committed, in the order of the log. */
  readonly #flights: Flight[] = [];
  /** For each flight until it has landed, and what it then committed is. */
  readonly #landings = new Set<Promise<void>>();
  /** When a flight has its answers, or some were committed. */
  #change = Promise.withResolvers<void>();
  #isCommitting = false;
  /** Set when a flight has ended without a final answer, or could not be committed. */
  #isOver = false;
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
      const { amount } = this.#launch(slice);
      if (this.#isLittle(amount)) await this.#linger();
      if (!(await this.#hasRoom())) break;
    }
    await Promise.all(this.#landings);
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

  #isLittle({ items, bytes }: Amount): boolean {
    const { maxItems, maxBytes } = this.#options.output;
    return items < maxItems / 2 && bytes < maxBytes / 2;
  }

  /**
   * Waits until one more slice may be read: less than `maxInFlight` are on their way, and what is not
   * committed stays below so many of the usual size, with so many batches at most as these have items: an
   * output that has to ask what it did before a crash relies on that. False when it is time to stop.
   */
  async #hasRoom(): Promise<boolean> {
    const { maxBytes, maxItems, maxInFlight = 1 } = this.#options.output;
    const others = maxInFlight - 1;
    const isRoom = (): boolean => {
      const flying = this.#flights.filter(({ account }) => !account);
      const bytes = this.#flights.reduce((sum, flight) => sum + flight.bytes, 0);
      const isBounded = bytes <= maxBytes * others && this.#batchesInFlight <= maxItems * others;
      return flying.length < maxInFlight && isBounded;
    };
    while (!this.#isOver && !isRoom()) await this.#change.promise;
    return !this.#isOver;
  }

  #launch(slice: Slice): Flight {
    const amount = amountOf(slice.entries);
    // What the steps make of them is in memory, too.
    const bytes = this.#options.steps.length > 0 ? amount.bytes * 2 : amount.bytes;
    const flight: Flight = { slice, amount, bytes, account: undefined };
    this.#flights.push(flight);
    const landing = this.#land(flight)
      .catch((error: unknown) => {
        this.#mistake ??= { error };
        this.#isOver = true;
        this.#stop.abort();
      })
      .finally(() => {
        this.#landings.delete(landing);
        this.#changed();
      });
    this.#landings.add(landing);
    return flight;
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  async #land(flight: Flight): Promise<void> {
    flight.account = await this.#settle(flight.slice);
    if (!flight.account) this.#isOver = true;
    this.#changed();
    await this.#commitSettled();
  }

  async #commitSettled(): Promise<void> {
    if (this.#isCommitting) return; // what is under way there takes this along
    this.#isCommitting = true;
    try {
      for (let count = this.#settled; count > 0; count = this.#settled) {
        if (!(await this.#commitFirst(count))) {
          this.#isOver = true;
          break;
        }
        this.#flights.splice(0, count);
        this.#changed();
      }
    } finally {
      // At once after the last look: what has its answers between the two, nobody would commit.
      this.#isCommitting = false;
    }
  }

  async #commitFirst(count: number): Promise<boolean> {
    const flights = this.#flights.slice(0, count);
    const accounts = flights.flatMap(({ account }) => account ?? []);
    const upTo = flights.at(-1)!.slice.upTo; // there is one at least
    // In the order of the log, so that letters without their commit are the last ones of the file.
    if (!(await this.#keep(accounts.flatMap(({ letters }) => letters)))) return false;
    const lines = accounts.flatMap((account) => account.lines);
    return await this.#commit(upTo, lines);
  }

  /** How many at the front have their answers. */
  get #settled(): number {
    const flying = this.#flights.findIndex(({ account }) => !account);
    return flying < 0 ? this.#flights.length : flying;
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
        const { items } = amountOf(entries);
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

  async #commit(upTo: Position, lines: readonly Line[]): Promise<boolean> {
    const books = this.#memoBooks.copy();
    for (const line of lines) books.add(line);
    const memo = books.toMemo();
    const isDone = await insist(async () => {
      await this.reader.commit(upTo, memo);
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

  get #unread(): Amount {
    const { items: of, bytes } = this.reader.waiting;
    const unread = { items: of.traces + of.metrics + of.logs, bytes };
    for (const { amount } of this.#flights) {
      unread.items -= amount.items;
      unread.bytes -= amount.bytes;
    }
    return unread;
  }

  /** Until enough waits to be read, or for a while. */
  async #linger(): Promise<void> {
    await within({ timeoutMs: lingerMs, abort: this.#stop.signal }, async (signal) => {
      while (!signal.aborted && this.#isLittle(this.#unread)) await this.reader.grown(signal);
    });
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
