// Writes the fields of OTLP that spans and log records have, in protobuf, into one buffer that is used
// again. Apart from collector/wire's writer because this one runs in the app's requests: tags are ready
// bytes, ids are numbers, times are pairs, and short texts do not go through Node's calls into C++.

import type { HrTime } from "@opentelemetry/api";
import { Attributes, isList } from "../trace/values.ts";
import type { CommonFields, Fields, Value } from "../trace/values.ts";

/** What the values of a name are changed to before they leave. */
export interface Redaction {
  readonly text: (text: string) => string;
  /** For a list that says more than its texts, each for itself. */
  readonly list?: (items: readonly unknown[]) => readonly string[];
  /** In place of a map; without it each of its values is judged by its own name. */
  readonly map?: string;
}

/** Undefined for names whose values stay. */
export type Redactor = (name: string) => Redaction | undefined;

/** A name that is used again and again: its bytes, and how its values are redacted. */
interface Name {
  /** Field 1 of a KeyValue with its tag and length. */
  readonly field: Uint8Array;
  readonly redaction: Redaction | undefined;
}

const mostNames = 2000;
/** Longer texts are written faster by Node; measured on texts in ASCII. */
const longestByHand = 48;

export class Encoder {
  bytes: Buffer = Buffer.allocUnsafe(0);
  at = 0;
  readonly #redactor: Redactor;
  /** For what has no name that tells anything: a span's own, a message, a log record's body. */
  readonly #unnamed: Redaction | undefined;
  readonly #names = new Map<string, Name>();

  constructor(redactor: Redactor = () => undefined) {
    this.#redactor = redactor;
    this.#unnamed = redactor("body");
  }

  /** A nested message; give `end` what this returns. */
  begin(tag: number): number {
    this.reserve(8);
    this.bytes[this.at++] = tag;
    return ++this.at;
  }

