// Bytes that come in pieces, gathered into one piece of memory. It grows with what has come, not with
// what was announced: who announces 64 MiB and sends nothing costs nothing.

import type { Memory, Piece } from "./memory.ts";

const startBytes = 65_536;
/** Up to here the memory is taken in full at once: the announcement costs too little to misuse it. */
const eagerBytes = 262_144;
/** Who has sent so much is believed that the rest will come, too: it need not be copied again. */
const earnestBytes = 1 << 20;

export class Gathered {
  readonly #memory: Memory;
  readonly #announced: number;
  #piece: Piece | undefined;
  #length = 0;

  /** `announced` is how many will come, where that is known. */
  constructor(memory: Memory, announced = Infinity) {
    this.#memory = memory;
    this.#announced = announced;
    this.#piece = memory.take(announced <= eagerBytes ? announced : startBytes);
  }

  get length(): number {
    return this.#length;
  }

  add(bytes: Buffer, start = 0, end = bytes.length): void {
    const length = this.#length + end - start;
    if (length > this.#buffer.length) this.#growTo(length);
    bytes.copy(this.#buffer, this.#length, start, end);
    this.#length = length;
  }

  /** What has come; valid until it is released. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Nobody will look at it any more. */
  release(): void {
    this.#piece?.release();
    this.#piece = undefined;
  }

  get #buffer(): Buffer {
    return this.#piece!.buffer; // nothing is asked of it once it was released
  }

  #growTo(length: number): void {
    const isEarnest = length > earnestBytes && this.#announced < Infinity;
    const wanted = isEarnest ? this.#announced : this.#buffer.length * 2;
    const grown = this.#memory.take(Math.max(length, Math.min(this.#announced, wanted)));
    this.#buffer.copy(grown.buffer, 0, 0, this.#length);
    this.release();
    this.#piece = grown;
  }
}
