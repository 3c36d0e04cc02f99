// Memory for several things that are written one after the other and all of whose bytes are needed
// until the same moment.

import type { Memory, Piece } from "./memory.ts";

/** Of a usual piece. */
const pieceBytes = 256 << 10;

export class Scratch {
  readonly #memory: Memory;
  readonly #pieces: Piece[] = [];
  /** Of the last piece. */
  #filled = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** So many bytes, of any content. */
  readonly room = (bytes: number): Uint8Array => {
    let piece = this.#pieces.at(-1);
    if (!piece || this.#filled + bytes > piece.buffer.length) {
      piece = this.#memory.take(Math.max(pieceBytes, bytes));
      this.#pieces.push(piece);
      this.#filled = 0;
    }
    const start = this.#filled;
    this.#filled += bytes;
    return piece.buffer.subarray(start, this.#filled);
  };

  /**
   * All at once; what comes next begins anew. Where somebody may still read what was written, as the
   * system may of a request that was given up, it is left to the garbage collector instead.
   */
  release(): void {
    for (const piece of this.#pieces) piece.release();
    this.#pieces.length = 0;
    this.#filled = 0;
  }
}
