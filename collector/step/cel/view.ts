// Reads what an expression asks for straight from the batch's bytes: a field, an attribute by its key, a
// value that may be of any type. Nothing else is looked at, and nothing is decoded that is not asked for.

import { Cursor, hexOf, textOf } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";
import type { Field } from "./types.ts";
import { Part, Timestamp, type Value, type ValueMap } from "./values.ts";
import { work } from "./work.ts";

/** They are used within one call each, so one serves for all; those of other bytes are begun anew. */
const outer = new Cursor(new Uint8Array());
const inner = new Cursor(new Uint8Array());

/** The last field of this number in a message; `found` tells where its value is. */
export function findField(
  bytes: Uint8Array,
  message: Range,
  number: number,
  found: Range,
): boolean {
  outer.over(message.start, message.end, bytes);
  found.start = found.end = message.start;
  let isThere = false;
  let steps = 1;
  for (; outer.next(); steps++) {
    if (outer.number !== number) continue;
    found.start = outer.start;
    found.end = outer.end;
    isThere = true;
  }
  work.steps += steps;
  return isThere;
}

/**
 * The value of the first attribute with this key, which is given as bytes. `number` is that of the
 * message's field that has the attributes.
 */
export function findAttribute(
  bytes: Uint8Array,
  { message, number }: { readonly message: Range; readonly number: number },
  key: Uint8Array,
  found: Range,
): boolean {
  outer.over(message.start, message.end, bytes);
  found.start = found.end = message.start;
  let isThere = false;
  let steps = 1;
  for (; !isThere && outer.next(); steps++) {
    // Shorter than the key alone: not even looked into.
    if (outer.number !== number || outer.end - outer.start < key.length) continue;
    isThere = matchesKey(bytes, outer, key, found);
  }
  work.steps += steps;
  return isThere;
}

function matchesKey(bytes: Uint8Array, pair: Range, key: Uint8Array, found: Range): boolean {
  inner.over(pair.start, pair.end, bytes);
  found.start = found.end = pair.end;
  let isKey = key.length === 0;
  while (inner.next()) {
    if (inner.number === 1) {
      isKey = isSame(bytes, inner, key);
      if (!isKey && inner.start === pair.start + 2) return false; // as everybody writes it: key first
    } else if (inner.number === 2) {
      found.start = inner.start;
      found.end = inner.end;
    }
  }
  return isKey;
}

export function isSame(bytes: Uint8Array, { start, end }: Range, other: Uint8Array): boolean {
  const { length } = other;
  if (end - start !== length) return false;
  // From behind: keys begin alike, http.request.method and http.request.header.host.
  for (let at = length - 1; at >= 0; at--) if (bytes[start + at] !== other[at]) return false;
  return true;
}

/** Where the text of a value is, if it is one. */
export function findText(bytes: Uint8Array, value: Range, found: Range): boolean {
  outer.over(value.start, value.end, bytes);
  let isText = false;
  while (outer.next()) {
    isText = outer.number === 1;
    found.start = outer.start;
    found.end = outer.end;
  }
  return isText;
}

/** What an attribute's value or a log's body holds. Nothing at all is null. */
export function valueAt(bytes: Uint8Array, { start, end }: Range): Value {
  const cursor = new Cursor(bytes, start, end);
  let value: Value = null;
  while (cursor.next()) {
    switch (cursor.number) {
      case 1:
        value = cursor.text();
        break;
      case 2:
        value = cursor.int32() !== 0;
        break;
      case 3:
        value = cursor.int64();
        break;
      case 4:
        value = cursor.double();
        break;
      case 5:
        value = valuesAt(bytes, cursor);
        break;
      case 6:
        value = new MapView(bytes, { start: cursor.start, end: cursor.end }, 1);
        break;
      case 7:
        value = cursor.slice();
    }
  }
  return value;
}

function valuesAt(bytes: Uint8Array, { start, end }: Range): Value[] {
  const values: Value[] = [];
  const cursor = new Cursor(bytes, start, end);
  while (cursor.next()) if (cursor.number === 1) values.push(valueAt(bytes, cursor));
  work.steps += values.length;
  return values;
}

/** Attributes, or a map among values, read where they are. */
export class MapView implements ValueMap {
  readonly isMap = true;
  readonly #bytes: Uint8Array;
  readonly #message: Range;
  readonly #number: number;

