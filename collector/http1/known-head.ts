// A client sends the same head again and again, but for the number in content-length. Whoever has seen
// one need not read the next: two comparisons instead of a parse. Each connection remembers its own
// head only: one that all share would let a stranger find out, by timing, what others send.

import type { Head } from "./head.ts";

/** Longer ones are not remembered, which bounds what an idle connection holds. */
const maxBytes = 2048;

export class KnownHead {
  readonly head: Head;
  /** Of the request that was found by `find`. */
  length = 0;
  readonly #bytes: Buffer;
  /** Where the digits of content-length stand. */
  readonly #digits: number;
  readonly #behindDigits: number;

  private constructor(head: Head, bytes: Buffer, digits: readonly [from: number, to: number]) {
    this.head = head;
    this.#bytes = bytes;
    [this.#digits, this.#behindDigits] = digits;
  }

  /** Undefined if it is not worth to be remembered. `text` is that of `bytes`. */
  static of(head: Head, bytes: Uint8Array, text: string): KnownHead | undefined {
    if (bytes.length > maxBytes || head.length === undefined || !head.isKeptAlive) return undefined;
    const found = /\r\ncontent-length:[ \t]*(\d+)/i.exec(text);
    if (!found?.[1]) return undefined;
    const behind = found.index + found[0].length;
    const own = Buffer.allocUnsafeSlow(bytes.length); // not of a pool, which it would keep
    own.set(bytes);
    return new KnownHead(head, own, [behind - found[1].length, behind]);
  }

  /** The index behind the head if this is the one that stands at `start`, otherwise 0. */
  find(chunk: Buffer, start: number): number {
    const bytes = this.#bytes;
    let at = start + this.#digits;
    if (chunk.length < at + 1) return 0;
    if (chunk.compare(bytes, 0, this.#digits, start, at) !== 0) return 0;
    const first = at;
    let length = 0;
    for (; at < chunk.length && at - first < 15; at++) {
      const digit = chunk[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const end = at + bytes.length - this.#behindDigits;
    if (at === first || end > chunk.length) return 0;
    if (chunk.compare(bytes, this.#behindDigits, bytes.length, at, end) !== 0) return 0;
    this.length = length;
    return end;
  }
}
