// The entries that were written last, kept in memory for readers that keep up: they need neither read
// nor check again what has just been synced. Whoever is further behind reads the segments, and so does
// everybody for the entries that are too large to be copied: their memory is wanted for the next ones.

import type { Piece } from "../memory/memory.ts";
import type { Entry, Position } from "./log.ts";

export interface Kept {
  readonly entry: Entry;
  /** The memory that it lies in. */
  readonly piece: Piece;
}

export class Tail {
  readonly #maxBytes: number;
  /** One for each position, undefined where it is not kept. */
  #kept: (Kept | undefined)[] = [];
  /** How many at the front of `#kept` are forgotten already. */
  #forgotten = 0;
  /** Of the first one that is not. */
  #first: Position;
  #bytes = 0;

  /** `first` is where the log stands. */
  constructor(maxBytes: number, first: Position) {
    this.#maxBytes = maxBytes;
    this.#first = first;
  }

  /** Of the next position. Takes over one use of the piece; without one the entry is not kept. */
  push(entry: Entry, piece: Piece | undefined): void {
    const kept = piece && { entry, piece };
    this.#kept.push(kept);
    this.#bytes += sizeOf(kept);
    this.shrinkTo(this.#maxBytes);
  }

  shrinkTo(bytes: number): void {
    while (this.#bytes > bytes) this.#forgetFirst();
  }

  /** Undefined for what it does not hold, or no longer. */
  at(position: Position): Kept | undefined {
    const index = position - this.#first;
    return index >= 0 ? this.#kept[this.#forgotten + index] : undefined;
  }

  /** Whether a reader that stands at `position` finds what follows here. */
  reaches(position: Position): boolean {
    return position >= this.#first;
  }

  /** Nobody will ask for what lies before `position`. */
  forget(position: Position): void {
    while (this.#first < position && this.#forgotten < this.#kept.length) this.#forgetFirst();
  }

  #forgetFirst(): void {
    const kept = this.#kept[this.#forgotten];
    this.#bytes -= sizeOf(kept);
    kept?.piece.release();
    this.#first++;
    this.#forgotten++;
    // Half of the array at a time, or each step would move all that follow.
    if (this.#forgotten * 2 >= this.#kept.length) {
      this.#kept = this.#kept.slice(this.#forgotten);
      this.#forgotten = 0;
    }
  }
}

/** With about what the objects around the bytes take. */
const sizeOf = (kept: Kept | undefined): number => 200 + (kept?.entry.batch.bytes.length ?? 0);
