// Writes HPACK header blocks without a dynamic table: a block then means the same at any time and on any
// connection, so the blocks that are always alike are made once.

import { staticTable } from "./header-table.ts";

const indexOfField = new Map<string, number>();
const indexOfName = new Map<string, number>();
for (const [index, [name, value]] of staticTable.entries()) {
  indexOfField.set(`${name}\n${value}`, index + 1);
  if (!indexOfName.has(name)) indexOfName.set(name, index + 1);
}

/**
 * Empties the dynamic table that we do not use. It begins the first block on a connection: a peer that
 * allows a smaller table than the usual one is told that we keep to it.
 */
export const noTable = Buffer.from([0x20]);

export type Header = readonly [name: string, value: string];

/** Values are latin1. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const bytes: number[] = [];
  for (const [name, value] of headers) {
    const known = indexOfField.get(`${name}\n${value}`);
    if (known !== undefined) {
      integer(bytes, { prefixBits: 7, first: 0x80, value: known });
      continue;
    }
    // Secrets are marked so that nobody on the way puts them into a table either.
    const first = name === "authorization" ? 0x10 : 0;
    const index = indexOfName.get(name) ?? 0;
    integer(bytes, { prefixBits: 4, first, value: index });
    if (index === 0) text(bytes, name);
    text(bytes, value);
  }
  return Buffer.from(bytes);
}

function text(into: number[], value: string): void {
  const bytes = Buffer.from(value, "latin1");
  integer(into, { prefixBits: 7, first: 0, value: bytes.length });
  for (const byte of bytes) into.push(byte);
}

interface Integer {
  readonly prefixBits: number;
  /** The bits before the prefix. */
  readonly first: number;
  readonly value: number;
}

function integer(into: number[], { prefixBits, first, value }: Integer): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    into.push(first | value);
    return;
  }
  into.push(first | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) into.push((rest & 0x7f) | 0x80);
  into.push(rest);
}
