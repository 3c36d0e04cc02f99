// Attributes as they are kept until they are encoded: copied from what the app gave, so that it may go on
// changing that, cut to the limits, and without anything that could throw later.

import { isDate, isNativeError } from "node:util/types";

/** What OTLP can say. */
export type Value =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | readonly Value[]
  | Fields;

/**
 * More than there can be. Not Infinity, which is another kind of number to V8: where some limits
 * have one kind and some the other, that of Node 22 makes fast code of what reads them again and
 * again, and never keeps it.
 */
export const unlimited = 0x3fff_ffff;

/** Whole numbers up to `unlimited`. */
export interface AttributeLimits {
  readonly count: number;
  /** Of a text or of bytes. */
  readonly length: number;
  /** Of log records: what apps log is kept as far as it can be. Else a value is data to its last part. */
  readonly isLenient?: boolean;
}

/** A name, its value, a name, its value … A flat list is read and searched faster than a Map of few. */
export class Fields {
  readonly entries: (string | Value)[] = [];
}

/** Fields that many have in common: nobody changes them, so they are encoded once. */
export class CommonFields implements Fields {
  readonly entries: Fields["entries"] = [];
  /** By the encoder that has done it. */
  encoded: { readonly by: object; readonly bytes: Uint8Array } | undefined = undefined;
}

export class Attributes implements Fields {
  readonly entries: Fields["entries"] = [];
  dropped = 0;
  /** In front of the others, until one of them changes. */
  common: CommonFields | undefined;
  /** Where each name is, once there are too many to search. */
  #places: Map<string, number> | undefined;

  constructor(common?: CommonFields) {
    this.common = common;
  }

  /** For whoever knows what he gives: one of these names that is not there yet, and a value that can be kept. */
  add(name: string, value: string | number | boolean): void {
    this.#places?.set(name, this.entries.length + 1);
    this.entries.push(name, typeof value === "string" ? cut(value, mostCharacters) : value);
  }

  /** Of what was added without looking at the limits. */
  within(limits: AttributeLimits): Attributes {
    if (limits.length >= unlimited && this.size <= limits.count) return this;
    const within = new Attributes();
    for (const { entries } of this.common ? [this.common, this] : [this]) {
      for (let at = 0; at < entries.length; at += 2)
        within.set(entries[at], entries[at + 1], limits);
    }
    return within;
  }

  get size(): number {
    return (this.entries.length + (this.common?.entries.length ?? 0)) / 2;
  }

  set(name: unknown, value: unknown, limits: AttributeLimits): void {
    if (value === undefined) return;
    if (typeof name !== "string" || name === "" || name.length > mostCharacters) {
      this.dropped++;
      return;
    }
    const place = this.#find(name);
    if (place < 0 && this.size >= limits.count) {
      this.dropped++;
      return;
    }
    const { entries } = this;
    const kept = typeof value === "object" ? copyOf(value, limits) : scalarOf(value, limits);
    if (kept === undefined) this.dropped++;
    else if (place >= 0) entries[place] = kept;
    else {
      this.#places?.set(name, entries.length + 1);
      entries.push(name, kept);
    }
  }

  /** Every own property, however hostile the object is. */
  setAll(attributes: unknown, limits: AttributeLimits): void {
    if (typeof attributes !== "object" || attributes === null) return;
    try {
      for (const name of Object.keys(attributes)) {
        this.set(name, attributeAt(attributes, name), limits);
      }
    } catch {
      this.dropped++; // a Proxy that does not tell its keys
    }
  }

  /** As `setAll`, but what is neither text, number, boolean nor a list of one of these is dropped. */
  setSimple(attributes: unknown, limits: AttributeLimits): void {
    if (typeof attributes !== "object" || attributes === null) return;
    try {
      for (const name of Object.keys(attributes)) {
        const value = attributeAt(attributes, name);
        if (value === undefined) continue;
        this.set(name, isSimple(value) ? value : unusable, limits);
      }
    } catch {
      this.dropped++;
    }
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  /** Where its value is among the entries; what is in common is moved there if it is one of these. */
  #find(name: string): number {
    const { entries, common } = this;
    if (common !== undefined && placeOf(name, common.entries) >= 0) {
      this.common = undefined;
      this.#places = undefined;
      entries.unshift(...common.entries);
    }
    if (entries.length > mostSearched) return this.#lookUp(name);
    return placeOf(name, entries);
  }

  #lookUp(name: string): number {
    if (this.#places === undefined) {
      this.#places = new Map();
      const { entries } = this;
      for (let at = 0; at < entries.length; at += 2) {
        this.#places.set(entries[at] as string, at + 1); // names are at even places
      }
    }
    return this.#places.get(name) ?? -1;
  }
}

function placeOf(name: string, entries: Fields["entries"]): number {
  for (let at = 0; at < entries.length; at += 2) if (entries[at] === name) return at + 1;
  return -1;
}

const mostSearched = 64;

/** Stands for a value that cannot be kept, so that it is counted. */
const unusable = Symbol("unusable");

/** Whatever the limits say: a request with a longer text would be refused by most receivers. */
export const mostCharacters = 1 << 20;
const mostParts = 1 << 16;
/** An instance of a class may lead to everything there is. */
const mostLenientParts = 1 << 12;
/** Each level is three messages in OTLP, and our collector takes 64 of them. */
const deepest = 16;

