// OTLP/JSON becomes protobuf at the door, so that there is one format inside. The text is parsed by
// JSON.parse and its tree written field by field as schema.ts has it. Taken is what the specification
// allows: lowerCamelCase names only, unknown ones ignored; ids in hex, other bytes in base64; enums as
// integers; 64-bit integers as strings or numbers, exact either way; null is absent. Of a key that
// stands twice in an object the last one counts, as JSON.parse has it.

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
  within,
  wrong,
} from "./json-values.ts";
import { printable } from "./printable.ts";
import { type Field, type Message, requests } from "./schema.ts";
import { maxDepth } from "./validate.ts";
import { Writer } from "./writer.ts";

/** The text is no OTLP/JSON; the message says where and why, for the sender to read. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

/** The bytes are such that validate() accepts them. Throws JsonError and nothing else. */
export function fromJson(signal: Signal, text: Uint8Array): Uint8Array {
  checkDepth(text);
  const json = decode(text);
  try {
    try {
      return transcode(signal, parse(json), text.length);
    } catch (error) {
      if (!(error instanceof Inexact)) throw error;
      return transcode(signal, parse(json, exact), text.length);
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { path, message } = error;
    throw new JsonError(path === "" ? message : `${path}: ${message}`, { cause: error });
  }
}

function transcode(signal: Signal, value: unknown, sizeBytes: number): Uint8Array {
  // Half of the JSON is more than enough for what SDKs send: names are gone and ids are halved.
  const walk = new Walk(new Writer(Math.max(64, sizeBytes >>> 1)));
  return walk.request(planOf(requests[signal]), value);
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
  readonly isAnyValue: boolean;
  /** By JSON name. A Map, so that no key of the sender's can mean anything else. */
  readonly fields: ReadonlyMap<string, FieldPlan>;
}

interface FieldPlan extends Field {
  readonly message: Plan | undefined;
}

const made = new Map<Message, Plan>();

function planOf(message: Message): Plan {
  const known = made.get(message);
  if (known) return known;
  const fields = new Map<string, FieldPlan>();
  const plan = { isAnyValue: message.name === "AnyValue", fields };
  made.set(message, plan); // before its fields: AnyValue holds itself
  for (const field of message.fields) {
    if (!field) continue;
    const child = typeof field.type === "object" ? planOf(field.type) : undefined;
    fields.set(field.jsonName, { ...field, message: child });
  }
  return plan;
}

// ── the walk ─────────────────────────────────────────────────────────────────────────────────────

class Walk {
  readonly #writer: Writer;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  request(plan: Plan, value: unknown): Uint8Array {
    this.#fields(plan, value, 1);
    return this.#writer.finish();
  }

  #fields(plan: Plan, value: unknown, depth: number): void {
    if (depth > maxDepth) throw new Fault(`nested deeper than ${maxDepth} messages`);
    if (!isObject(value)) throw wrong(value, "an object");
    let member = "";
    for (const name in value) {
      const field = plan.fields.get(name);
      const content = value[name];
      if (field === undefined || content === null) continue;
      try {
        if (field.presence === "oneof") {
          if (member !== "") throw new Fault(`stands beside ${member}, but only one may be there`);
          member = name;
        }
        if (field.repeated) this.#list(field, content, depth);
        else if (field.message) this.#message(field, content, depth);
        else this.#scalar(field, content);
      } catch (error) {
        throw within(name, error);
      }
    }
  }

  #message(field: FieldPlan, value: unknown, depth: number): void {
    this.#writer.begin(field.number);
    this.#fields(field.message!, value, depth + 1);
    this.#writer.end();
  }

  #list(field: FieldPlan, value: unknown, depth: number): void {
    if (!Array.isArray(value)) throw wrong(value, "a list");
    const list: readonly unknown[] = value;
    if (list.length === 0) return;
    const isPacked = !field.message && field.type !== "string";
    if (isPacked) this.#writer.begin(field.number);
    let index = 0;
    try {
      for (; index < list.length; index++) {
        const item = list[index];
        if (field.message) this.#message(field, itemOf(field.message, item), depth);
        else if (isPacked) this.#packed(field, item);
        else this.#writer.text(field.number, textOf(item));
      }
    } catch (error) {
      throw within(`[${index}]`, error);
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
