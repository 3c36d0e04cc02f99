// Memory for what passes through the log, used again once nobody needs what is in it. Buffers that are
// left to the garbage collector come back late and cost a collection of the whole heap: a reader of
// 1 GiB held over 200 MiB of them at a time.

export class Pieces {
  /** Of a usual piece. */
  readonly sizeBytes: number;
  readonly #mostUnused: number;
  readonly #unused: Piece[] = [];

  constructor({
    sizeBytes,
    keptBytes,
  }: {
    readonly sizeBytes: number;
    readonly keptBytes: number;
  }) {
    this.sizeBytes = sizeBytes;
    this.#mostUnused = Math.ceil(keptBytes / sizeBytes);
  }

  /** With one user. */
  take(atLeastBytes = 0): Piece {
    if (atLeastBytes > this.sizeBytes) return new Piece(atLeastBytes);
    const piece = this.#unused.pop() ?? new Piece(this.sizeBytes, this);
    piece.retain();
    return piece;
  }

  /** For a piece that nobody uses any more. */
  keep(piece: Piece): void {
    if (this.#unused.length < this.#mostUnused) this.#unused.push(piece);
  }
}

export class Piece {
  readonly buffer: Buffer;
  readonly #pieces: Pieces | undefined;
  #users = 0;

  /** Without `pieces` it is used once. */
  constructor(sizeBytes: number, pieces?: Pieces) {
    this.buffer = Buffer.allocUnsafeSlow(sizeBytes);
    this.#pieces = pieces;
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#pieces?.keep(this);
  }
}
