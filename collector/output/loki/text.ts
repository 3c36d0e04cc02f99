// A value as text: texts as they are, what has parts as JSON.

import { Cursor } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";

/** Fields of an AnyValue. */
export const valueKinds = {
  text: 1,
  boolean: 2,
  int: 3,
  double: 4,
  list: 5,
  map: 6,
  bytes: 7,
} as const;

/** The last one that it has, standing on it: that is what protobuf means. Undefined for no value. */
export function kindOf(bytes: Uint8Array, { start, end }: Range): Cursor | undefined {
  const look = new Cursor(bytes, start, end);
  let kind: Cursor | undefined;
  while (look.next()) {
    if (look.number < valueKinds.text || look.number > valueKinds.bytes) continue;
    kind = new Cursor(bytes, look.fieldStart, look.end);
  }
  kind?.next();
  return kind;
}

export function textOfValue(bytes: Uint8Array, range: Range): string {
  return textOfKind(kindOf(bytes, range));
}

/** Of what `kindOf` has found. */
export function textOfKind(kind: Cursor | undefined): string {
  if (kind === undefined) return "";
  if (kind.number === valueKinds.text) return kind.text();
  return kind.number === valueKinds.bytes ? base64(kind) : jsonOf(kind);
}

function jsonOf(kind: Cursor): string {
  switch (kind.number) {
    case valueKinds.text:
      return JSON.stringify(kind.text());
    case valueKinds.boolean:
      return kind.int32() === 0 ? "false" : "true";
    case valueKinds.int:
      return String(kind.int64());
    case valueKinds.double:
      return jsonOfDouble(kind.double());
    case valueKinds.bytes:
      return `"${base64(kind)}"`;
    case valueKinds.list:
      return `[${jsonOfList(kind).join(",")}]`;
    default:
      return `{${jsonOfMap(kind).join(",")}}`;
  }
}

/** What JSON has no number for is a text. */
function jsonOfDouble(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

function jsonOfList({ bytes, start, end }: Cursor): string[] {
  const parts: string[] = [];
  const values = new Cursor(bytes, start, end);
  while (values.next()) if (values.number === 1) parts.push(jsonOfRange(bytes, values));
  return parts;
}

function jsonOfMap({ bytes, start, end }: Cursor): string[] {
  const parts: string[] = [];
  const entries = new Cursor(bytes, start, end);
  while (entries.next()) {
    if (entries.number !== 1) continue;
    const entry = new Cursor(bytes, entries.start, entries.end);
    let [key, value] = ["", "null"];
    while (entry.next()) {
      if (entry.number === 1) key = entry.text();
      if (entry.number === 2) value = jsonOfRange(bytes, entry);
    }
    parts.push(`${JSON.stringify(key)}:${value}`);
  }
  return parts;
}

function jsonOfRange(bytes: Uint8Array, range: Range): string {
  const kind = kindOf(bytes, range);
  return kind === undefined ? "null" : jsonOf(kind);
}

function base64({ bytes, start, end }: Cursor): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("base64");
}
