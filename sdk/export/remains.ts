// What a thread has recorded and not sent yet, in memory that it shares with the thread that started it:
// when it is terminated, nothing of its own runs any more, but its parent can still read this. Each item
// stands there as a request of its own, and requests one after the other are one request.
//
//   ┌──────────────────────────────────┬──────────┐
//   │ emptied, items, size, taken: u32 │ requests │   for spans, and again for log records
//   └──────────────────────────────────┴──────────┘

import { Encoder } from "./encoder.ts";

const heads = 4;
const headBytes = heads * Int32Array.BYTES_PER_ELEMENT;
const roomBytes = 256 * 1024;
/** Of tags and lengths around an item. */
const frameBytes = 64;

/** How often it was emptied, what is in it, and whether the other thread sends it. */
const [emptied, items, size, taken] = [0, 1, 2, 3] as const;

export const remainsBytes = headBytes + roomBytes;

export class Remains {
  readonly #heads: Int32Array;
  readonly #encoder = new Encoder();
  readonly #room: Buffer;
  /** Of the reader: how often it had been emptied then, and how much of it was read. */
  #seen = { emptied: 0, size: 0 };

  constructor(shared: SharedArrayBuffer, offset: number) {
    this.#heads = new Int32Array(shared, offset, heads);
    this.#room = Buffer.from(shared, offset + headBytes, roomBytes);
    this.#encoder.bytes = this.#room;
  }

  /** False if there is no room: what is here has to be sent first. */
  add(resource: Uint8Array, head: Uint8Array, item: Uint8Array, tail: Uint8Array): boolean {
    const encoder = this.#encoder;
    const scope = head.length + item.length + tail.length;
    const most = resource.length + scope + frameBytes;
    if (encoder.at + most > roomBytes) return false;
    const group = resource.length + sizeOfHead(scope) + scope;
    encoder.head(0x0a, group);
    encoder.raw(resource);
    encoder.head(0x12, scope);
    encoder.raw(head);
    encoder.raw(item);
    encoder.raw(tail);
    Atomics.add(this.#heads, items, 1);
    Atomics.store(this.#heads, size, encoder.at);
    return true;
  }

  /** The other thread has read it because this one ends: it is not to be sent from here. */
  get isTaken(): boolean {
    return Atomics.load(this.#heads, taken) !== 0;
  }

  /** It is sent. */
  empty(): void {
    Atomics.add(this.#heads, emptied, 1);
    Atomics.store(this.#heads, size, 0);
    Atomics.store(this.#heads, items, 0);
    this.#encoder.at = 0;
  }

  /** By the other thread, what has come since; undefined if nothing has, or it is being emptied. */
  read(): { readonly body: Uint8Array; readonly items: number } | undefined {
    Atomics.store(this.#heads, taken, 1);
    const before = Atomics.load(this.#heads, emptied);
    const length = Atomics.load(this.#heads, size);
    const from = this.#seen.emptied === before ? this.#seen.size : 0;
    if (length <= from) return undefined;
    const body = Buffer.from(this.#room.subarray(from, length));
    const count = Atomics.load(this.#heads, items);
    if (Atomics.load(this.#heads, emptied) !== before) return undefined;
    this.#seen = { emptied: before, size: length };
    return { body, items: count };
  }
}

function sizeOfHead(length: number): number {
  let bytes = 2;
  for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
