// Feeds one output from its reader: read, deliver, retry until there is a final answer, keep what was
// refused, commit. Only a final answer moves the cursor; shutdown, time and errors are none.

import { setTimeout as sleep } from "node:timers/promises";
import { minus } from "../log/limit.ts";
import type { Log, Reader, Slice } from "../log/log.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { type Signal, signals } from "../wire/batch.ts";
import { extractLeaf } from "../wire/extract.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { Books, passedBy } from "./books.ts";
import type { DeadLetter, DeadLetters } from "./dead-letters.ts";
import type { Delivery, Outcome, Output, RejectedItem } from "./output.ts";

export interface FeedOptions {
  readonly name: string;
  readonly log: Log;
  readonly reader: Reader;
  readonly output: Output;
  readonly deadLetters: DeadLetters;
  readonly incidents: Incidents;
  readonly backoff?: BackoffOptions;
}

export interface Failure {
  readonly sinceMs: number;
  readonly atMs: number;
  readonly reason: string;
  readonly detail: string;
}

type Rejected = Extract<Outcome, { kind: "rejected" }>;

/**
 * After a small delivery the next one waits for more to come. Nobody waits for it, since senders have
 * their answer already, and under many small requests it saves most of what a delivery costs.
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
  readonly #backoff: Backoff;
  /** The books that a memo holds, not to read them again. */
  #known: { readonly memo: string | undefined; readonly books: Books };
  /** Ends waiting: for data, for the next try. */
  readonly #stop = new AbortController();
  /** Ends a delivery under way. */
  readonly #cut = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.name = options.name;
    this.reader = options.reader;
    this.#backoff = new Backoff(options.backoff ?? usualBackoff);
    this.#known = { memo: this.reader.memo, books: openBooks(options) };
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
      if (!(await this.#handle(slice))) return;
      if (this.#isSmall(slice)) await this.#pause(lingerMs);
    }
  }

  /** Undefined when it is time to stop. */
  async #read(): Promise<Slice | undefined> {
    for (;;) {
      try {
        return await this.#next();
      } catch (error) {
        this.#fail("server_error", `the log cannot be read: ${String(error)}`);
        this.#options.incidents.outputFailed(this.name, error);
        if (!(await this.#pause(this.#backoff.nextMs()))) return undefined;
      }
    }
  }

  #isSmall({ entries }: Slice): boolean {
    const items = entries.reduce((sum, { batch }) => sum + batch.items, 0);
    return items < this.#options.output.maxItems / 2;
  }

  #next(): Promise<Slice | undefined> {
    const { maxItems, maxBytes } = this.#options.output;
    // While stopping, data that stands ready is still read, but not waited for.
    const isMore = this.reader.waiting.batches > 0 && !this.#cut.signal.aborted;
    const signal = isMore ? this.#cut.signal : this.#stop.signal;
    return this.reader.next({ maxItems, maxBytes, signal });
  }

  /** False if it was stopped before the slice had its final answers. */
  async #handle(slice: Slice): Promise<boolean> {
    const books = this.#memoBooks.copy();
    for (const signal of signals) {
      const items = slice.lost[signal];
      books.add({ signal, outcome: "dropped", reason: "damaged", items });
      for (const delivery of deliveriesOf(slice, signal)) {
        if (!(await this.#deliver(delivery, books))) return false;
      }
    }
    return await this.#commit(slice, books);
  }

  async #commit(slice: Slice, books: Books): Promise<boolean> {
    const memo = books.toMemo();
    for (;;) {
      try {
        await this.reader.commit(slice.upTo, memo);
        this.#known = { memo, books };
        return true;
      } catch (error) {
        this.#options.incidents.outputFailed(this.name, error);
        if (!(await this.#pause(this.#backoff.nextMs()))) return false;
      }
    }
  }

  async #deliver(delivery: Delivery, books: Books): Promise<boolean> {
    const { signal, items } = delivery;
    if (!this.#options.output.wants.includes(signal)) {
      books.add({ signal, outcome: "filtered", reason: "not_wanted", items });
      return true;
    }
    for (;;) {
      const outcome = await this.#attempt(delivery);
      switch (outcome.kind) {
        case "delivered":
          this.#succeed();
          books.add({ signal, outcome: "delivered", reason: "", items });
          return true;
        case "rejected":
          this.#succeed();
          return await this.#reject(delivery, outcome, books);
        case "retry":
          this.#fail(outcome.reason, outcome.detail);
          if (!(await this.#pause(this.#backoff.nextMs(outcome.afterMs)))) return false;
      }
    }
  }

  async #attempt(delivery: Delivery): Promise<Outcome> {
    try {
      return await this.#options.output.deliver(delivery, this.#cut.signal);
    } catch (error) {
      this.#options.incidents.outputFailed(this.name, error);
      return { kind: "retry", reason: "server_error", detail: String(error) };
    }
  }

  async #reject(delivery: Delivery, rejected: Rejected, books: Books): Promise<boolean> {
    const isWhole = !rejected.which && rejected.items >= delivery.items;
    if (isWhole && delivery.entries.length > 1) {
      // One bad batch must not take its neighbours with it.
      for (const entry of delivery.entries) {
        if (!(await this.#deliver(deliveryOf(delivery.signal, [entry]), books))) return false;
      }
      return true;
    }
    const { signal } = delivery;
    const letters = rejected.which
      ? rejected.which.map((item) => letterOfItem(delivery, item))
      : lettersOfBatches(delivery, rejected);
    if (!(await this.#keep(letters))) return false;
    for (const { reason, items } of lines(rejected)) {
      books.add({ signal, outcome: "rejected", reason, items });
      const { detail } = rejected;
      this.#options.incidents.itemsRejected(this.name, { items, reason, detail });
    }
    books.add({
      signal,
      outcome: "delivered",
      reason: "",
      items: delivery.items - rejected.items,
    });
    return true;
  }

  /** False if it was stopped before the letters were on disk. */
  async #keep(letters: readonly DeadLetter[]): Promise<boolean> {
    for (;;) {
      try {
        const isKept = await this.#options.deadLetters.write(letters);
        if (!isKept) this.#options.incidents.deadLettersFull(this.name, letters.length);
        return true;
      } catch (error) {
        this.#options.incidents.outputFailed(this.name, error);
        if (!(await this.#pause(this.#backoff.nextMs()))) return false;
      }
    }
  }

  #fail(reason: string, detail: string): void {
    const now = Date.now();
    this.failure = { sinceMs: this.failure?.sinceMs ?? now, atMs: now, reason, detail };
    this.lastFailure = this.failure;
    if (!this.#stop.signal.aborted)
      this.#options.incidents.outputRetries(this.name, reason, detail);
  }

  #succeed(): void {
    this.#backoff.reset();
    if (!this.failure) return;
    this.failure = undefined;
    this.#options.incidents.outputRecovered(this.name);
  }

  /** False when it is time to stop. */
  async #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stop;
    await sleep(ms, undefined, { signal }).catch(() => {});
    return !signal.aborted;
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

function deliveryOf(signal: Signal, entries: Delivery["entries"]): Delivery {
  let items = 0;
  let bytes = 0;
  for (const { batch } of entries) {
    items += batch.items;
    bytes += batch.bytes.length;
  }
  return { signal, entries, items, bytes };
}

/** None or one: a slice is within the limits of a delivery already. */
function deliveriesOf(slice: Slice, signal: Signal): readonly Delivery[] {
  const entries = slice.entries.filter(({ batch }) => batch.signal === signal);
  return entries.length === 0 ? [] : [deliveryOf(signal, entries)];
}

function letterOfItem({ signal, entries }: Delivery, item: RejectedItem): DeadLetter {
  const { position, index, items = 1, reason, detail } = item;
  const entry = entries.find((candidate) => candidate.position === position);
  const bytes = entry && extractLeaf(entry.batch.bytes, index);
  const request = Buffer.from(bytes ?? []).toString("base64");
  return { at: now(), signal, reason, detail, position, index, items, request };
}

function lettersOfBatches({ signal, entries }: Delivery, rejected: Rejected): DeadLetter[] {
  const { reason, detail } = rejected;
  return entries.map(({ position, batch }) => {
    const request = Buffer.from(batch.bytes).toString("base64");
    return { at: now(), signal, reason, detail, position, items: batch.items, request };
  });
}

function lines({
  reason,
  items,
  which,
}: Rejected): Pick<RejectedItem & Rejected, "reason" | "items">[] {
  if (!which) return [{ reason, items }];
  const counts = new Map<Rejected["reason"], number>();
  for (const { reason, items = 1 } of which) counts.set(reason, (counts.get(reason) ?? 0) + items);
  return [...counts].map(([known, count]) => ({ reason: known, items: count }));
}

const now = (): string => new Date().toISOString();