  constructor(bytes: Uint8Array, message: Range, number: number) {
    this.#bytes = bytes;
    this.#message = message;
    this.#number = number;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined;
    const found = { start: 0, end: 0 };
    const place = { message: this.#message, number: this.#number };
    const isThere = findAttribute(this.#bytes, place, Buffer.from(key), found);
    return isThere ? valueAt(this.#bytes, found) : undefined;
  }

  keys(): string[] {
    return [...this.#places().keys()];
  }

  get size(): number {
    return this.#places().size;
  }

  forLookups(): ValueMap {
    return new IndexedView(this.#bytes, this.#places());
  }

  /** Of the values; of a key that is there twice, of the first. */
  #places(): Map<string, Range> {
    const places = new Map<string, Range>();
    const { start, end } = this.#message;
    const pairs = new Cursor(this.#bytes, start, end);
    const fields = new Cursor(this.#bytes, 0, 0);
    while (pairs.next()) {
      work.steps++;
      if (pairs.number !== this.#number) continue;
      let key = "";
      const value = { start: pairs.end, end: pairs.end };
      fields.over(pairs.start, pairs.end);
      while (fields.next()) {
        if (fields.number === 1) key = fields.text();
        else if (fields.number === 2) {
          value.start = fields.start;
          value.end = fields.end;
        }
      }
      if (!places.has(key)) places.set(key, value);
    }
    return places;
  }
}

/** The same for one who asks for many of its keys. */
class IndexedView implements ValueMap {
  readonly isMap = true;
  readonly #bytes: Uint8Array;
  readonly #places: ReadonlyMap<string, Range>;

  constructor(bytes: Uint8Array, places: ReadonlyMap<string, Range>) {
    this.#bytes = bytes;
    this.#places = places;
  }

  get(key: Value): Value | undefined {
    const place = typeof key === "string" ? this.#places.get(key) : undefined;
    return place && valueAt(this.#bytes, place);
  }

  keys(): string[] {
    return [...this.#places.keys()];
  }

  get size(): number {
    return this.#places.size;
  }

  forLookups(): this {
    return this;
  }
}

const place: Range = { start: 0, end: 0 };

/** Whether a message has a field, as `has()` asks: with another value than that of one that is absent. */
export function hasField(bytes: Uint8Array, message: Range, { number, form }: Field): boolean {
  if (!findField(bytes, message, number, place)) return false;
  switch (form) {
    case "part":
    case "any":
      return true;
    case "time":
    case "int":
      for (let at = place.start; at < place.end; at++) if ((bytes[at]! & 0x7f) !== 0) return true;
      return false;
    default:
      return place.end > place.start || form === "attributes" || form === "parts";
  }
}

export function readField(bytes: Uint8Array, message: Range, field: Field): Value {
  const { number, form } = field;
  switch (form) {
    case "attributes":
      return new MapView(bytes, { start: message.start, end: message.end }, number);
    case "parts":
      return partsAt(bytes, message, number);
    default:
  }
  const isThere = findField(bytes, message, number, place);
  const { start, end } = place;
  switch (form) {
    case "text":
      return textOf(bytes, start, end);
    case "hex":
      return hexOf(bytes, start, end);
    case "int":
      return BigInt(smallAt(bytes, place));
    case "time":
      return new Timestamp(isThere ? nanosAt(bytes, start) : 0n);
    case "any":
      return isThere ? valueAt(bytes, place) : null;
    default:
      return new Part(bytes, start, end);
  }
}

function partsAt(bytes: Uint8Array, { start, end }: Range, number: number): Part[] {
  const parts: Part[] = [];
  const cursor = new Cursor(bytes, start, end);
  while (cursor.next()) {
    if (cursor.number === number) parts.push(new Part(bytes, cursor.start, cursor.end));
  }
  work.steps += parts.length;
  return parts;
}

/** An enum's number: 32 bits, signed. */
export function smallAt(bytes: Uint8Array, { start, end }: Range): number {
  let value = 0;
  for (let at = start, shift = 0; at < end && shift < 35; at++, shift += 7) {
    value |= (bytes[at]! & 0x7f) << shift;
  }
  return value;
}

/** The eight bytes of a time. */
export function nanosAt(bytes: Uint8Array, start: number): bigint {
  let low = 0;
  let high = 0;
  for (let at = 3; at >= 0; at--) {
    low = low * 256 + bytes[start + at]!;
    high = high * 256 + bytes[start + at + 4]!;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}