  end(start: number): void {
    const size = this.at - start;
    if (size < 0x80) {
      this.bytes[start - 1] = size;
      return;
    }
    let extra = 0;
    for (let rest = size; rest >= 0x80; rest = Math.floor(rest / 0x80)) extra++;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.at);
    this.at = start - 1;
    this.varint(size);
    this.at += size;
  }

  /** Tags of field 16 and above have two bytes: give the second as `more`. */
  fixed32(tag: number, value: number, more = 0): void {
    this.reserve(6);
    const { bytes } = this;
    bytes[this.at++] = tag;
    if (more !== 0) bytes[this.at++] = more;
    bytes[this.at++] = value;
    bytes[this.at++] = value >>> 8;
    bytes[this.at++] = value >>> 16;
    bytes[this.at++] = value >>> 24;
  }

  uint(tag: number, value: number): void {
    this.reserve(11);
    this.bytes[this.at++] = tag;
    this.varint(value);
  }

  /** A whole number in eight bytes. */
  fixed64(tag: number, value: number): void {
    this.reserve(9);
    this.bytes[this.at++] = tag;
    this.bare64(value);
  }

  double(tag: number, value: number): void {
    this.reserve(9);
    this.bytes[this.at++] = tag;
    this.bareDouble(value);
  }

  /** As one of a packed list. */
  bare64(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeUInt32LE(value >>> 0, this.at); // `>>>` takes the lower half of any
    this.at = this.bytes.writeInt32LE(Math.floor(value / 0x1_0000_0000) | 0, this.at);
  }

  bareDouble(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** Nanoseconds since 1970. 10⁹ is 1 953 125 × 2⁹, and so many steps are exact in a double until 2116. */
  time(tag: number, [seconds, nanos]: HrTime): void {
    const steps = seconds * 1_953_125;
    const upper = Math.floor(steps / 0x80_0000);
    const low = (steps - upper * 0x80_0000) * 512 + nanos; // `%` of such numbers is slow
    this.fixed32(tag, low);
    this.reserve(4);
    const high = upper + (low >= 0x1_0000_0000 ? 1 : 0);
    const { bytes } = this;
    bytes[this.at++] = high;
    bytes[this.at++] = high >>> 8;
    bytes[this.at++] = high >>> 16;
    bytes[this.at++] = high >>> 24;
  }

  /** Eight bytes of an id, the first four if there are no more. */
  part(value: number): void {
    this.reserve(4);
    const { bytes } = this;
    bytes[this.at++] = value >>> 24;
    bytes[this.at++] = value >>> 16;
    bytes[this.at++] = value >>> 8;
    bytes[this.at++] = value;
  }

  /** The tag and length of something whose bytes follow. */
  head(tag: number, size: number): void {
    this.reserve(11);
    this.bytes[this.at++] = tag;
    this.varint(size);
  }

  text(tag: number, text: string): void {
    if (text.length <= longestByHand && this.#ascii(tag, text)) return;
    if (text.length < 42) {
      this.reserve(2 + text.length * 3);
      this.bytes[this.at++] = tag;
      const size = this.bytes.write(text, this.at + 1); // at most 126 bytes
      this.bytes[this.at++] = size;
      this.at += size;
      return;
    }
    const size = Buffer.byteLength(text);
    this.head(tag, size);
    this.reserve(size);
    this.at += this.bytes.write(text, this.at);
  }

  /** A text that people write: what it says is redacted as it is in attributes. */
  prose(tag: number, text: string): void {
    this.text(tag, this.#unnamed === undefined ? text : this.#unnamed.text(text));
  }

  /** An AnyValue as a field of its own, redacted as attributes are. */
  body(tag: number, value: Value): void {
    const start = this.begin(tag);
    this.#anyValue(value, this.#unnamed);
    this.end(start);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  attributes(tag: number, fields: Fields): void {
    if (fields instanceof Attributes && fields.common) this.raw(this.#encoded(tag, fields.common));
    const { entries } = fields;
    for (let at = 0; at < entries.length; at += 2) {
      this.#keyValue(tag, entries[at] as string, entries[at + 1]!); // names are at even places
    }
  }

  varint(value: number): void {
    const { bytes } = this;
    let rest = value;
    while (rest >= 0x8000_0000) {
      bytes[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count);
  }

  #grow(count: number): void {
    const grown = Buffer.allocUnsafe(Math.max(16_384, this.bytes.length * 2, this.at + count));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  #encoded(tag: number, common: CommonFields): Uint8Array {
    if (common.encoded?.by === this) return common.encoded.bytes;
    const start = this.at;
    this.attributes(tag, common);
    const bytes = Uint8Array.prototype.slice.call(this.bytes, start, this.at);
    this.at = start;
    common.encoded = { by: this, bytes };
    return bytes;
  }

  #keyValue(tag: number, name: string, value: Value): void {
    const { field, redaction } = this.#names.get(name) ?? this.#addName(name);
    if (typeof value === "string") {
      this.#keyText(tag, field, redaction ? redaction.text(value) : value);
      return;
    }
    if (typeof value === "number" && this.#shortKeyUint(tag, field, value)) return;
    const start = this.begin(tag);
    this.#short(field);
    const inner = this.begin(0x12);
    this.#anyValue(value, redaction);
    this.end(inner);
    this.end(start);
  }

  #keyText(tag: number, field: Uint8Array, text: string): void {
    if (this.#shortKeyText(tag, field, text)) return;
    const start = this.begin(tag);
    this.#short(field);
    const inner = this.begin(0x12);
    this.text(0x0a, text);
    this.end(inner);
    this.end(start);
  }

  /** Nearly all there are, in one go: each length is one byte. False, with nothing written, for others. */
  #shortKeyText(tag: number, field: Uint8Array, text: string): boolean {
    const { length } = text;
    const size = field.length + 4 + length;
    if (length > longestByHand || size >= 0x80) return false;
    this.reserve(size + 2);
    const { bytes } = this;
    let { at } = this;
    bytes[at++] = tag;
    bytes[at++] = size;
    for (let index = 0; index < field.length; index++) bytes[at++] = field[index]!;
    bytes[at++] = 0x12;
    bytes[at++] = length + 2;
    return this.#asciiAt(at, 0x0a, text);
  }

  /** Whole numbers that are not negative, as statuses and ports. False, with nothing written, for others. */
  #shortKeyUint(tag: number, field: Uint8Array, value: number): boolean {
    const { length } = field;
    const isSmall = value >= 0 && value < 0x20_0000 && Math.floor(value) === value;
    if (!isSmall || length >= 0x70) return false;
    this.reserve(length + 9);
    const { bytes } = this;
    let { at } = this;
    const digits = value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
    bytes[at++] = tag;
    bytes[at++] = length + 3 + digits;
    for (let index = 0; index < length; index++) bytes[at++] = field[index]!;
    bytes[at++] = 0x12;
    bytes[at++] = 1 + digits;
    bytes[at++] = 0x18;
    if (digits > 1) bytes[at++] = (value & 0x7f) | 0x80;
    if (digits > 2) bytes[at++] = ((value >>> 7) & 0x7f) | 0x80;
    bytes[at++] = value >>> (7 * (digits - 1));
    this.at = at;
    return true;
  }

  /** By hand, which for a few bytes is faster than Node. */
  #short(field: Uint8Array): void {
    const { length } = field;
    this.reserve(length);
    const { bytes } = this;
    let { at } = this;
    for (let index = 0; index < length; index++) bytes[at++] = field[index]!;
    this.at = at;
  }

  #addName(name: string): Name {
    const text = Buffer.from(name);
    const encoder = new Encoder();
    encoder.head(0x0a, text.length);
    encoder.raw(text);
    const made: Name = { field: encoder.take(), redaction: this.#redactor(name) };
    // Names made up by the thousand are not worth remembering.
    if (this.#names.size < mostNames && name.length < 256) this.#names.set(name, made);
    return made;
  }

  /** An AnyValue: a list is redacted as its own name says, and a map as the names in it say. */
  #anyValue(value: Value, redaction: Redaction | undefined): void {
    if (typeof value === "string") this.text(0x0a, redaction ? redaction.text(value) : value);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "boolean") this.uint(0x10, value ? 1 : 0);
    else if (typeof value === "bigint") this.#integer(value);
    else if (value === null) return; // an AnyValue with nothing in it
    else if (value instanceof Uint8Array) {
      this.head(0x3a, value.length);
      this.raw(value);
    } else if (isList(value)) {
      const start = this.begin(0x2a);
      if (redaction?.list) for (const text of redaction.list(value)) this.#item(text, undefined);
      else for (const item of value) this.#item(item, redaction);
      this.end(start);
    } else if (redaction?.map !== undefined) this.text(0x0a, redaction.map);
    else {
      const start = this.begin(0x32);
      this.attributes(0x0a, value);
      this.end(start);
    }
  }

  #item(value: Value, redaction: Redaction | undefined): void {
    const start = this.begin(0x0a);
    this.#anyValue(value, redaction);
    this.end(start);
  }

  #number(value: number): void {
    if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) {
      if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) this.uint(0x18, value);
      else this.#integer(BigInt(value));
      return;
    }
    this.reserve(9);
    this.bytes[this.at++] = 0x21;
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  #integer(value: bigint): void {
    this.reserve(11);
    this.bytes[this.at++] = 0x18;
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  /** False, with nothing written, if there is a character beyond ASCII. */
  #ascii(tag: number, text: string): boolean {
    this.reserve(text.length + 2);
    return this.#asciiAt(this.at, tag, text);
  }

  /** The same from there on, where there is room; what stands before it is then written, too. */
  #asciiAt(start: number, tag: number, text: string): boolean {
    const { length } = text;
    const { bytes } = this;
    let at = start;
    bytes[at++] = tag;
    bytes[at++] = length;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.at = at;
    return true;
  }

  /** A copy of what was written; the encoder starts again. */
  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.bytes, 0, this.at);
    this.at = 0;
    return taken;
  }
}
