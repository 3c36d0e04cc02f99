// What goes out on a connection. Frames of one turn of the event loop leave in one write: small pieces
// are copied one behind the other, large ones are handed to the socket as they are.

import type { Duplex } from "node:stream";
import { frameHeadBytes } from "./protocol.ts";

/** Above this, copying costs more than one more piece in a write does. */
const copiedBytes = 4_096;

/** Frames that are always the same but for the stream that they are of. */
export interface Template {
  readonly bytes: Uint8Array;
  /** Where the stream's number belongs. */
  readonly streamAt: readonly number[];
}

export class Outbox {
  readonly #socket: Duplex;
  readonly #slabBytes: number;
  #slab: Buffer = Buffer.alloc(0);
  /** Of the slab: what is before `start` has been handed over, what is before `end` is written. */
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  /** That were ever put in. */
  putBytes = 0;
  #isScheduled = false;
  readonly #flushLater = (): void => this.flush();

  constructor(socket: Duplex, slabBytes: number) {
    this.#socket = socket;
    this.#slabBytes = slabBytes;
  }

  /** Of what was put in, so many bytes are still on our side. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#piecesBytes + this.#end - this.#start;
  }

  head(length: number, [type, flags]: readonly [number, number], stream: number): void {
    const at = this.#room(frameHeadBytes);
    const slab = this.#slab;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = type;
    slab[at + 4] = flags;
    slab.writeUInt32BE(stream, at + 5);
  }

  uint16(value: number): void {
    const at = this.#room(2);
    this.#slab.writeUInt16BE(value, at);
  }

  uint32(value: number): void {
    const at = this.#room(4);
    this.#slab.writeUInt32BE(value, at);
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length <= copiedBytes) {
      const at = this.#room(bytes.length);
      this.#slab.set(bytes, at);
      return;
    }
    this.putBytes += bytes.length;
    this.#cut();
    this.#add(bytes);
    this.#schedule();
  }

  template({ bytes, streamAt }: Template, stream: number): void {
    const at = this.#room(bytes.length);
    this.#slab.set(bytes, at);
    for (const offset of streamAt) this.#slab.writeUInt32BE(stream, at + offset);
  }

  flush(): void {
    this.#isScheduled = false;
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#piecesBytes = 0;
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    if (pieces.length === 1) {
      socket.write(pieces[0]);
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  /** Room for so many bytes in the slab, which the caller fills: where it begins. */
  #room(length: number): number {
    // The first of a turn: when all that was put in before has left, the slab may be used again.
    if (!this.#isScheduled && this.#socket.writableLength === 0) this.#start = this.#end = 0;
    if (this.#slab.length - this.#end < length) this.#renew(length);
    const at = this.#end;
    this.#end += length;
    this.putBytes += length;
    this.#schedule();
    return at;
  }

  /** What has not been handed over goes along if it is little: one piece in a write costs least. */
  #renew(length: number): void {
    const waiting = this.#slab.subarray(this.#start, this.#end);
    const goesAlong = waiting.length + length <= this.#slabBytes / 2;
    if (!goesAlong) this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, length));
    this.#start = 0;
    this.#end = 0;
    if (!goesAlong) return;
    this.#slab.set(waiting);
    this.#end = waiting.length;
  }

  /** What stands in the slab becomes a piece, so that something else can follow it. */
  #cut(): void {
    if (this.#start === this.#end) return;
    this.#add(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#piecesBytes += piece.length;
  }

  /** When all that is ready in this turn has been put in: ticks come after the promises that wait. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#flushLater);
  }
}
