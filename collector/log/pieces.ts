// The memory that segments are read into, used again once nobody needs what is in it. Buffers that are
// left to the garbage collector come back late: a reader of 1 GiB held over 200 MiB of them at a time.

export const pieceBytes = 256 << 10;

export interface Piece {
  readonly buffer: Buffer;
  /** Who reads from it; with none left it may be filled anew. */
  users: number;
}

/** What one reader keeps at most for another time. */
const mostKept = 32;

export class Pieces {
  readonly #unused: Buffer[] = [];

  /** With one user. */
  take(sizeBytes: number): Piece {
    if (sizeBytes > pieceBytes) return { buffer: Buffer.allocUnsafeSlow(sizeBytes), users: 1 };
    return { buffer: this.#unused.pop() ?? Buffer.allocUnsafeSlow(pieceBytes), users: 1 };
  }

  release(piece: Piece): void {
    piece.users--;
    if (piece.users > 0 || piece.buffer.length !== pieceBytes) return;
    if (this.#unused.length < mostKept) this.#unused.push(piece.buffer);
  }
}
