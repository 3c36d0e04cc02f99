// The entries that were written last, kept in memory for readers that keep up: they need neither read
// nor check again what has just been synced. Whoever is further behind reads the segments.

import type { Entry, Position } from "./log.ts";

export class Tail {
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  /** How many at the front of `#entries` are forgotten already. */
  #forgotten = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
    while (this.#bytes > this.#maxBytes) this.#forgetFirst();
  }

  /** Undefined for what it does not hold, or no longer. */
  at(position: Position): Entry | undefined {
    const first = this.#entries[this.#forgotten];
    return first && position >= first.position
      ? this.#entries[this.#forgotten + position - first.position]
      : undefined;
  }

  /** Nobody will ask for what lies before `position`. */
  forget(position: Position): void {
    for (;;) {
      const first = this.#entries[this.#forgotten];
      if (!first || first.position >= position) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    this.#bytes -= sizeOf(this.#entries[this.#forgotten]!);
    this.#forgotten++;
    // Half of the array at a time, or each step would move all that follow.
    if (this.#forgotten * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#forgotten);
      this.#forgotten = 0;
    }
  }
}

/** With about what the objects around the bytes take. */
const sizeOf = ({ batch }: Entry): number => batch.bytes.length + 200;
