// What became of every item, kept per output. They are stored with the output's cursor in one write, so
// that appended = delivered + filtered + rejected + dropped + waiting holds at any time, also after a crash.

import { noItems, type PerSignal, type Signal, signals } from "../wire/batch.ts";
import type { Reason } from "./output.ts";

export type Outcome = "delivered" | "filtered" | "rejected" | "dropped";

export interface Line {
  readonly signal: Signal;
  readonly outcome: Outcome;
  readonly reason: Reason | "";
  readonly items: number;
}

export class Books {
  /** What the log had taken when the output began. */
  readonly began: PerSignal;
  readonly #lines = new Map<string, Line>();

  private constructor(began: PerSignal) {
    this.began = began;
  }

  static begin(began: PerSignal): Books {
    return new Books({ ...began });
  }

  static fromMemo(memo: string): Books {
    const { began, lines } = JSON.parse(memo) as Stored; // written by toMemo()
    const books = new Books(began);
    for (const line of lines) books.add(line);
    return books;
  }

  copy(): Books {
    const copy = new Books(this.began);
    for (const line of this.#lines.values()) copy.add(line);
    return copy;
  }

  toMemo(): string {
    const stored: Stored = { began: this.began, lines: [...this.#lines.values()] };
    return JSON.stringify(stored);
  }

  get lines(): Iterable<Line> {
    return this.#lines.values();
  }

  add(line: Line): void {
    if (line.items === 0) return;
    const key = `${line.signal} ${line.outcome} ${line.reason}`;
    const items = (this.#lines.get(key)?.items ?? 0) + line.items;
    this.#lines.set(key, { ...line, items });
  }

  /** The sum over all outcomes. */
  total(): PerSignal {
    const total = noItems();
    for (const { signal, items } of this.#lines.values()) total[signal] += items;
    return total;
  }
}

interface Stored {
  readonly began: PerSignal;
  readonly lines: readonly Line[];
}

/** How many items an output has taken or refused itself, by the books that a memo holds. */
export function settledBy(memo: string | undefined, signal: Signal): number {
  let items = 0;
  for (const line of memo ? Books.fromMemo(memo).lines : []) {
    const isOfOutput = line.outcome === "delivered" || line.outcome === "rejected";
    if (line.signal === signal && isOfOutput) items += line.items;
  }
  return items;
}

/** What the log had taken where a reader stands. */
export function passedBy(appended: PerSignal, waiting: PerSignal): PerSignal {
  const passed = noItems();
  for (const signal of signals) passed[signal] = appended[signal] - waiting[signal];
  return passed;
}
