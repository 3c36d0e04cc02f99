// Writes what an expression has come to as an attribute.

import type { Writer } from "../../wire/writer.ts";
import { Failure, isList, isMap, maxInt, typeNameOf, Uint, type Value } from "../cel/values.ts";

/** Lists and maps within one another: a message has 64 levels at most, and a map takes three of them. */
const maxDepth = 16;
/** A list that stands in another many times is written as often. */
const maxValues = 1_000_000;

interface Budget {
  values: number;
}

export interface Attribute {
  /** Of the field that the attributes are in. */
  readonly number: number;
  readonly key: string;
  readonly value: Value;
}

/** The whole field. */
export function writeAttribute(
  writer: Writer,
  { number, key, value }: Attribute,
): Uint8Array | Failure {
  const failure = problemOf(value, 0, { values: maxValues });
  if (failure) return failure;
  writer.begin(number);
  writePair(writer, key, value);
  writer.end();
  return writer.finish();
}

/** Looked for before, since what is half written cannot be taken back. */
function problemOf(value: Value, depth: number, budget: Budget): Failure | undefined {
  if (depth > maxDepth) return new Failure("lists or maps nested too deeply for an attribute");
  if (--budget.values < 0) return new Failure(`more than ${maxValues} values in an attribute`);
  if (value instanceof Failure) return value;
  if (value !== null && isList(value)) {
    return first(value, (item) => problemOf(item, depth + 1, budget));
  }
  if (isMap(value)) {
    const map = value.forLookups();
    return first(map.keys(), (key) => {
      if (typeof key !== "string") return new Failure(`${typeNameOf(key)} as a key of a map`);
      return problemOf(map.get(key) ?? null, depth + 1, budget);
    });
  }
  if (value instanceof Uint && value.value > maxInt) return new Failure("an int out of range");
  const isKnown =
    value === null ||
    ["string", "boolean", "bigint", "number"].includes(typeof value) ||
    value instanceof Uint ||
    value instanceof Uint8Array;
  return isKnown ? undefined : new Failure(`${typeNameOf(value)} as an attribute; use string()`);
}

function first(
  values: readonly Value[],
  problem: (value: Value) => Failure | undefined,
): Failure | undefined {
  for (const value of values) {
    const found = problem(value);
    if (found) return found;
  }
  return undefined;
}

function writePair(writer: Writer, key: string, value: Value): void {
  writer.text(1, key);
  writer.begin(2);
  writeValue(writer, value);
  writer.end();
}

function writeValue(writer: Writer, value: Value): void {
  if (typeof value === "string") writer.text(1, value);
  else if (typeof value === "boolean") writer.uint(2, Number(value));
  else if (typeof value === "bigint") writer.int64(3, value);
  else if (typeof value === "number") writer.double(4, value);
  else if (value instanceof Uint) writer.int64(3, value.value);
  else if (value instanceof Uint8Array) writer.bytes(7, value);
  else if (value !== null && isList(value)) {
    writer.begin(5);
    for (const item of value) {
      writer.begin(1);
      writeValue(writer, item);
      writer.end();
    }
    writer.end();
  } else if (isMap(value)) {
    writer.begin(6);
    const map = value.forLookups();
    for (const key of map.keys()) {
      writer.begin(1);
      writePair(writer, key as string, map.get(key) ?? null); // texts only, see problemOf
      writer.end();
    }
    writer.end();
  }
}
