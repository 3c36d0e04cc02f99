// Bytes that come in pieces, gathered into one buffer. It grows with what has come, not with what was
// announced: who announces 64 MiB and sends nothing costs nothing.

const startBytes = 65_536;
/** Up to here a buffer is made in full at once: the announcement costs too little to misuse it. */
const eagerBytes = 262_144;

export class Gathered {
  #bytes: Buffer;
  #length = 0;
  readonly #announced: number;

  /** `announced` is how many will come, where that is known. */
  constructor(announced = Infinity) {
    this.#announced = announced;
    this.#bytes = allocate(announced <= eagerBytes ? announced : startBytes);
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

  /** Pages of the new buffer that nothing was written to take no memory yet. */
  #growTo(length: number): void {
    const wanted = Math.min(this.#announced, this.#bytes.length * 2);
    const size = Math.max(length, wanted);
    const grown = allocate(size);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Not of Node's pool: what is kept until it is on disk must not keep strangers with it. */
function allocate(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}
