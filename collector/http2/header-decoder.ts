// Reads HPACK header blocks (RFC 7541). What cannot be read ends the connection, since both sides' tables
// would differ from then on; a list that is too long or malformed costs its own request only.

import { DynamicTable, entryOverhead, type HeaderField, staticTable } from "./header-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { ConnectionError, errorCodes } from "./protocol.ts";

export interface HeaderSink {
  header(name: string, value: string): void;
}

/** `too_large` and `malformed`: the tables are right, but the sink has not seen everything. */
export type HeaderList = "complete" | "too_large" | "malformed";

const tableBytes = 4_096; // what a peer assumes unless told otherwise
const staticFields: readonly HeaderField[] = staticTable.map(([name, value]) =>
  fieldOf(name, value, true),
);

export class HeaderDecoder {
  readonly #table = new DynamicTable(tableBytes);
  readonly #maxListBytes: number;
  #bytes: Uint8Array = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** Of names, values and 32 bytes for each header, as RFC 9113 counts them. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** A whole block. Nothing in it is kept but what goes into the table. */
  decode(bytes: Uint8Array, [start, end]: readonly [number, number], sink: HeaderSink): HeaderList {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#tableSizes();
    let size = 0;
    let isMalformed = false;
    while (this.#at < end) {
      const field = this.#field();
      size += field.size;
      if (!field.isSound) isMalformed = true;
      // Past the limit only the table matters: a byte that names a long entry must cost no more.
      if (size <= this.#maxListBytes) sink.header(field.name, field.value);
    }
    if (size > this.#maxListBytes) return "too_large";
    return isMalformed ? "malformed" : "complete";
  }

  /** Allowed at the beginning of a block only. */
  #tableSizes(): void {
    while (this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20) {
      const size = this.#integer(5);
      if (size > tableBytes) throw invalid(`a table of ${size} bytes, the limit is ${tableBytes}`);
      this.#table.resize(size);
    }
  }

  #field(): HeaderField {
    const first = this.#bytes[this.#at]!;
    if (first & 0x80) return this.#indexed(this.#integer(7));
    if ((first & 0xe0) === 0x20) throw invalid("a table size in the middle of a block");
    const isKept = (first & 0xc0) === 0x40;
    const index = this.#integer(isKept ? 6 : 4);
    const named = index === 0 ? undefined : this.#indexed(index);
    const name = named ? named.name : this.#text();
    const field = fieldOf(name, this.#text(), named ? named.isSound : headerName.test(name));
    if (isKept) this.#table.add(field);
    return field;
  }

  #indexed(index: number): HeaderField {
    const field =
      index <= staticFields.length
        ? staticFields[index - 1]
        : this.#table.get(index - staticFields.length - 1);
    if (!field) throw invalid(`no entry ${index} in the table`);
    return field;
  }

  #text(): string {
    if (this.#at >= this.#end) throw truncated();
    const isHuffman = (this.#bytes[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw truncated();
    if (!isHuffman) return latin1(this.#bytes, start, this.#at);
    const scratch = scratchOf(length);
    return scratch.toString("latin1", 0, decodeHuffman(this.#bytes, start, this.#at, scratch));
  }

  /** An integer whose first byte shares its upper bits with something else. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) throw truncated();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw invalid("a number of more than 28 bits");
  }
}

const headerName = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;

function fieldOf(name: string, value: string, isSound: boolean): HeaderField {
  return { name, value, size: name.length + value.length + entryOverhead, isSound };
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("latin1", start, end);
}

let scratch = Buffer.allocUnsafeSlow(1_024);

/** For the text of so many coded bytes; blocks are bounded, and with them this. */
function scratchOf(codedBytes: number): Buffer {
  const needed = Math.ceil((codedBytes * 8) / 5);
  if (needed > scratch.length) scratch = Buffer.allocUnsafeSlow(needed);
  return scratch;
}

const truncated = (): ConnectionError => invalid("the header block ends in the middle of a header");

function invalid(what: string): ConnectionError {
  return new ConnectionError(errorCodes.compression, what);
}
