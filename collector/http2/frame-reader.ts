// Takes a connection's bytes apart into frames (RFC 9113, section 4), however they are cut into chunks.
//
//   ┌────────────┬─────────┬──────────┬────────────┬─────────┐
//   │ length u24 │ type u8 │ flags u8 │ stream u31 │ payload │
//   └────────────┴─────────┴──────────┴────────────┴─────────┘
//
// The content of DATA is handed on as it comes, in pieces of the chunk that it came in. Every other frame
// is handed over whole: as a stretch of its chunk, or of a copy when it lies across two.

import { ConnectionError, errorCodes, flags, frameHeadBytes, frameTypes } from "./protocol.ts";

export interface FrameSink {
  /** `length` counts against the windows: it is the payload with its padding. */
  dataBegins(stream: number, length: number, isLast: boolean): void;
  data(chunk: Buffer, start: number, end: number): void;
  dataEnds(): void;
  /** Valid during the call only. */
  frame(frame: Frame): void;
}

/** Any frame but DATA. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const emptyBytes: Buffer = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxPayloadBytes: number;
  /** A head that lies across two chunks. */
  readonly #head = Buffer.alloc(frameHeadBytes);
  #headBytes = 0;
  /** Of the payload. */
  #length = 0;
  /** Of the frame that is being read, when it is not DATA and not yet whole. */
  #rest: Buffer | undefined;
  #restBytes = 0;
  /** Of the DATA that is being read: content and padding still to come. */
  #contentBytes = 0;
  #paddingBytes = 0;
  #isPadLengthNext = false;
  #isInData = false;
  readonly #frame = { type: 0, flags: 0, stream: 0, bytes: emptyBytes, start: 0, end: 0 };

  constructor(sink: FrameSink, maxPayloadBytes: number) {
    this.#sink = sink;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Whether some of a frame has come, and not all of it. */
  get isInFrame(): boolean {
    return this.#isInData || this.#headBytes > 0 || this.#rest !== undefined;
  }

  read(chunk: Buffer, from = 0): void {
    let at = from;
    while (at < chunk.length) {
      if (this.#isInData) at = this.#data(chunk, at);
      else if (this.#rest) at = this.#fillRest(chunk, at);
      else if (this.#headBytes === 0 && chunk.length - at >= frameHeadBytes) {
        this.#readHead(chunk, at);
        at = this.#begin(chunk, at + frameHeadBytes);
      } else at = this.#fillHead(chunk, at);
    }
  }

  #fillHead(chunk: Buffer, at: number): number {
    const take = Math.min(frameHeadBytes - this.#headBytes, chunk.length - at);
    chunk.copy(this.#head, this.#headBytes, at, at + take);
    this.#headBytes += take;
    if (this.#headBytes < frameHeadBytes) return at + take;
    this.#headBytes = 0;
    this.#readHead(this.#head, 0);
    return this.#begin(chunk, at + take);
  }

  #readHead(bytes: Buffer, at: number): void {
    this.#length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (this.#length > this.#maxPayloadBytes) {
      const what = `a frame of ${this.#length} bytes, the limit is ${this.#maxPayloadBytes}`;
      throw new ConnectionError(errorCodes.frameSize, what);
    }
    const frame = this.#frame;
    frame.type = bytes[at + 3]!;
    frame.flags = bytes[at + 4]!;
    frame.stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
  }

  /** The head has been read, the payload begins at `at`. */
  #begin(chunk: Buffer, at: number): number {
    if (this.#frame.type === frameTypes.data) {
      this.#beginData();
      return at;
    }
    if (chunk.length - at >= this.#length) {
      this.#whole(chunk, at, at + this.#length);
      return at + this.#length;
    }
    this.#rest = Buffer.allocUnsafe(this.#length);
    this.#restBytes = 0;
    return at;
  }

  #fillRest(chunk: Buffer, at: number): number {
    const rest = this.#rest!;
    const take = Math.min(rest.length - this.#restBytes, chunk.length - at);
    chunk.copy(rest, this.#restBytes, at, at + take);
    this.#restBytes += take;
    if (this.#restBytes === rest.length) {
      this.#rest = undefined;
      this.#whole(rest, 0, rest.length);
    }
    return at + take;
  }

  #whole(bytes: Buffer, start: number, end: number): void {
    const frame = this.#frame;
    frame.bytes = bytes;
    frame.start = start;
    frame.end = end;
    this.#sink.frame(frame);
  }

  #beginData(): void {
    const { stream, flags: set } = this.#frame;
    const length = this.#length;
    this.#isPadLengthNext = (set & flags.padded) !== 0;
    this.#contentBytes = length;
    this.#paddingBytes = 0;
    if (this.#isPadLengthNext && length === 0) throw badPadding();
    this.#isInData = true;
    this.#sink.dataBegins(stream, length, (set & flags.endStream) !== 0);
    if (length === 0) this.#endData();
  }

  #data(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#isPadLengthNext) {
      this.#isPadLengthNext = false;
      this.#paddingBytes = chunk[at++]!;
      this.#contentBytes -= 1 + this.#paddingBytes;
      if (this.#contentBytes < 0) throw badPadding();
    }
    const content = Math.min(this.#contentBytes, chunk.length - at);
    if (content > 0) {
      this.#contentBytes -= content;
      this.#sink.data(chunk, at, at + content);
      at += content;
    }
    const padding = Math.min(this.#paddingBytes, chunk.length - at);
    if (this.#contentBytes === 0) {
      this.#paddingBytes -= padding;
      at += padding;
      if (this.#paddingBytes === 0) this.#endData();
    }
    return at;
  }

  #endData(): void {
    this.#isInData = false;
    this.#sink.dataEnds();
  }
}

function badPadding(): ConnectionError {
  return new ConnectionError(errorCodes.protocol, "DATA with more padding than payload");
}
