// OTLP/JSON becomes protobuf at the door, so that there is one format inside. The text is parsed by
// JSON.parse and its tree written field by field as schema.ts has it. Taken is what the specification
// allows: lowerCamelCase names only, unknown ones ignored; ids in hex, other bytes in base64; enums as
// integers; 64-bit integers as strings or numbers, exact either way; null is absent. Of a key that
// stands twice in an object the last one counts, as JSON.parse has it.
//
// A span, metric or log record that cannot be taken is left out, by the rules of salvage.ts. What is wrong
// around them costs the whole, and so does a text that is not JSON, not UTF-8 or too deep to be parsed.

import { isUtf8 } from "node:buffer";
import type { Signal } from "./batch.ts";
import {
  base64Of,
  doubleOf,
  Fault,
  idOf,
  Inexact,
  integerOf,
  limitsOf,
  textOf,
  wholeOf,
  wrong,
} from "./json-values.ts";
import { printable } from "./printable.ts";
import { mostFaults } from "./salvage.ts";
import { type Field, leafOf, type Message, requests } from "./schema.ts";
import { validate } from "./validate.ts";
import { maxDepth } from "./walk-rules.ts";
import { Writer } from "./writer.ts";

/** The text is no OTLP/JSON; the message says where and why, for the sender to read. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

export interface FromJson {
  /** Such that validate() accepts them. */
  readonly bytes: Uint8Array;
  readonly leftOut: LeftOut | undefined;
}

export interface LeftOut {
  readonly items: number;
  /** Of the first of them. */
  readonly message: string;
}

/** Throws JsonError and nothing else. */
export function fromJson(signal: Signal, text: Uint8Array): FromJson {
  checkDepth(text);
  const json = decode(text);
  try {
    return transcode(signal, parse(json), { sizeBytes: text.length, isExact: false });
  } catch (error) {
    if (!(error instanceof Inexact)) throw error;
    return transcode(signal, parse(json, exact), { sizeBytes: text.length, isExact: true });
  }
}

interface Given {
  readonly sizeBytes: number;
  /** Whether the numbers in the tree are as exact as they get. */
  readonly isExact: boolean;
}

function transcode(signal: Signal, value: unknown, { sizeBytes, isExact }: Given): FromJson {
  // Half of the JSON is more than enough for what SDKs send: names are gone and ids are halved.
  const walk = new Walk(new Writer(Math.max(64, sizeBytes >>> 1)), isExact);
  const bytes = walk.request(planOf(requests[signal]), value);
  const { leftOut } = walk;
  if (leftOut) {
    const kept = validate(signal, bytes);
    if (kept.kind === "valid" && kept.batch.items === 0) throw new JsonError(leftOut.message);
  }
  return { bytes, leftOut };
}

// ── the text ─────────────────────────────────────────────────────────────────────────────────────

/** A message is one pair of brackets, and its list of children another. */
const maxBrackets = maxDepth * 2;

/** JSON.parse takes any depth, and its tree far more memory than the text: `[[[[[…` ends here. */
function checkDepth(text: Uint8Array): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (byte === quote) {
      for (at++; at < text.length && text[at] !== quote; at++) if (text[at] === backslash) at++;
    } else if (byte === openList || byte === openObject) {
      if (++depth > maxBrackets) {
        throw new JsonError(`nested deeper than ${maxBrackets} brackets (at byte ${at})`);
      }
    } else if (byte === closeList || byte === closeObject) depth--;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

function decode(text: Uint8Array): string {
  if (!isUtf8(text)) throw new JsonError("the body is not valid UTF-8");
  return Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8");
}

function parse(json: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(json, reviver);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new JsonError(`not JSON: ${printable(error.message)}`, { cause: error });
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** A double cannot hold every 64-bit integer, so those that it might miss become bigints. */
const exact: Reviver = (_key, value, context) => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return integerOf(context?.source ?? "") ?? value;
};

// ── what the walk knows of a message ─────────────────────────────────────────────────────────────

