// Builds JSON in one growing buffer, from UTF-8 bytes rather than from strings: what needs no escape,
// nearly everything, is copied as it is.

const startBytes = 64 * 1024;
/** What is kept of a buffer that has grown. */
const keptBytes = 16 * 1024 * 1024;

export class JsonWriter {
  /** What it was given to begin in. */
  readonly #home: Buffer | undefined;
  #bytes: Buffer;
  #length = 0;

  constructor(home?: Buffer) {
    this.#home = home;
    this.#bytes = home ?? Buffer.allocUnsafe(startBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Whether it still is in the buffer that it was given; when that is full it moves into a larger one. */
  get isAtHome(): boolean {
    return this.#bytes === this.#home;
  }

  /** Somebody else has written up to there, at home. */
  extend(length: number): void {
    this.#length = length;
  }

  /** Goes back to an earlier length; `slice`s taken before will be written over. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Starts again, and gives back what an unusually large content made it take. */
  clear(): void {
    this.#length = 0;
    if (this.#home) this.#bytes = this.#home;
    else if (this.#bytes.length > keptBytes) this.#bytes = Buffer.allocUnsafe(startBytes);
  }

  /** What was written there, shared and not copied. */
  slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end);
  }

  /** JSON already, in ASCII: punctuation, names of fields. */
  ascii(text: string): void {
    this.#reserve(text.length);
    const out = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) out[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** JSON already. */
  raw(json: Uint8Array): void {
    this.#reserve(json.length);
    this.#bytes.set(json, this.#length);
    this.#length += json.length;
  }

  /** The UTF-8 text that lies there, quoted. */
  string(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start + 2);
    let out = this.#bytes;
    let at = this.#length;
    out[at++] = quote;
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!;
      if (byte >= 0x20 && byte !== quote && byte !== backslash) {
        out[at++] = byte;
        continue;
      }
      this.#length = at;
      this.#reserve(longestEscape + end - index);
      out = this.#bytes;
      at = writeEscape(out, at, byte);
    }
    out[at++] = quote;
    this.#length = at;
  }

  /** Makes a string of the JSON written since `start`. */
  quoteSince(start: number): void {
    const json = Buffer.from(this.#bytes.subarray(start, this.#length));
    this.#length = start;
    this.string(json, 0, json.length);
  }

  /** Bytes as hexadecimal digits, quoted. */
  hex(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve((end - start) * 2 + 2);
    const out = this.#bytes;
    let at = this.#length;
    out[at++] = quote;
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!;
      out[at++] = hexDigits[byte >>> 4]!;
      out[at++] = hexDigits[byte & 15]!;
    }
    out[at++] = quote;
    this.#length = at;
  }

  base64(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
    this.#reserve(text.length + 2);
    this.#bytes[this.#length++] = quote;
    this.#length += this.#bytes.write(text, this.#length, "latin1");
    this.#bytes[this.#length++] = quote;
  }

  /** A whole number from 0 to 2^53. */
  uint(value: number): void {
    if (value < 10) {
      this.#reserve(1);
      this.#bytes[this.#length++] = zero + value;
      return;
    }
    this.ascii(String(value));
  }

  double(value: number): void {
    this.ascii(textOfDouble(value));
  }

  /** Of a fixed width with leading zeros; below 2^31. */
  digits(value: number, width: number): void {
    this.#reserve(width);
    const out = this.#bytes;
    const start = this.#length;
    let rest = value | 0; // stays with 32-bit integers
    for (let at = start + width - 1; at >= start; at--) {
      const next = (rest / 10) | 0;
      out[at] = zero + rest - next * 10;
      rest = next;
    }
    this.#length = start + width;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Always told from an integer, so that the first 2.0 does not make a field of whole numbers. */
export function textOfDouble(value: number): string {
  if (!Number.isFinite(value)) return "null"; // JSON has neither NaN nor infinity
  const text = Object.is(value, -0) ? "-0" : String(value);
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${text}.0` : text; // above it has an e
}

const quote = 0x22;
const backslash = 0x5c;
const zero = 0x30;
const hexDigits = Buffer.from("0123456789abcdef");
/** \u001f */
const longestEscape = 6;
/** Of those that have one: the letter behind the backslash. */
const shortEscapes = new Map(
  ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"].map((pair) => [
    pair.charCodeAt(0),
    pair.charCodeAt(1),
  ]),
);

function writeEscape(out: Uint8Array, start: number, byte: number): number {
  let at = start;
  out[at++] = backslash;
  const letter = shortEscapes.get(byte);
  if (letter !== undefined) {
    out[at++] = letter;
    return at;
  }
  out[at++] = 0x75; // u
  out[at++] = zero;
  out[at++] = zero;
  out[at++] = hexDigits[byte >>> 4]!;
  out[at++] = hexDigits[byte & 15]!;
  return at;
}
