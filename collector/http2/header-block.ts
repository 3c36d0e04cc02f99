// A header block on its way in: one HEADERS frame, or one with CONTINUATION frames behind it, which
// nothing may interrupt. Both its size and the number of its frames are limited, because a peer that
// never ends one is an old way to fill a server's memory.

import { ConnectionError, errorCodes, flags } from "./protocol.ts";
import type { Frame } from "./frame-reader.ts";

const maxContinuations = 8;

export class HeaderBlock {
  readonly #maxBytes: number;
  /** Of the block that is not complete. */
  #stream = 0;
  #isLast = false;
  #parts: Buffer[] = [];
  #size = 0;

  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The stream that the next frame must be of, 0 if any. */
  get expects(): number {
    return this.#stream;
  }

  /** Whether the request or answer has nothing behind this block. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** True when the block is complete; it is valid until the next frame. */
  begin(frame: Frame): boolean {
    let { start, end } = frame;
    const { bytes, flags: set } = frame;
    if (set & flags.padded) end -= start < end ? bytes[start++]! : 1;
    if (set & flags.priority) start += 5;
    if (start > end) {
      throw new ConnectionError(errorCodes.protocol, "HEADERS with more padding than payload");
    }
    this.#isLast = (set & flags.endStream) !== 0;
    if (set & flags.endHeaders) return this.#set(bytes, start, end);
    this.#stream = frame.stream;
    this.#parts = [];
    this.#size = 0;
    this.#keep(bytes, start, end);
    return false;
  }

  /** As `begin`. */
  continue({ bytes, flags: set, start, end }: Frame): boolean {
    this.#keep(bytes, start, end);
    if ((set & flags.endHeaders) === 0) return false;
    this.#stream = 0;
    const whole = Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    return this.#set(whole, 0, whole.length);
  }

  #set(bytes: Buffer, start: number, end: number): true {
    if (end - start > this.#maxBytes) throw tooLarge(this.#maxBytes);
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return true;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#size += end - start;
    if (this.#size > this.#maxBytes || this.#parts.length > maxContinuations) {
      throw tooLarge(this.#maxBytes);
    }
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
  }
}

function tooLarge(maxBytes: number): ConnectionError {
  const what = `headers in more than ${maxBytes} bytes or ${maxContinuations} CONTINUATION frames`;
  return new ConnectionError(errorCodes.enhanceYourCalm, what);
}
