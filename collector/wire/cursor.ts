// Reading trusted protobuf bytes without making objects of them: a Cursor steps through the fields of
// one message and reads a value only when asked. Only for bytes that validate() has accepted.

export class Cursor {
  bytes: Uint8Array;
  /** Of the present field. */
  number = 0;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  wireType = 0;
  /** Where the present field's value lies; for length-delimited ones without the length. */
  start = 0;
  end = 0;
  /** Where the present field begins, tag included: start of the run to copy when it is kept as it is. */
  fieldStart = 0;
  /** Made when it is needed: most messages are read without. */
  #made: DataView | undefined;
  #at = 0;
  #limit = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#at = start;
    this.#limit = end;
  }

  /** Begins anew over another stretch, of the same bytes unless told otherwise. */
  over(start: number, end: number, bytes = this.bytes): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#made = undefined;
    }
    this.#at = start;
    this.#limit = end;
    return this;
  }

  /** The next field is the one that begins there. */
  skipTo(at: number): void {
    this.#at = at;
  }

  /** Passes over the fields that have this tag of one byte, with a length behind it, up to another one. */
  passOver(tag: number): void {
    while (this.#at < this.#limit && this.bytes[this.#at] === tag) {
      this.#at++;
      const length = this.#varint();
      this.#at += length;
    }
  }

  next(): boolean {
    if (this.#at >= this.#limit) return false;
    this.fieldStart = this.#at;
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.wireType = tag & 7;
    const length = this.#length();
    this.start = this.#at;
    this.#at += length;
    this.end = this.#at;
    return true;
  }

  /** A varint of up to 53 bits; negative ones and larger ones go through `int64`. */
  uint(): number {
    const bytes = this.bytes;
    let value = 0;
    let scale = 1;
    for (let at = this.start; at < this.end; at++) {
      value += (bytes[at]! & 0x7f) * scale;
      scale *= 128;
    }
    return value;
  }

  /** An int32, enum or bool: the low 32 bits, signed. */
  int32(): number {
    const bytes = this.bytes;
    let value = 0;
    for (let at = this.start, shift = 0; at < this.end && shift < 35; at++, shift += 7) {
      value |= (bytes[at]! & 0x7f) << shift;
    }
    return value;
  }

  sint32(): number {
    const zigzag = this.int32();
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** Varint or eight bytes, signed. */
  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** Varint or eight bytes, unsigned. */
  uint64(): bigint {
    if (this.wireType === 1) return this.#view.getBigUint64(this.start, true);
    let value = 0n;
    for (let at = this.end - 1; at >= this.start; at--) {
      value = (value << 7n) | BigInt(this.bytes[at]! & 0x7f);
    }
    return BigInt.asUintN(64, value);
  }

  fixed32(): number {
    return this.#view.getUint32(this.start, true);
  }

  double(): number {
    return this.#view.getFloat64(this.start, true);
  }

  /** The n-th of packed doubles, of which there are (end − start) / 8. */
  doubleAt(index: number): number {
    return this.#view.getFloat64(this.start + index * 8, true);
  }

  /** All of the packed doubles. */
  doubles(): number[] {
    return Array.from({ length: (this.end - this.start) / 8 }, (_, index) => this.doubleAt(index));
  }

  /** The n-th of packed fixed64. */
  fixed64At(index: number): bigint {
    return this.#view.getBigUint64(this.start + index * 8, true);
  }

  /** The same rounded to what a double holds, which takes no memory. */
  roundedAt(index: number): number {
    const at = this.start + index * 8;
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Of sfixed64. */
  roundedSigned(): number {
    return (
      this.#view.getInt32(this.start + 4, true) * 2 ** 32 + this.#view.getUint32(this.start, true)
    );
  }

  text(): string {
    return textOf(this.bytes, this.start, this.end);
  }

  /** From there to there, one character a byte: for comparing. */
  latin1(start: number, end: number): string {
    return bufferOf(this.bytes).latin1Slice(start, end);
  }

  hex(): string {
    return hexOf(this.bytes, this.start, this.end);
  }

  /** The value's bytes, shared and not copied. */
  slice(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  #length(): number {
    switch (this.wireType) {
      case 0: {
        let length = 1;
        while (this.bytes[this.#at + length - 1]! >= 0x80) length++;
        return length;
      }
      case 1:
        return 8;
      case 2:
        return this.#varint();
      default:
        return 4;
    }
  }

  get #view(): DataView {
    return (this.#made ??= viewOf(this.bytes));
  }

  /** Tags and lengths: below 2^32 in accepted bytes. */
  #varint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.#at++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = bytes[this.#at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error("a cursor was given bytes that were never validated");
  }
}

/** Short strings, the usual case, are read faster one by one than through a decoder. */
const shortText = 24;

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= shortText) {
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= 0x80) return bufferOf(bytes).utf8Slice(start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return bufferOf(bytes).utf8Slice(start, end);
}

export function hexOf(bytes: Uint8Array, start: number, end: number): string {
  return bufferOf(bytes).hexSlice(start, end);
}

interface Slices {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  hexSlice(start: number, end: number): string;
}

let lastBytes: Uint8Array | undefined;
let lastBuffer: Slices | undefined;

/** Buffer's own slicing methods, for any Uint8Array; the last one is kept, since reads come in runs. */
function bufferOf(bytes: Uint8Array): Slices {
  if (bytes !== lastBytes) {
    const buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    lastBytes = bytes;
    lastBuffer = buffer as unknown as Slices; // in Node since 0.x, absent from its type declarations
  }
  return lastBuffer!;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