/** Any value as it is kept; undefined if it cannot be. */
export function keep(value: unknown, limits: AttributeLimits): Value | undefined {
  return typeof value === "object" ? copyOf(value, limits) : scalarOf(value, limits);
}

/** As an app reads it back. */
export function plain(fields: Fields): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>;
  const common = fields instanceof Attributes ? fields.common : undefined;
  for (const { entries } of common ? [common, fields] : [fields]) {
    for (let at = 0; at < entries.length; at += 2) {
      object[entries[at] as string] = plainValue(entries[at + 1]!); // names are at even places
    }
  }
  return object;
}

function plainValue(value: Value): unknown {
  if (value instanceof Fields) return plain(value);
  return isList(value) ? value.map(plainValue) : value;
}

export function isList(value: unknown): value is readonly Value[] {
  return Array.isArray(value);
}

export function cut(text: string, length: number): string {
  const most = Math.min(length, mostCharacters);
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  // Half of a character beyond 16 bits would be none.
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}

/** The text of anything; an object's own idea of it is not asked for: that may take for ever. */
export function textOf(value: unknown): string {
  try {
    if (typeof value !== "object" || value === null) return cut(String(value), mostCharacters);
    return isNativeError(value) ? errorText(value) : Object.prototype.toString.call(value);
  } catch {
    return "";
  }
}

function errorText({ name, message }: Error): string {
  return cut(`${name}: ${message}`, mostCharacters);
}

/** Undefined for what is no text, and for an empty one. */
export function optionalText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? cut(value, mostCharacters) : undefined;
}

/** A property of whatever it is; undefined if its getter throws. */
export function valueAt(object: unknown, name: string): unknown {
  if (object === null || object === undefined) return undefined;
  const value = attributeAt(object, name);
  return value === unusable ? undefined : value;
}

/** As `valueAt`, but what throws is counted as a value that cannot be kept. */
function attributeAt(object: {}, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch {
    return unusable;
  }
}

function scalarOf(value: unknown, limits: AttributeLimits): Value | undefined {
  switch (typeof value) {
    case "string":
      return value.length <= limits.length && value.length <= mostCharacters
        ? value
        : cut(value, limits.length);
    case "number":
    case "boolean":
      return value;
    case "bigint":
      // OpenTelemetry says so for integers that do not fit: their digits.
      return BigInt.asIntN(64, value) === value ? value : cut(String(value), limits.length);
    default:
      return undefined;
  }
}

function copyOf(value: object | null, limits: AttributeLimits): Value | undefined {
  if (value === null) return null;
  try {
    return copy(value, { limits, parts: 0, path: [] });
  } catch {
    return undefined; // a getter or a Proxy that throws
  }
}

interface Walk {
  readonly limits: AttributeLimits;
  /** The objects that hold the present one. */
  readonly path: object[];
  parts: number;
}

/** Undefined for what is not data: functions, instances of classes, circles, and far too much of anything. */
function copy(value: unknown, walk: Walk): Value | undefined {
  if (++walk.parts > (walk.limits.isLenient === true ? mostLenientParts : mostParts)) {
    return undefined;
  }
  if (value === null) return null;
  if (typeof value !== "object") return scalarOf(value, walk.limits);
  if (value instanceof Uint8Array) {
    return Uint8Array.prototype.slice.call(value, 0, Math.min(walk.limits.length, mostCharacters));
  }
  if (isDate(value)) return new Date(Date.prototype.getTime.call(value)).toISOString();
  if (isNativeError(value)) return cut(errorText(value), walk.limits.length);
  if (walk.path.includes(value) || walk.path.length >= deepest) return undefined;
  walk.path.push(value);
  const copied = Array.isArray(value) ? copyList(value, walk) : copyObject(value, walk);
  walk.path.pop();
  return copied;
}

function copyList(list: readonly unknown[], walk: Walk): Value | undefined {
  if (list.length > mostParts) return undefined; // or a sparse one would be walked for hours
  const values: Value[] = [];
  for (let at = 0; at < list.length; at++) {
    // Holes and undefined stand for nothing, so that the others keep their places.
    const item = list[at] === undefined ? null : copy(list[at], walk);
    if (item === undefined && walk.limits.isLenient !== true) return undefined;
    values.push(item ?? null);
  }
  return values;
}

function copyObject(object: object, walk: Walk): Value | undefined {
  // A plain object, of this realm or another, as tests run in.
  const prototype = Object.getPrototypeOf(object) as object | null; // by its definition
  const isPlain = prototype === null || Object.hasOwn(prototype, "hasOwnProperty");
  const isLenient = walk.limits.isLenient === true;
  if (!isPlain && !isLenient) return undefined;
  const fields = new Fields();
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    if (value === undefined) continue;
    const kept = copy(value, walk);
    if (kept === undefined && !isLenient) return undefined;
    if (kept !== undefined) fields.entries.push(name, kept);
  }
  return fields;
}

/** In the sense of OpenTelemetry's conventions for events and scopes. */
function isSimple(value: unknown): boolean {
  if (!Array.isArray(value)) return isScalar(value);
  if (value.length > mostParts) return false;
  const [first] = value.filter((item) => item !== null && item !== undefined) as unknown[];
  return (
    value.every(
      (item: unknown) => item === null || item === undefined || typeof item === typeof first,
    ) &&
    (first === undefined || isScalar(first))
  );
}

function isScalar(value: unknown): boolean {
  return ["string", "number", "boolean", "bigint"].includes(typeof value);
}
