// The entries that were written last, kept in memory for readers that keep up: they need neither read
// nor check again what has just been synced. Whoever is further behind reads the segments.

import type { Entry, Position } from "./log.ts";
import type { Piece } from "./pieces.ts";

export interface Kept {
  readonly entry: Entry;
  /** The memory that it lies in; undefined for memory that is its own. */
  readonly piece: Piece | undefined;
}

export class Tail {
  readonly #maxBytes: number;
  #kept: Kept[] = [];
  /** How many at the front of `#kept` are forgotten already. */
  #forgotten = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes over one use of the piece. */
  push(entry: Entry, piece: Piece | undefined): void {
    this.#kept.push({ entry, piece });
    this.#bytes += sizeOf(entry);
    while (this.#bytes > this.#maxBytes) this.#forgetFirst();
  }

  /** Undefined for what it does not hold, or no longer. */
  at(position: Position): Kept | undefined {
    const first = this.#kept[this.#forgotten]?.entry.position ?? Infinity;
    return position >= first ? this.#kept[this.#forgotten + position - first] : undefined;
  }

  /** Nobody will ask for what lies before `position`. */
  forget(position: Position): void {
    for (;;) {
      const first = this.#kept[this.#forgotten];
      if (!first || first.entry.position >= position) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const { entry, piece } = this.#kept[this.#forgotten]!;
    this.#bytes -= sizeOf(entry);
    piece?.release();
    this.#forgotten++;
    // Half of the array at a time, or each step would move all that follow.
    if (this.#forgotten * 2 >= this.#kept.length) {
      this.#kept = this.#kept.slice(this.#forgotten);
      this.#forgotten = 0;
    }
  }
}

/** With about what the objects around the bytes take. */
const sizeOf = ({ batch }: Entry): number => batch.bytes.length + 200;
