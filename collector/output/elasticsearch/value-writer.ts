// Writes OTLP's attributes and values as JSON that Elasticsearch takes: no name twice in an object, no
// empty name, no list of mixed kinds, no deeper nesting than it maps. What cannot stand as it is becomes
// text, so that nothing of it is lost.

import { Cursor, textOf } from "../../wire/cursor.ts";
import type { JsonWriter } from "./json-writer.ts";

/** AnyValue's fields. */
export const kind = {
  none: 0,
  string: 1,
  boolean: 2,
  integer: 3,
  double: 4,
  array: 5,
  map: 6,
  bytes: 7,
} as const;

/** Elasticsearch maps 20 levels and counts the document itself; what lies deeper becomes text. */
const maxDepth = 16;

/** Up to this many names are compared one by one, which is faster than a Map and makes no garbage. */
const fewNames = 24;

export class ValueWriter {
  readonly #json: JsonWriter;
  #bytes: Uint8Array = new Uint8Array();
  /** Of each attribute: start and end of the name, start and end of the value. Used as a stack. */
  readonly #pairs: number[] = [];
  #top = 0;
  /** One for each message being read, the outermost first. */
  readonly #cursors: Cursor[] = [];
  #open = 0;

  constructor(json: JsonWriter) {
    this.#json = json;
  }

  /** All offsets are into these bytes from now on. */
  over(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#top = 0;
    this.#open = 0;
  }

  get isEmpty(): boolean {
    return this.#top === 0;
  }

