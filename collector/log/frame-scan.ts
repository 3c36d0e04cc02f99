// Steps through the frames of one segment, reading the file in large pieces. What is damaged is stepped
// over: a frame whose payload fails its checksum as a whole, a damaged head by looking for the next
// sound one. Whoever scans learns of the gap from the positions and totals of the frame that follows.

import type { FileHandle } from "node:fs/promises";
import { Memory, type Piece } from "../memory/memory.ts";
import {
  decodeFrameHead,
  endMarkOf,
  findFrameHead,
  type FrameHead,
  headBytes,
  isSound,
  type Searched,
} from "./segment.ts";

export interface Frame {
  readonly head: FrameHead;
  /** In the memory of the piece, as its neighbours' payloads are. */
  readonly payload: Uint8Array;
  /** Whoever keeps the payload beyond the next step of the scan must become one of its users. */
  readonly piece: Piece;
  /** Where it ends in the file. */
  readonly end: number;
}

export interface Scanned {
  readonly handle: FileHandle;
  /** What its frames begin with. */
  readonly magic: number;
  readonly base: number;
  /** How far the file may be read; grows while it is written to. */
  readonly end: number;
}

/** Read at a time: large enough for the call not to matter, small enough for every reader to hold one. */
const pieceBytes = 256 << 10;

const nothing = Buffer.alloc(0);

export class FrameScan {
  /** How many damaged stretches were stepped over. */
  damages = 0;
  /** Of the sound heads the one with the highest position, its payload sound or not. */
  highest: FrameHead | undefined;
  readonly #segment: Scanned;
  #at: number;
  readonly #memory: Memory;
  #piece: Piece | undefined;
  /** Where in the file the piece begins, and how much of it is filled. */
  #pieceAt = 0;
  #filled = 0;
  #searched: Searched;

  /** From a place where a frame begins. */
  constructor(segment: Scanned, memory = new Memory(), from = headBytes) {
    this.#segment = segment;
    this.#memory = memory;
    this.#at = from;
    const { magic, base } = segment;
    this.#searched = { bytes: nothing, end: 0, magic, base };
  }

  /** Where it looks for the next frame. */
  get at(): number {
    return this.#at;
  }

  /** The next frame if it is in the piece, sound and the one wanted: without a promise for each. */
  ready(position?: number): Frame | undefined {
    const start = this.#at - this.#pieceAt;
    const head = decodeFrameHead(this.#searched, start);
    const end = start + headBytes + (head?.payloadBytes ?? 0);
    const piece = this.#piece;
    if (!head || !piece || end > this.#filled) return undefined;
    if (position !== undefined && position !== head.position) return undefined;
    const payload = piece.buffer.subarray(start + headBytes, end);
    if (!isSound(head, payload)) return undefined;
    this.#note(head);
    this.#at = this.#pieceAt + end;
    return { head, payload, piece, end: this.#at };
  }

  /** For when it may take a while until the next step: holds no piece that has been gone through. */
  pause(): void {
    if (this.#at >= this.#pieceAt + this.#filled) this.close();
  }

  /** Its last frame goes, unless somebody has become a user of the piece. */
  close(): void {
    this.#hold(undefined, 0);
  }

  /** Undefined at the end; more may come later if the segment grows. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.ready();
      if (frame) return frame;
      if (!(await this.#has(headBytes))) return undefined;
      const start = this.#at - this.#pieceAt;
      const head = decodeFrameHead(this.#searched, start);
      if (head) {
        this.#note(head);
        const size = headBytes + head.payloadBytes;
        if (await this.#has(size)) {
          const whole = this.ready();
          if (whole) return whole;
          this.#at += size; // damaged inside
          this.damages++;
          continue;
        }
      }
      // No head, or one that says more than there is: cut off, or damaged.
      if (!(await this.#findHead())) return undefined;
    }
  }

  /** Whether what stands there is only what the file held before it became this segment. */
  async isMarked(at: number): Promise<boolean> {
    const { handle, magic } = this.#segment;
    const mark = endMarkOf(magic);
    const bytes = Buffer.alloc(mark.length);
    await handle.read(bytes, 0, bytes.length, at);
    return bytes.equals(mark);
  }

  #note(head: FrameHead): void {
    if (head.position > (this.highest?.position ?? -1)) this.highest = head;
  }

  /** Moves on to the next sound head behind the present place; false, and no further, if none follows. */
  async #findHead(): Promise<boolean> {
    const from = this.#at;
    this.#at++;
    while (await this.#has(headBytes)) {
      const found = findFrameHead(this.#searched, this.#at - this.#pieceAt);
      if (found >= 0) {
        this.#at = this.#pieceAt + found;
        this.damages++;
        return true;
      }
      this.#at = Math.max(this.#at + 1, this.#pieceAt + this.#filled - headBytes + 1);
    }
    this.#at = from;
    return false;
  }

  /** Whether `count` bytes stand at the present place; they are in the piece then. */
  async #has(count: number): Promise<boolean> {
    if (this.#at >= this.#pieceAt && this.#at + count <= this.#pieceAt + this.#filled) return true;
    const left = this.#segment.end - this.#at;
    if (left < count) return false;
    const wanted = Math.max(count, pieceBytes);
    const piece = this.#memory.take(wanted);
    const { handle } = this.#segment;
    const { bytesRead } = await handle
      .read(piece.buffer, 0, Math.min(wanted, left), this.#at)
      .catch((error: unknown) => {
        piece.release();
        throw error;
      });
    this.#hold(piece, bytesRead);
    return bytesRead >= count;
  }

  /** The piece begins at the present place. */
  #hold(piece: Piece | undefined, filled: number): void {
    this.#piece?.release();
    this.#piece = piece;
    this.#filled = filled;
    this.#pieceAt = this.#at;
    this.#searched = { ...this.#searched, bytes: piece?.buffer ?? nothing, end: filled };
  }
}