interface Plan {
  readonly isItem: boolean;
  readonly isAnyValue: boolean;
  /** By JSON name. A Map, so that no key of the sender's can mean anything else. */
  readonly fields: ReadonlyMap<string, FieldPlan>;
}

interface FieldPlan extends Field {
  readonly message: Plan | undefined;
  readonly isLeaf: boolean;
}

const leaves: ReadonlySet<unknown> = new Set(Object.values(leafOf));
const made = new Map<Message, Plan>();

function planOf(message: Message): Plan {
  const known = made.get(message);
  if (known) return known;
  const fields = new Map<string, FieldPlan>();
  const plan = { isItem: message.isItem, isAnyValue: message.name === "AnyValue", fields };
  made.set(message, plan); // before its fields: AnyValue holds itself
  for (const field of message.fields) {
    if (!field) continue;
    const { type, jsonName } = field;
    const child = typeof type === "object" ? planOf(type) : undefined;
    fields.set(jsonName, { ...field, message: child, isLeaf: leaves.has(type) });
  }
  return plan;
}

// ── the walk ─────────────────────────────────────────────────────────────────────────────────────

class Walk {
  leftOut: LeftOut | undefined;
  readonly #writer: Writer;
  readonly #isExact: boolean;
  // Where the walk is, by depth: what is wrong there is told with its path.
  #depth = 0;
  readonly #names: string[] = [];
  /** Within a list; -1 elsewhere. */
  readonly #indexes: number[] = [];
  #faults = 0;

  constructor(writer: Writer, isExact: boolean) {
    this.#writer = writer;
    this.#isExact = isExact;
  }

  /** Throws Inexact while the tree is not exact. */
  request(plan: Plan, value: unknown): Uint8Array {
    try {
      this.#fields(plan, value, 1);
    } catch (error) {
      throw this.#isFinal(error) ? new JsonError(this.#describe(error)) : error;
    }
    return this.#writer.finish();
  }

  #isFinal(error: unknown): error is Fault {
    return error instanceof Fault && (this.#isExact || !(error instanceof Inexact));
  }