  /** Keeps one KeyValue for the next object. */
  collect(start: number, end: number): void {
    const cursor = this.#enter(start, end);
    let [nameStart, nameEnd, valueStart, valueEnd] = [0, 0, 0, 0];
    while (cursor.next()) {
      if (cursor.number === 1) {
        nameStart = cursor.start;
        nameEnd = cursor.end;
      } else if (cursor.number === 2) {
        valueStart = cursor.start;
        valueEnd = cursor.end;
      }
    }
    this.#leave();
    if (isBlank(this.#bytes, nameStart, nameEnd)) nameEnd = nameStart;
    const pairs = this.#pairs;
    pairs[this.#top++] = nameStart;
    pairs[this.#top++] = nameEnd;
    pairs[this.#top++] = valueStart;
    pairs[this.#top++] = valueEnd;
  }

  /** The text of what was collected last, which is taken off again, if that is its name. */
  takeText(name: string): string | undefined {
    const at = this.#top - 4;
    const [nameStart, nameEnd] = [this.#pairs[at]!, this.#pairs[at + 1]!];
    if (nameEnd - nameStart !== name.length) return undefined;
    if (textOf(this.#bytes, nameStart, nameEnd) !== name) return undefined;
    const cursor = this.#enter(this.#pairs[at + 2]!, this.#pairs[at + 3]!);
    const isText = lastOf(cursor) === kind.string;
    this.#leave();
    if (!isText) return undefined;
    this.#top = at;
    return cursor.text();
  }

  /** The name of what was collected last. */
  lastName(): string {
    return textOf(this.#bytes, this.#pairs[this.#top - 4]!, this.#pairs[this.#top - 3]!);
  }

  /** The body as one text, whatever it is; nothing for an empty one. */
  message(start: number, end: number, name: string): void {
    const json = this.#json;
    const cursor = this.#enter(start, end);
    const is = lastOf(cursor);
    if (is !== kind.none) {
      json.ascii(`,"${name}":`);
      const from = json.length;
      if (is === kind.map || is === kind.array) {
        this.#container(is, cursor, 2);
        json.quoteSince(from);
      } else this.#text(cursor);
    }
    this.#leave();
  }

  /** An object of everything collected. */
  attributes(): void {
    this.#object(0, 1, true);
  }

  /** `{"text":…}` or what else the body is; nothing for an empty one. */
  body(start: number, end: number, mapName: string): void {
    const json = this.#json;
    const cursor = this.#enter(start, end);
    switch (lastOf(cursor)) {
      case kind.none:
        break;
      case kind.map:
        json.ascii(`,"body":{"${mapName}":`);
        this.#container(kind.map, cursor, 2);
        json.ascii("}");
        break;
      case kind.array:
        json.ascii(`,"body":{"${mapName}":{"value":`);
        this.#container(kind.array, cursor, 3);
        json.ascii("}}");
        break;
      default:
        json.ascii(',"body":{"text":');
        this.#text(cursor);
        json.ascii("}");
    }
    this.#leave();
  }

  /** Of a name that stands more than once the last one counts. */
  #object(base: number, depth: number, areAttributes: boolean): void {
    const json = this.#json;
    const pairs = this.#pairs;
    const top = this.#top;
    const last = top - base > fewNames * 4 ? this.#lastOfEachName(base) : undefined;
    let separator = "{";
    for (let at = base; at < top; at += 4) {
      const nameStart = pairs[at]!;
      const nameEnd = pairs[at + 1]!;
      if (last ? !last.has(at) : this.#standsAgain(at)) continue;
      json.ascii(separator);
      separator = ",";
      if (nameStart === nameEnd) json.ascii('"_"');
      else json.string(this.#bytes, nameStart, nameEnd);
      json.ascii(":");
      this.#value(pairs[at + 2]!, pairs[at + 3]!, depth, areAttributes);
    }
    json.ascii(separator === "{" ? "{}" : "}");
    this.#top = base;
  }

  #standsAgain(at: number): boolean {
    const pairs = this.#pairs;
    const start = pairs[at]!;
    const length = pairs[at + 1]! - start;
    for (let later = at + 4; later < this.#top; later += 4) {
      if (pairs[later + 1]! - pairs[later]! !== length) continue;
      if (isEqual(this.#bytes, start, pairs[later]!, length)) return true;
    }
    return false;
  }

  #lastOfEachName(base: number): ReadonlySet<number> {
    const last = new Map<string, number>();
    for (let at = base; at < this.#top; at += 4) {
      last.set(textOf(this.#bytes, this.#pairs[at]!, this.#pairs[at + 1]!), at);
    }
    return new Set(last.values());
  }

  #value(start: number, end: number, depth: number, isAttribute: boolean): void {
    const cursor = this.#enter(start, end);
    const is = lastOf(cursor);
    if (is === kind.array && isAttribute) this.#attributeArray(cursor, depth);
    else if (is === kind.array || is === kind.map) this.#container(is, cursor, depth);
    else this.#scalar(is, cursor);
    this.#leave();
  }

  #scalar(is: number, cursor: Cursor): void {
    const json = this.#json;
    switch (is) {
      case kind.string:
        return json.string(this.#bytes, cursor.start, cursor.end);
      case kind.boolean:
        return json.ascii(cursor.int32() === 0 ? "false" : "true");
      case kind.integer:
        return this.#integer(cursor);
      case kind.double:
        return json.double(cursor.double());
      case kind.bytes:
        return json.base64(cursor.slice());
      default:
        return json.ascii("null");
    }
  }

  /** Exact: only what takes up to seven bytes fits into a number. */
  #integer(cursor: Cursor): void {
    if (cursor.end - cursor.start <= 7) this.#json.uint(cursor.uint());
    else this.#json.ascii(String(cursor.int64()));
  }

  #text(cursor: Cursor): void {
    const json = this.#json;
    const is = cursor.number;
    if (is === kind.double) return json.ascii(`"${cursor.double()}"`);
    const start = json.length;
    this.#scalar(is, cursor);
    if (is !== kind.string && is !== kind.bytes) json.quoteSince(start);
  }

  /** A map or an array; `cursor` stands on it. */
  #container(is: typeof kind.map | typeof kind.array, cursor: Cursor, depth: number): void {
    const start = this.#json.length;
    const inner = this.#enter(cursor.start, cursor.end);
    if (is === kind.map) {
      const base = this.#top;
      while (inner.next()) if (inner.number === 1) this.collect(inner.start, inner.end);
      this.#object(base, depth + 1, false);
    } else {
      this.#list(inner, depth + 1);
    }
    this.#leave();
    if (depth === maxDepth) this.#json.quoteSince(start);
  }

  #list(cursor: Cursor, depth: number): void {
    let separator = "[";
    while (cursor.next()) {
      if (cursor.number !== 1) continue;
      this.#json.ascii(separator);
      separator = ",";
      this.#value(cursor.start, cursor.end, depth, false);
    }
    this.#json.ascii(separator === "[" ? "[]" : "]");
  }

  /**
   * Elasticsearch gives the values of a list one type and refuses the record otherwise. An SDK in
   * JavaScript sends [1, 2.5] as an integer and a double, so these are both written as doubles; other
   * mixtures and lists within lists become a list of texts.
   */
  #attributeArray(array: Cursor, depth: number): void {
    const kinds = this.#kindsIn(array);
    const isNumeric = kinds === ((1 << kind.integer) | (1 << kind.double));
    const isUniform = (kinds & (kinds - 1)) === 0 && kinds !== 1 << kind.array;
    if (isUniform) return this.#container(kind.array, array, depth);
    const json = this.#json;
    const cursor = this.#enter(array.start, array.end);
    let separator = "[";
    while (cursor.next()) {
      if (cursor.number !== 1) continue;
      json.ascii(separator);
      separator = ",";
      const value = this.#enter(cursor.start, cursor.end);
      const is = lastOf(value);
      if (isNumeric && is === kind.integer) {
        this.#integer(value);
        json.ascii(".0");
      } else if (isNumeric || is === kind.none) {
        this.#scalar(is, value);
      } else if (is === kind.array || is === kind.map) {
        const start = json.length;
        this.#container(is, value, maxDepth + 1);
        json.quoteSince(start);
      } else {
        this.#text(value);
      }
      this.#leave();
    }
    json.ascii("]");
    this.#leave();
  }

  /** A bit for each kind; values that become null have none. */
  #kindsIn(array: Cursor): number {
    let kinds = 0;
    const cursor = this.#enter(array.start, array.end);
    while (cursor.next()) {
      if (cursor.number !== 1) continue;
      const value = this.#enter(cursor.start, cursor.end);
      const is = lastOf(value);
      const isNull = is === kind.none || (is === kind.double && !Number.isFinite(value.double()));
      if (!isNull) kinds |= 1 << is;
      this.#leave();
    }
    this.#leave();
    return kinds;
  }

  #enter(start: number, end: number): Cursor {
    if (this.#open === this.#cursors.length) this.#cursors.push(new Cursor(this.#bytes));
    return this.#cursors[this.#open++]!.over(start, end, this.#bytes);
  }

  #leave(): void {
    this.#open--;
  }
}

/** The kind of an AnyValue: the last of its fields counts, and the cursor stays on it. */
export function lastOf(cursor: Cursor): number {
  let number = 0;
  while (cursor.next()) number = cursor.number;
  return number <= kind.bytes ? number : kind.none;
}

/** Elasticsearch takes no name that is empty or white; all of these, and "_" itself, are "_". */
function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start === 1 && bytes[start] === 0x5f) return true;
  for (let at = start; at < end; at++) if (bytes[at]! > 0x20) return false;
  return true;
}

function isEqual(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (bytes[one + index] !== bytes[other + index]) return false;
  }
  return true;
}
