// OTLP/JSON text from trusted bytes, for people, dead letters and tests. Written from the wire without a
// tree of objects; fields stand in the order of their numbers, those with a default value are left out.

import type { Signal } from "./batch.ts";
import { Cursor } from "./cursor.ts";
import { type Field, type Message, requests } from "./schema.ts";

/** One line; fromJson() makes the same request of it. */
export function toJson(signal: Signal, bytes: Uint8Array): string {
  return messageText(requests[signal], [bytes]);
}

/** One message that may stand in several parts: protobuf merges those by concatenation. */
function messageText(message: Message, parts: readonly Uint8Array[]): string {
  const { texts, children } = read(message, parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  const fields: string[] = [];
  for (const field of message.fields) {
    if (!field) continue;
    const values = texts[field.number];
    const child = children[field.number];
    const name = JSON.stringify(field.jsonName);
    if (child) fields.push(`${name}:${messageText(field.type as Message, child)}`);
    else if (values && field.repeated) fields.push(`${name}:[${values.join(",")}]`);
    else if (values) fields.push(`${name}:${values[0]}`);
  }
  return `{${fields.join(",")}}`;
}

/** What was found of each field, by its number. */
interface Contents {
  readonly texts: (string[] | undefined)[];
  /** Of single messages, whose parts may lie apart. */
  readonly children: (Uint8Array[] | undefined)[];
}

function read(message: Message, bytes: Uint8Array): Contents {
  const texts: Contents["texts"] = [];
  const children: Contents["children"] = [];
  const cursor = new Cursor(bytes);
  let member = 0;
  while (cursor.next()) {
    const field = message.fields[cursor.number];
    if (!field) continue;
    const { number, type, repeated } = field;
    if (field.presence === "oneof" && member !== number) {
      // Of the members of a oneof the last one counts.
      texts[member] = children[member] = undefined;
      member = number;
    }
    if (repeated) addTo((texts[number] ??= []), field, cursor);
    else if (typeof type === "object") (children[number] ??= []).push(cursor.slice());
    else {
      const text = valueText(field, cursor);
      texts[number] = field.presence || !isDefault(field, text) ? [text] : undefined;
    }
  }
  return { texts, children };
}

const defaults: ReadonlySet<string> = new Set(["0", '"0"', '""', "false"]);

/** "0" is the default of a 64-bit integer, but not of a string. */
function isDefault({ type }: Field, text: string): boolean {
  return type === "string" ? text === '""' : defaults.has(text);
}

function addTo(texts: string[], field: Field, cursor: Cursor): void {
  const { type } = field;
  if (typeof type === "object") texts.push(messageText(type, [cursor.slice()]));
  else if (type === "string" || type === "bytes") {
    texts.push(valueText(field, cursor));
  } else if (type === "double" || type === "fixed64") {
    const count = (cursor.end - cursor.start) / 8;
    for (let index = 0; index < count; index++) {
      if (type === "double") texts.push(doubleText(cursor.doubleAt(index)));
      else texts.push(`"${cursor.fixed64At(index)}"`);
    }
  } else {
    const { bytes, end } = cursor;
    for (let { start } = cursor; start < end;) {
      let value = 0n;
      let byte: number;
      let shift = 0n;
      do {
        byte = bytes[start++]!;
        value |= BigInt(byte & 0x7f) << shift;
        shift += 7n;
      } while (byte >= 0x80);
      texts.push(`"${BigInt.asUintN(64, value)}"`);
    }
  }
}

function valueText(field: Field, cursor: Cursor): string {
  switch (field.type) {
    case "string":
      return JSON.stringify(cursor.text());
    case "bytes":
      return field.idLength
        ? `"${cursor.hex()}"`
        : `"${Buffer.from(cursor.slice()).toString("base64")}"`;
    case "bool":
      return String(cursor.uint() !== 0);
    case "double":
      return doubleText(cursor.double());
    case "fixed32":
      return String(cursor.fixed32());
    case "uint32":
      return String(cursor.int32() >>> 0);
    case "sint32":
      return String(cursor.sint32());
    case "int64":
    case "sfixed64":
      return `"${cursor.int64()}"`;
    case "uint64":
    case "fixed64":
      return `"${cursor.uint64()}"`;
    default:
      return String(cursor.int32());
  }
}

function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}
