// Every field of a request, read through a Cursor as a view would, into a form in which the readings of
// several decoders can be compared: for each message its fields that are set, by their numbers. Integers
// are decimal, doubles the sixteen hex digits of their bits, strings and bytes hex; NaNs are one.

import type { Signal } from "../../collector/wire/batch.ts";
import { Cursor } from "../../collector/wire/cursor.ts";
import { Leaves, type Range } from "../../collector/wire/leaves.ts";
import { type Field, type Message, requests } from "../../collector/wire/schema.ts";

export type Reading = { readonly [number: string]: Value | readonly Value[] };
export type Value = string | Reading;

export function readMessage(signal: Signal, bytes: Uint8Array): Reading {
  return readParts(requests[signal], [bytes]);
}

/** What Leaves gives: each leaf with its resource and scope, those that are absent as empty. */
export function readLeaves(signal: Signal, bytes: Uint8Array): LeafReading[] {
  const [resource, group] = [1, 2].map((number) =>
    messageAt(messageAt(requests[signal], 1), number),
  );
  const leaves = new Leaves({ bytes });
  const readings: LeafReading[] = [];
  while (leaves.next()) {
    const read = (message: Message, { start, end }: Range): Reading =>
      readParts(message, [bytes.subarray(start, end)]);
    readings.push({
      resource: read(resource!, leaves.resource),
      scope: read(messageAt(group!, 1), leaves.scope),
      leaf: read(messageAt(group!, 2), leaves),
    });
  }
  return readings;
}

export interface LeafReading {
  readonly resource: Reading;
  readonly scope: Reading;
  readonly leaf: Reading;
}

function messageAt({ fields }: Message, number: number): Message {
  return fields[number]!.type as Message;
}

/** A single message may stand in several parts: together they are one. */
function readParts(message: Message, parts: readonly Uint8Array[]): Reading {
  const cursor = new Cursor(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  const values: (Value[] | undefined)[] = [];
  const children: (Uint8Array[] | undefined)[] = [];
  let member = 0;
  while (cursor.next()) {
    const field = message.fields[cursor.number];
    if (!field) continue;
    const { number } = field;
    if (field.presence === "oneof" && member !== number) {
      values[member] = children[member] = undefined;
      member = number;
    }
    if (typeof field.type === "object" && !field.repeated) {
      (children[number] ??= []).push(cursor.slice());
    } else if (field.repeated) (values[number] ??= []).push(...listOf(field, cursor));
    else values[number] = [scalar(field, cursor)];
  }
  const reading: Record<string, Value | readonly Value[]> = {};
  for (const field of message.fields) {
    if (!field) continue;
    const parts = children[field.number];
    const list = values[field.number];
    if (parts) reading[field.number] = readParts(field.type as Message, parts);
    else if (list && field.repeated && list.length > 0) reading[field.number] = list;
    else if (list && !field.repeated && (field.presence || !isDefault(field, list[0]!))) {
      reading[field.number] = list[0]!;
    }
  }
  return reading;
}

function isDefault({ type }: Field, value: Value): boolean {
  return value === (type === "double" ? zero : type === "string" || type === "bytes" ? "" : "0");
}

const zero = "0".repeat(16);

function listOf(field: Field, cursor: Cursor): Value[] {
  const { type } = field;
  if (typeof type === "object") return [readParts(type, [cursor.slice()])];
  if (cursor.wireType !== 2 || type === "string") return [scalar(field, cursor)];
  const count = (cursor.end - cursor.start) / 8;
  if (type === "double") {
    return Array.from({ length: count }, (_, index) => bitsOf(cursor.doubleAt(index)));
  }
  if (type === "fixed64") {
    return Array.from({ length: count }, (_, index) => String(cursor.fixed64At(index)));
  }
  const list: Value[] = [];
  for (let { start } = cursor; start < cursor.end;) {
    let end = start;
    while (cursor.bytes[end++]! >= 0x80);
    // A packed number has no tag; one in front of it makes it a field.
    const alone = new Cursor(Buffer.concat([Uint8Array.of(8), cursor.bytes.subarray(start, end)]));
    alone.next();
    list.push(scalar(field, alone));
    start = end;
  }
  return list;
}

function scalar({ type }: Field, cursor: Cursor): string {
  switch (type) {
    case "string":
      return Buffer.from(cursor.text()).toString("hex");
    case "bytes":
      return cursor.hex();
    case "double":
      return bitsOf(cursor.double());
    case "bool":
      return cursor.uint() === 0 ? "0" : "1";
    case "uint32":
      return String(cursor.int32() >>> 0);
    case "sint32":
      return String(cursor.sint32());
    case "fixed32":
      return String(cursor.fixed32());
    case "int64":
    case "sfixed64":
      return String(cursor.int64());
    case "uint64":
    case "fixed64":
      return String(cursor.uint64());
    default:
      return String(cursor.int32());
  }
}

const eightBytes = Buffer.alloc(8);

export function bitsOf(double: number): string {
  eightBytes.writeDoubleBE(Number.isNaN(double) ? Number.NaN : double);
  return eightBytes.toString("hex");
}
