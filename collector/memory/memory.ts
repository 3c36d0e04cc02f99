// Memory for what passes through, used again once nobody needs what is in it. Buffers that are left to
// the garbage collector come back late, after some 60 MiB of them, and cost a collection of the whole
// heap; large ones leave holes behind that the system does not get back either.
//
// A piece counts its users. When the last one has let go of it, its bytes belong to whoever takes it
// next, so nobody may look at them any more, nor have the system read or write them.

export interface MemoryOptions {
  /** The most that is kept for later while nobody uses it. */
  readonly keptBytes?: number;
  /** Called with what nobody uses any more: tests overwrite it, to find who still looks at it. */
  readonly unused?: (buffer: Buffer) => void;
}

const usualKeptBytes = 32 << 20;
/**
 * What is unused goes back to the system before more is asked of it, or each kind of use would keep its
 * own peak. But so much may stay, since what is asked for varies all the time.
 */
const spareBytes = 4 << 20;

export class Memory {
  readonly #keptBytes: number;
  readonly #unused: ((buffer: Buffer) => void) | undefined;
  /** By their sizes; each list begins with the piece that has been unused longest. */
  readonly #shelves: readonly Piece[][] = Array.from({ length: sizes }, () => []);
  #unusedBytes = 0;
  #clock = 0;

  constructor({ keptBytes = usualKeptBytes, unused }: MemoryOptions = {}) {
    this.#keptBytes = keptBytes;
    this.#unused = unused;
  }

  /** What is kept and not in use. */
  get unusedBytes(): number {
    return this.#unusedBytes;
  }

  /** At least so many bytes, of any content, with one user. */
  take(bytes: number): Piece {
    const size = sizeFor(bytes);
    const piece = this.#shelves[size]!.pop();
    if (piece) this.#unusedBytes -= piece.buffer.length;
    else this.#shrinkTo(Math.max(spareBytes, this.#unusedBytes - bytesOf(size)));
    const taken = piece ?? new Piece(this, size);
    taken.retain();
    return taken;
  }

  /** For a piece that has no user any more. */
  keep(piece: Piece): void {
    this.#unused?.(piece.buffer);
    this.#shelves[piece.size]!.push(piece);
    piece.unusedSince = this.#clock++;
    this.#unusedBytes += piece.buffer.length;
    this.#shrinkTo(this.#keptBytes);
  }

  #shrinkTo(mostBytes: number): void {
    while (this.#unusedBytes > mostBytes) {
      const piece = this.#longestUnused();
      this.#unusedBytes -= piece.buffer.length;
      free(piece.buffer);
    }
  }

  #longestUnused(): Piece {
    const since = (shelf: readonly Piece[]): number => shelf[0]?.unusedSince ?? Infinity;
    const oldest = this.#shelves.reduce((one, other) => (since(other) < since(one) ? other : one));
    return oldest.shift()!; // there is one, or there would be no unused bytes
  }
}

export class Piece {
  readonly buffer: Buffer;
  /** The number of its size. */
  readonly size: number;
  /** While it has no users: when it became so, by the memory's own count. */
  unusedSince = 0;
  readonly #memory: Memory;
  #users = 0;

  constructor(memory: Memory, size: number) {
    this.#memory = memory;
    this.size = size;
    this.buffer = Buffer.allocUnsafeSlow(bytesOf(size));
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#memory.keep(this);
    else if (this.#users < 0) throw new Error("a piece of memory was released too often");
  }
}

/**
 * At once, not when it is found to be garbage; whoever still looks at it finds it empty. Only for memory
 * that is all its own, which small buffers of Node's are not, and that no thread reads or writes.
 */
export function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

// ── sizes ────────────────────────────────────────────────────────────────────────────────────────
//
// From 4 KiB on by twice as much, from 256 KiB on in quarters of that: 256, 320, 384, 448, 512, 640, …

const smallestBits = 12;
const quarteredBits = 18;
const smallSizes = quarteredBits - smallestBits;
/** Up to 4 GiB, far above what a request may have. */
const sizes = smallSizes + (32 - quarteredBits) * 4 + 1;

/** The number of the smallest size that is enough. */
function sizeFor(bytes: number): number {
  if (bytes <= 1 << smallestBits) return 0;
  const bits = 32 - Math.clz32(bytes - 1);
  if (bits <= quarteredBits) return bits - smallestBits;
  const quarter = bits - 3; // of the size of which this is at most twice as much
  const quarters = Math.ceil(bytes / (1 << quarter)) - 4;
  return smallSizes + (bits - 1 - quarteredBits) * 4 + quarters;
}

function bytesOf(size: number): number {
  if (size < smallSizes) return 1 << (smallestBits + size);
  const quarters = (size - smallSizes) % 4;
  const bits = quarteredBits + (size - smallSizes - quarters) / 4;
  return (1 << (bits - 2)) * (4 + quarters);
}
