// What has been appended and is not written yet. Payloads are laid out as they will stand in the file,
// each with room for its head before it, so that a group of them is written in few pieces; and since
// they are copied here at once, whoever appends may use his memory again. Large ones are written from
// where they lie, so that memory has to wait until they are.

import type { Memory, Piece } from "../memory/memory.ts";
import { type Batch, copiedBelowBytes } from "../wire/batch.ts";
import type { Position, Refused } from "./log.ts";
import { headBytes } from "./segment.ts";

/** How whoever appends learns what became of it. */
export interface Settle {
  readonly resolve: (position: Position) => void;
  readonly reject: (refused: Refused) => void;
}

/** An append that waits for its group to be synced. */
export interface Pending extends Settle {
  readonly batch: Batch;
  readonly head: Buffer;
  /** Where head and payload lie side by side; undefined where the payload is the sender's own memory. */
  readonly piece: Piece | undefined;
}

/** Bounds what one fdatasync waits for, and the vectors of one write. */
const groupBytes = 16 << 20;
const groupBatches = 400;
/** Of memory: much larger than what is copied into it, so that little of it stays empty. */
const pieceBytes = 512 << 10;

export class Inbox {
  /** Heads included. */
  sizeBytes = 0;
  #waiting: Pending[] = [];
  readonly #memory: Memory;
  #piece: Piece | undefined;
  #filled = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get isGroup(): boolean {
    return this.sizeBytes >= groupBytes || this.#waiting.length >= groupBatches;
  }

  add(batch: Batch, { resolve, reject }: Settle): void {
    this.sizeBytes += headBytes + batch.bytes.length;
    if (batch.bytes.length >= copiedBelowBytes) {
      const head = Buffer.allocUnsafe(headBytes);
      this.#waiting.push({ batch, head, piece: undefined, resolve, reject });
      return;
    }
    const piece = this.#roomFor(headBytes + batch.bytes.length);
    piece.retain();
    const start = this.#filled + headBytes;
    const head = piece.buffer.subarray(this.#filled, start);
    piece.buffer.set(batch.bytes, start);
    this.#filled = start + batch.bytes.length;
    const copy = { ...batch, bytes: piece.buffer.subarray(start, this.#filled) };
    this.#waiting.push({ batch: copy, head, piece, resolve, reject });
  }

  takeGroup(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < groupBatches && bytes < groupBytes) {
      bytes += headBytes + this.#waiting[count]!.batch.bytes.length;
      count++;
    }
    this.sizeBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #roomFor(bytes: number): Piece {
    if (this.#piece && this.#filled + bytes <= this.#piece.buffer.length) return this.#piece;
    this.#piece?.release();
    this.#piece = this.#memory.take(pieceBytes);
    this.#filled = 0;
    return this.#piece;
  }
}

/** What is to be written: one stretch of memory for all that lie side by side. */
export function stretchesOf(group: readonly Pending[]): Uint8Array[] {
  const stretches: Uint8Array[] = [];
  let piece: Piece | undefined;
  let start = 0;
  let end = 0;
  const close = (): void => {
    if (piece) stretches.push(piece.buffer.subarray(start, end));
    piece = undefined;
  };
  for (const one of group) {
    const { batch, head } = one;
    const size = headBytes + batch.bytes.length;
    const begin = head.byteOffset - (one.piece?.buffer.byteOffset ?? 0);
    if (!one.piece) {
      close();
      stretches.push(head, batch.bytes);
    } else if (one.piece === piece && begin === end) end += size;
    else {
      close();
      piece = one.piece;
      start = begin;
      end = begin + size;
    }
  }
  close();
  return stretches;
}
