// Steps through the frames of one segment, reading the file in large pieces. What is damaged is stepped
// over: a frame whose payload fails its checksum as a whole, a damaged head by looking for the next
// sound one. Whoever scans learns of the gap from the positions and totals of the frame that follows.

import type { FileHandle } from "node:fs/promises";
import { decodeFrameHead, findFrameHead, type FrameHead, headBytes, isSound } from "./segment.ts";

export interface Frame {
  readonly head: FrameHead;
  /** Shares memory with its neighbours' payloads. */
  readonly payload: Uint8Array;
  /** Where it ends in the file. */
  readonly end: number;
}

export interface Scanned {
  readonly handle: FileHandle;
  /** How far the file may be read; grows while it is written to. */
  readonly end: number;
}

const pieceBytes = 256 << 10;

export class FrameScan {
  /** How many damaged stretches were stepped over. */
  damages = 0;
  /** Of the sound heads the one with the highest position, its payload sound or not. */
  highest: FrameHead | undefined;
  readonly #segment: Scanned;
  #at: number;
  #piece: Buffer = Buffer.alloc(0);
  /** Where in the file the piece begins. */
  #pieceAt = 0;

  constructor(segment: Scanned, from = headBytes) {
    this.#segment = segment;
    this.#at = from;
  }

  /** Undefined at the end; more may come later if the segment grows. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      if (!(await this.#has(headBytes))) return undefined;
      const head = decodeFrameHead(this.#piece, this.#at - this.#pieceAt);
      if (!head) {
        if (!(await this.#findHead())) return undefined;
        continue;
      }
      if (head.position > (this.highest?.position ?? -1)) this.highest = head;
      if (!(await this.#has(headBytes + head.payloadBytes))) {
        if (!(await this.#findHead())) return undefined; // it says more than there is: cut off
        continue;
      }
      const start = this.#at - this.#pieceAt + headBytes;
      const payload = this.#piece.subarray(start, start + head.payloadBytes);
      this.#at += headBytes + head.payloadBytes;
      if (isSound(head, payload)) return { head, payload, end: this.#at };
      this.damages++;
    }
  }

  /** Moves on to the next sound head behind the present place; false, and no further, if none follows. */
  async #findHead(): Promise<boolean> {
    const from = this.#at;
    this.#at++;
    while (await this.#has(headBytes)) {
      const found = findFrameHead(this.#piece, this.#at - this.#pieceAt);
      if (found >= 0) {
        this.#at = this.#pieceAt + found;
        this.damages++;
        return true;
      }
      this.#at = Math.max(this.#at + 1, this.#pieceAt + this.#piece.length - headBytes + 1);
    }
    this.#at = from;
    return false;
  }

  /** Whether `count` bytes stand at the present place; they are in the piece then. */
  async #has(count: number): Promise<boolean> {
    if (this.#at >= this.#pieceAt && this.#at + count <= this.#pieceAt + this.#piece.length) {
      return true;
    }
    const left = this.#segment.end - this.#at;
    if (left < count) return false;
    const piece = Buffer.allocUnsafe(Math.max(count, Math.min(pieceBytes, left)));
    const { bytesRead } = await this.#segment.handle.read(piece, 0, piece.length, this.#at);
    this.#piece = piece.subarray(0, bytesRead);
    this.#pieceAt = this.#at;
    return bytesRead >= count;
  }
}
