// Brings a delivery to its end: hands it over until there is a final answer, takes apart what was refused
// as a whole to find what is wrong with it, and writes the dead letters about that.

import type { Memory } from "../memory/memory.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import type { Line } from "./books.ts";
import { type DeadLetter, lettersOf, type Rejected } from "./dead-letter.ts";
import { deliveryOf, partsAlone } from "./delivery.ts";
import type { Gate } from "./gate.ts";
import type { Delivery, Outcome, Output, Reason, RejectedItem } from "./output.ts";

export interface CourierOptions {
  readonly name: string;
  readonly output: Output;
  readonly gate: Gate;
  readonly incidents: Incidents;
  readonly memory: Memory;
  /** Ends a delivery under way. */
  readonly cut: AbortSignal;
}

/** What became of a slice, item by item. */
export interface Account {
  readonly lines: Line[];
  /** To be on disk before the slice is committed. */
  readonly letters: DeadLetter[];
}

/**
 * So many refusals in a row, and nothing taken between them, say that it is not some records that are
 * wrong. What is refused of the batch after that is kept as it is, not taken apart: to a destination that
 * refuses everything, each batch costs so many requests and not twice as many as it has items.
 */
const mostRefusalsInARow = 64;

/** Of one batch that is taken apart. */
interface Search {
  refusalsInARow: number;
}

export class Courier {
  readonly #options: CourierOptions;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** What became of it is entered. False if it was stopped before there was a final answer. */
  async carry(delivery: Delivery, account: Account, search?: Search): Promise<boolean> {
    const { signal, items } = delivery;
    const outcome = await this.#options.gate.pass(() => this.#attempt(delivery));
    if (!outcome) return false;
    if (outcome.kind === "delivered") {
      if (search) search.refusalsInARow = 0;
      account.lines.push({ signal, outcome: "delivered", reason: "", items });
      return true;
    }
    const searching = search ?? { refusalsInARow: 0 };
    const isOneBatch = delivery.entries.length === 1;
    let isApart = false;
    for (const part of this.#takeApart(delivery, outcome, searching)) {
      isApart = true;
      if (!(await this.carry(part, account, isOneBatch ? searching : undefined))) return false;
    }
    if (!isApart) this.#enter(delivery, outcome, account);
    return true;
  }

  async #attempt(delivery: Delivery): Promise<Outcome> {
    try {
      return await this.#options.output.deliver(delivery, this.#options.cut);
    } catch (error) {
      this.#options.incidents.outputFailed(this.#options.name, error);
      return { kind: "retry", reason: "server_error", detail: String(error) };
    }
  }

  /**
   * In halves: first the batches, then a batch's items. None where it stays as it is. A half of a batch is
   * gone when the other one is asked for.
   */
  *#takeApart(delivery: Delivery, rejected: Rejected, search: Search): Generator<Delivery> {
    if (!isWhole(delivery, rejected)) return;
    const { signal, entries, items } = delivery;
    const [only] = entries;
    if (entries.length > 1) {
      const middle = Math.ceil(entries.length / 2);
      yield deliveryOf(signal, entries.slice(0, middle));
      yield deliveryOf(signal, entries.slice(middle));
      return;
    }
    search.refusalsInARow++;
    const isOver = search.refusalsInARow > mostRefusalsInARow;
    const { output, memory } = this.#options;
    const isDivisible = output.takesParts && aboutContent.has(rejected.reason);
    if (!only || !isDivisible || items < 2 || isOver) return;
    const limits = { maxItems: Math.ceil(items / 2), maxBytes: Infinity };
    for (const part of partsAlone(only, limits, memory)) {
      if (part.items === items) return; // all of them in one item that cannot be split
      yield part;
    }
  }

  #enter(delivery: Delivery, given: Rejected, { lines, letters }: Account): void {
    const { signal } = delivery;
    // A server may say anything of how many it refused; the books must balance all the same.
    const rejected = { ...given, items: Math.min(given.items, delivery.items) };
    letters.push(...lettersOf(delivery, rejected));
    for (const { reason, items } of countsOf(rejected)) {
      lines.push({ signal, outcome: "rejected", reason, items });
      const { detail } = rejected;
      this.#options.incidents.itemsRejected(this.#options.name, { items, reason, detail });
    }
    const items = delivery.items - rejected.items;
    lines.push({ signal, outcome: "delivered", reason: "", items });
  }
}

/** The reasons that lie in some of the items, or in their number. */
const aboutContent: ReadonlySet<Reason> = new Set<Reason>(["bad_data", "too_large"]);

/** A partial success is about what was taken too, even if it says that this is nothing. */
function isWhole(delivery: Delivery, { which, reason, items }: Rejected): boolean {
  return !which && reason !== "partial_success" && items >= delivery.items;
}

function countsOf({ reason, items, which }: Rejected): { reason: Reason; items: number }[] {
  if (!which) return [{ reason, items }];
  const counts = new Map<Reason, number>();
  for (const { reason, items = 1 } of which satisfies readonly RejectedItem[]) {
    counts.set(reason, (counts.get(reason) ?? 0) + items);
  }
  return [...counts].map(([known, count]) => ({ reason: known, items: count }));
}
