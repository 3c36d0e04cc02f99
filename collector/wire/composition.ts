// A request put together from stretches of others. Nothing is copied before the end, when the lengths of
// all messages are known; then every byte is, once.

import { ownRoom, type Room } from "./room.ts";
import { varintLength, writeVarint } from "./varint.ts";

/** In place of the bytes: the head of a message. */
const head = undefined;

export class Composition {
  /** What is put in: stretches of bytes, or for a head the number of its field and the message's length. */
  readonly #from: (Uint8Array | typeof head)[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #open: { readonly index: number; readonly lengthBefore: number }[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#from.length === 0;
  }

  /** Of a message in a field below 16. */
  begin(field: number): void {
    this.#open.push({ index: this.#from.length, lengthBefore: this.#length });
    this.#put(head, field, 0);
  }

  end(): void {
    const open = this.#open.pop();
    if (!open) throw new Error("no nested message is open");
    const length = this.#length - open.lengthBefore;
    this.#ends[open.index] = length;
    this.#length += 1 + varintLength(length);
  }

  /** They must stay as they are until all is written. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#length += end - start;
    const last = this.#from.length - 1;
    if (this.#from[last] === bytes && this.#ends[last] === start) this.#ends[last] = end;
    else this.#put(bytes, start, end);
  }

  /** Writes it, and begins anew. */
  finish(room: Room = ownRoom): Uint8Array {
    if (this.#open.length > 0) throw new Error("a nested message is still open");
    const written = room(this.#length);
    let at = 0;
    for (let index = 0; index < this.#from.length; index++) {
      const from = this.#from[index];
      const start = this.#starts[index]!;
      const end = this.#ends[index]!;
      if (from === head) {
        written[at++] = start * 8 + 2;
        at = writeVarint(written, at, end);
      } else {
        written.set(from.subarray(start, end), at);
        at += end - start;
      }
    }
    this.#from.length = this.#starts.length = this.#ends.length = this.#length = 0;
    return written;
  }

  #put(from: Uint8Array | typeof head, start: number, end: number): void {
    this.#from.push(from);
    this.#starts.push(start);
    this.#ends.push(end);
  }
}
