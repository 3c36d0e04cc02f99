// Bytes that come in pieces, gathered into one buffer. It grows with what has come, not with what was
// announced: who announces 64 MiB and sends nothing costs nothing.

import { copiedBelowBytes } from "../wire/batch.ts";
import type { Buffers } from "../sockets/buffers.ts";

const startBytes = 65_536;
/** Up to here a buffer is made in full at once: the announcement costs too little to misuse it. */
const eagerBytes = 262_144;

const nothing = Buffer.alloc(0);

export class Gathered {
  #bytes: Buffer;
  #length = 0;
  readonly #announced: number;
  readonly #buffers: Buffers | undefined;

  /**
   * `announced` is how many will come, where that is known. What is kept beyond the request must not be
   * of `buffers`, which are used again: that is so for all that are not smaller than what a log copies.
   */
  constructor(announced = Infinity, buffers?: Buffers) {
    this.#announced = announced;
    this.#buffers = announced < copiedBelowBytes ? buffers : undefined;
    const size = announced <= eagerBytes ? announced : startBytes;
    this.#bytes = this.#buffers?.take(size) ?? allocate(size);
  }

  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) this.#growTo(length);
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Nobody will look at it any more. */
  release(): void {
    this.#buffers?.giveBack(this.#bytes);
    this.#bytes = nothing;
  }

  /** Pages of the new buffer that nothing was written to take no memory yet. */
  #growTo(length: number): void {
    const wanted = Math.min(this.#announced, this.#bytes.length * 2);
    const size = Math.max(length, wanted);
    const grown = allocate(size);
    const outgrown = this.#bytes;
    outgrown.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    free(outgrown);
  }
}

/** At once, since nobody else has seen it: a large request would otherwise leave as much garbage again. */
function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Not of Node's pool: what is kept until it is on disk must not keep strangers with it. */
function allocate(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}
