// Points of metrics: the numbers that are searched for, and all the rest as JSON.

import { Cursor } from "../../wire/cursor.ts";
import { textOfDouble } from "./json-writer.ts";

export interface Point {
  /** The value, or count, sum and the like. */
  readonly numbers: Readonly<Record<string, number | bigint>>;
  /** Buckets or quantiles. */
  readonly rest?: string;
}

/** A point without a value says that there is none any more. */
export function readNumber(cursor: Cursor): Point {
  const numbers: Record<string, number | bigint> = {};
  while (cursor.next()) {
    if (cursor.number === 4) numbers["value"] = cursor.double();
    else if (cursor.number === 6) numbers["value"] = cursor.int64();
  }
  return { numbers };
}

export function readHistogram(cursor: Cursor): Point {
  const numbers: Record<string, number | bigint> = {};
  const counts: string[] = [];
  const bounds: string[] = [];
  while (cursor.next()) {
    if (cursor.number === 4) numbers["count"] = cursor.uint64();
    else if (cursor.number === 5) numbers["sum"] = cursor.double();
    else if (cursor.number === 6) counts.push(...fixedIn(cursor));
    else if (cursor.number === 7) bounds.push(...doublesIn(cursor));
    else if (cursor.number === 11) numbers["min"] = cursor.double();
    else if (cursor.number === 12) numbers["max"] = cursor.double();
  }
  numbers["count"] ??= 0n;
  return { numbers, rest: `{"counts":[${counts.join()}],"bounds":[${bounds.join()}]}` };
}

export function readExponential(cursor: Cursor): Point {
  const numbers: Record<string, number | bigint> = {};
  let scale = 0;
  let zeroCount = 0n;
  let threshold = 0;
  const buckets: string[] = [];
  while (cursor.next()) {
    if (cursor.number === 4) numbers["count"] = cursor.uint64();
    else if (cursor.number === 5) numbers["sum"] = cursor.double();
    else if (cursor.number === 6) scale = cursor.sint32();
    else if (cursor.number === 7) zeroCount = cursor.uint64();
    else if (cursor.number === 8) buckets[0] = `,"positive":${bucketsIn(cursor)}`;
    else if (cursor.number === 9) buckets[1] = `,"negative":${bucketsIn(cursor)}`;
    else if (cursor.number === 12) numbers["min"] = cursor.double();
    else if (cursor.number === 13) numbers["max"] = cursor.double();
    else if (cursor.number === 14) threshold = cursor.double();
  }
  numbers["count"] ??= 0n;
  const zero = `"zero_count":${zeroCount},"zero_threshold":${textOfDouble(threshold)}`;
  return { numbers, rest: `{"scale":${scale},${zero}${buckets.join("")}}` };
}

export function readSummary(cursor: Cursor): Point {
  const numbers: Record<string, number | bigint> = { count: 0n, sum: 0 };
  const quantiles: string[] = [];
  const values: string[] = [];
  while (cursor.next()) {
    if (cursor.number === 4) numbers["count"] = cursor.uint64();
    else if (cursor.number === 5) numbers["sum"] = cursor.double();
    else if (cursor.number === 6) {
      const at = new Cursor(cursor.bytes, cursor.start, cursor.end);
      let [quantile, value] = [0, 0];
      while (at.next()) {
        if (at.number === 1) quantile = at.double();
        else if (at.number === 2) value = at.double();
      }
      quantiles.push(textOfDouble(quantile));
      values.push(textOfDouble(value));
    }
  }
  return { numbers, rest: `{"quantiles":[${quantiles.join()}],"values":[${values.join()}]}` };
}

function bucketsIn({ bytes, start, end }: Cursor): string {
  const cursor = new Cursor(bytes, start, end);
  let offset = 0;
  const counts: string[] = [];
  while (cursor.next()) {
    if (cursor.number === 1) offset = cursor.sint32();
    else if (cursor.number === 2) counts.push(...varintsIn(cursor));
  }
  return `{"offset":${offset},"counts":[${counts.join()}]}`;
}

/** Packed, or one of them alone. */
function* fixedIn(cursor: Cursor): Generator<string> {
  if (cursor.wireType !== 2) yield String(cursor.uint64());
  else {
    const count = (cursor.end - cursor.start) / 8;
    for (let index = 0; index < count; index++) yield String(cursor.fixed64At(index));
  }
}

function* doublesIn(cursor: Cursor): Generator<string> {
  if (cursor.wireType !== 2) yield textOfDouble(cursor.double());
  else {
    const count = (cursor.end - cursor.start) / 8;
    for (let index = 0; index < count; index++) yield textOfDouble(cursor.doubleAt(index));
  }
}

function* varintsIn(cursor: Cursor): Generator<string> {
  if (cursor.wireType !== 2) {
    yield String(cursor.uint64());
    return;
  }
  const { bytes, end } = cursor;
  for (let at = cursor.start; at < end;) {
    let value = 0n;
    let shift = 0n;
    let byte: number;
    do {
      byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (byte >= 0x80);
    yield String(BigInt.asUintN(64, value));
  }
}