  #describe({ message }: Fault): string {
    let path = "";
    for (let depth = 1; depth <= this.#depth; depth++) {
      const index = this.#indexes[depth]!;
      path += `${depth > 1 ? "." : ""}${this.#names[depth]}${index < 0 ? "" : `[${index}]`}`;
    }
    return path === "" ? message : `${path}: ${message}`;
  }

  #fields(plan: Plan, value: unknown, depth: number): void {
    if (depth > maxDepth) throw new Fault(`nested deeper than ${maxDepth} messages`);
    if (!isObject(value)) throw wrong(value, "an object");
    let member = "";
    for (const name in value) {
      const field = plan.fields.get(name);
      const content = value[name];
      if (field === undefined || content === null) continue;
      this.#depth = depth;
      this.#names[depth] = name;
      this.#indexes[depth] = -1;
      if (field.presence === "oneof") {
        if (member !== "") throw new Fault(`stands beside ${member}, but only one may be there`);
        member = name;
      }
      if (field.isLeaf) this.#leaves(field, content, depth);
      else if (field.repeated) this.#list(field, content, depth);
      else if (field.message) this.#message(field, content, depth);
      else this.#scalar(field, content);
    }
  }

  #message(field: FieldPlan, value: unknown, depth: number): void {
    this.#writer.begin(field.number);
    this.#fields(field.message!, value, depth + 1);
    this.#writer.end();
  }

  #leaves(field: FieldPlan, value: unknown, depth: number): void {
    if (!Array.isArray(value)) throw wrong(value, "a list");
    const list: readonly unknown[] = value;
    for (let index = 0; index < list.length; index++) {
      const before = this.#writer.length;
      this.#depth = depth;
      this.#indexes[depth] = index;
      try {
        this.#message(field, list[index], depth);
      } catch (error) {
        if (!this.#isFinal(error)) throw error;
        this.#writer.backTo(before);
        this.#leaveOut(error, itemsIn(field.message!, list[index]));
      }
    }
  }

  #leaveOut(fault: Fault, items: number): void {
    const { items: others, message } = this.leftOut ?? { items: 0, message: this.#describe(fault) };
    this.leftOut = { items: others + Math.max(1, items), message };
    if (++this.#faults > mostFaults) throw new JsonError(message);
  }

  #list(field: FieldPlan, value: unknown, depth: number): void {
    if (!Array.isArray(value)) throw wrong(value, "a list");
    const list: readonly unknown[] = value;
    if (list.length === 0) return;
    const isPacked = !field.message && field.type !== "string";
    if (isPacked) this.#writer.begin(field.number);
    for (let index = 0; index < list.length; index++) {
      const item = list[index];
      this.#depth = depth;
      this.#indexes[depth] = index;
      if (field.message) this.#message(field, itemOf(field.message, item), depth);
      else if (isPacked) this.#packed(field, item);
      else this.#writer.text(field.number, textOf(item));
    }
    if (isPacked) this.#writer.end();
  }

  #packed({ type }: FieldPlan, value: unknown): void {
    if (type === "double") {
      scratch.setFloat64(0, doubleOf(value), true);
      this.#writer.raw(eightBytes);
      return;
    }
    const whole = BigInt(wholeOf(value, limitsOf(type)));
    if (type === "fixed64") {
      scratch.setBigUint64(0, whole, true);
      this.#writer.raw(eightBytes);
    } else this.#writer.raw(varintOf(whole));
  }

  #scalar(field: FieldPlan, value: unknown): void {
    const { type, presence, number } = field;
    switch (type) {
      case "string": {
        const text = textOf(value);
        if (text !== "" || presence) this.#writer.text(number, text);
        return;
      }
      case "bytes": {
        const bytes = field.idLength ? idOf(value, field.idLength) : base64Of(value);
        if (bytes.length > 0 || presence) this.#writer.bytes(number, bytes);
        return;
      }
      case "bool":
        if (typeof value !== "boolean") throw wrong(value, "true or false");
        if (value || presence) this.#writer.uint(number, value ? 1 : 0);
        return;
      case "double": {
        const double = doubleOf(value);
        if (!Object.is(double, 0) || presence) this.#writer.double(number, double);
        return;
      }
      default: {
        if (type === "enum" && typeof value === "string") throw wrong(value, "an enum's number");
        const whole = wholeOf(value, limitsOf(type));
        if ((whole !== 0 && whole !== 0n) || presence) this.#integer(field, whole);
      }
    }
  }

  #integer({ type, number }: FieldPlan, value: number | bigint): void {
    switch (type) {
      case "fixed32":
        this.#writer.fixed32(number, Number(value));
        return;
      case "sint32":
        this.#writer.sint32(number, Number(value));
        return;
      case "fixed64":
      case "sfixed64":
        this.#writer.fixed64(number, BigInt(value));
        return;
      default:
        if (typeof value === "number" && value >= 0) this.#writer.uint(number, value);
        else this.#writer.int64(number, BigInt(value));
    }
  }
}

/** Of a leaf that is left out: a metric has as many as data points. */
function itemsIn(plan: Plan, value: unknown): number {
  if (plan.isItem) return 1;
  if (!isObject(value)) return 0;
  let items = 0;
  for (const name in value) {
    const field = plan.fields.get(name);
    if (!field?.message) continue;
    const content = value[name];
    if (!field.repeated) items += itemsIn(field.message, content);
    else if (Array.isArray(content)) {
      for (const child of content) items += itemsIn(field.message, child);
    }
  }
  return items;
}

const emptyValue = {};

/** OTLP lets an AnyValue be null, and in a list that must keep its place. */
function itemOf(message: Plan, item: unknown): unknown {
  return item === null && message.isAnyValue ? emptyValue : item;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Values on their way into the writer, which copies them at once.
const eightBytes = new Uint8Array(8);
const scratch = new DataView(eightBytes.buffer);
const tenBytes = new Uint8Array(10);

function varintOf(value: bigint): Uint8Array {
  let length = 0;
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) tenBytes[length++] = Number(rest & 0x7fn) | 0x80;
  tenBytes[length++] = Number(rest);
  return tenBytes.subarray(0, length);
}
