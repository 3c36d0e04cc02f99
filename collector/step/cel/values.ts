// The values of expressions while they are computed, and what holds for all of them: equality, order,
// their types' names. An int is a bigint and a double a number, so that neither is taken for the other.

import { work } from "./work.ts";

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | TypeValue
  | ValueList
  | ValueMap
  | Part
  | Failure;

export type ValueList = readonly Value[];

export const minInt = -(2n ** 63n);
export const maxInt = 2n ** 63n - 1n;
export const maxUint = 2n ** 64n - 1n;

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** What `type(…)` gives. */
export class TypeValue {
  readonly type: string;

  constructor(type: string) {
    this.type = type;
  }
}

/**
 * What an expression comes to that has no value: a division by zero, say. It is passed on like a value,
 * since `false && failure` is false.
 */
export class Failure {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

/** A map, be it in the bytes or made by the expression. */
export interface ValueMap {
  readonly isMap: true;
  get(key: Value): Value | undefined;
  keys(): Value[];
  readonly size: number;
  /** The same, where each `get` takes no longer the more keys there are in the bytes. */
  forLookups(): ValueMap;
}

/** A message within the bytes, such as an event of a span. */
export class Part {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}

/** Made by an expression. Few entries, so they are searched one by one, by the equality of their keys. */
export class LiteralMap implements ValueMap {
  readonly isMap = true;
  readonly #entries: readonly (readonly [Value, Value])[];

  constructor(entries: readonly (readonly [Value, Value])[]) {
    this.#entries = entries;
  }

  get(key: Value): Value | undefined {
    return this.#entries.find(([known]) => isSame(known, key, work.steps))?.[1];
  }

  keys(): Value[] {
    return this.#entries.map(([key]) => key);
  }

  get size(): number {
    return this.#entries.length;
  }

  forLookups(): this {
    return this;
  }
}

/** A list or a map as a key would make looking it up a comparison without end. */
export function isKey(value: Value): boolean {
  return ["boolean", "bigint", "string"].includes(typeof value) || value instanceof Uint;
}

export function isList(value: Value): value is ValueList {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return typeof value === "object" && value !== null && "isMap" in value;
}

export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "string":
      return "string";
    default:
  }
  if (value === null) return "null_type";
  if (value instanceof Uint) return "uint";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof TypeValue) return "type";
  if (value instanceof Failure) return "error";
  if (isList(value)) return "list";
  return isMap(value) ? "map" : "message";
}

/** An int, uint or double as a number of JavaScript that compares exactly with others; else undefined. */
function numeric(value: Value): bigint | number | undefined {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return value instanceof Uint ? value.value : undefined;
}

/**
 * Within one comparison. A list that a loop has put into another twice, and that one again, is compared as
 * often as it would be written, which doubles at each level.
 */
const mostSteps = 1_000_000;
const tooManySteps = `values that take more than ${mostSteps} steps to compare`;

/** Of any two values: those of different types are not equal, but 1, 1u and 1.0 are. */
export function equals(a: Value, b: Value): boolean | Failure {
  const limit = work.steps + mostSteps;
  const answer = isSame(a, b, limit);
  return work.steps > limit ? new Failure(tooManySteps) : answer;
}

export function isAmong(value: Value, list: ValueList): boolean | Failure {
  const limit = work.steps + mostSteps;
  const answer = list.some((item) => ++work.steps <= limit && isSame(item, value, limit));
  return work.steps > limit ? new Failure(tooManySteps) : answer;
}

/** Of no meaning once there are more steps than the limit. */
function isSame(a: Value, b: Value, limit: number): boolean {
  if (a === b) return true;
  const [left, right] = [numeric(a), numeric(b)];
  // JavaScript compares a bigint with a number by what they stand for, without rounding.
  // oxlint-disable-next-line eqeqeq
  if (left !== undefined && right !== undefined) return left == right;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.type === b.type;
  if (a instanceof Part) return b instanceof Part && samePart(a, b);
  if (isList(a)) return isList(b) && sameList(a, b, limit);
  return isMap(a) && isMap(b) && sameMap(a, b, limit);
}

function samePart(a: Part, b: Part): boolean {
  const [left, right] = [a, b].map(({ bytes, start, end }) => bytes.subarray(start, end));
  return Buffer.compare(left ?? noBytes, right ?? noBytes) === 0;
}

const noBytes = new Uint8Array();

function sameList(a: ValueList, b: ValueList, limit: number): boolean {
  if (a.length !== b.length) return false;
  return a.every((item, at) => ++work.steps <= limit && isSame(item, b[at] ?? null, limit));
}

function sameMap(a: ValueMap, b: ValueMap, limit: number): boolean {
  const [left, right] = [a.forLookups(), b.forLookups()];
  if (left.size !== right.size) return false;
  return left.keys().every((key) => {
    if (++work.steps > limit) return false;
    const [one, other] = [left.get(key), right.get(key)];
    return one !== undefined && other !== undefined && isSame(one, other, limit);
  });
}

/** Negative, 0 or positive; NaN where neither is before the other; undefined where there is no order. */
export function compare(a: Value, b: Value): number | undefined {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) {
    // oxlint-disable-next-line eqeqeq
    return left < right ? -1 : left > right ? 1 : left == right ? 0 : Number.NaN;
  }
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (
    (a instanceof Timestamp && b instanceof Timestamp) ||
    (a instanceof Duration && b instanceof Duration)
  ) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  return undefined;
}

/** By characters. JavaScript's own order is by halves of them, which puts U+1F600 before U+FB00. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === length) return a.length - b.length;
  const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
  if (isSurrogate(left) !== isSurrogate(right)) return isSurrogate(left) ? 1 : -1;
  return left - right;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}

/** Characters, as CEL counts them. */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) count--;
  }
  return count;
}
