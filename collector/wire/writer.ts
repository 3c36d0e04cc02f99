// Builds protobuf bytes in one growing buffer. Nested messages are written in place: `begin` leaves one
// byte for the length, `end` fills it in and moves the content only when the length needs more.

import { varintLength, writeVarint } from "./varint.ts";

const startBytes = 1024;

/** Such texts are written faster one by one than by a call of the encoder, which short names are most. */
const shortText = 48;

export class Writer {
  #bytes: Buffer;
  #length = 0;
  readonly #open: number[] = [];

  constructor(sizeBytes = startBytes) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written; the writer starts again. */
  finish(): Uint8Array {
    if (this.#open.length > 0) throw new Error("a nested message is still open");
    const written = Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
    this.#length = 0;
    return written;
  }

  /** What was written, in the writer's own memory: good until something else is written. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  begin(field: number): void {
    this.#tag(field, 2);
    this.#reserve(1);
    this.#length++;
    this.#open.push(this.#length);
  }

  end(): void {
    const start = this.#open.pop();
    if (start === undefined) throw new Error("no nested message is open");
    const size = this.#length - start;
    const extra = varintLength(size) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(start + extra, start, this.#length);
    }
    this.#length = start - 1;
    this.#put(size); // to reserve here would keep nothing of what stands behind
    this.#length += size;
  }

  /** As it was when its length was this; what has been begun since is no longer open. */
  backTo(length: number): void {
    while (this.#open.length > 0 && this.#open.at(-1)! > length) this.#open.pop();
    this.#length = length;
  }

  /** Below 2^53. */
  uint(field: number, value: number): void {
    this.#tag(field, 0);
    this.#varint(value);
  }

  /** Varint; negative values take ten bytes, as protobuf has it. */
  int64(field: number, value: bigint): void {
    this.#tag(field, 0);
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  sint32(field: number, value: number): void {
    this.uint(field, ((value << 1) ^ (value >> 31)) >>> 0);
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, 5);
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value >>> 0, this.#length);
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
  }

  double(field: number, value: number): void {
    this.#tag(field, 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** Packed. */
  doubles(field: number, values: readonly number[]): void {
    const size = values.length * 8;
    this.#tag(field, 2);
    this.#varint(size);
    this.#reserve(size);
    for (const value of values) this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  text(field: number, value: string): void {
    if (value.length <= shortText && this.#ascii(field, value, 0, value.length)) return;
    const size = Buffer.byteLength(value);
    this.#tag(field, 2);
    this.#varint(size);
    this.#reserve(size);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
  }

  /** What stands in a text from there to there. */
  textWithin(field: number, text: string, from: number, to: number): void {
    if (to - from <= shortText && this.#ascii(field, text, from, to)) return;
    this.text(field, text.slice(from, to));
  }

  /** False for what is not ASCII: then nothing has been written. */
  #ascii(field: number, text: string, from: number, to: number): boolean {
    const begin = this.#length;
    this.#tag(field, 2);
    this.#varint(to - from);
    this.#reserve(to - from);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = from; index < to; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) {
        this.#length = begin;
        return false;
      }
      bytes[at++] = code;
    }
    this.#length = at;
    return true;
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.raw(value);
  }

  /** Bytes that are fields already, copied as they are. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): void {
    this.#reserve(10);
    this.#put(value);
  }

  /** Where there is room for it. */
  #put(value: number): void {
    this.#length = writeVarint(this.#bytes, this.#length, value);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
