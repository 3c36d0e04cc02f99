// OTLP/JSON read a second time, apart from collector/wire/from-json.ts: by otlp.proto, and with every
// number as the digits that stand in the text. In the form of read-message.ts.

import protobuf from "protobufjs";
import type { Signal } from "../../collector/wire/batch.ts";
import { root } from "../support/otlp.ts";
import { isDefault } from "./foreign.ts";
import { bitsOf, type Reading, type Value } from "./read-message.ts";

const names: Readonly<Record<Signal, string>> = {
  traces: "ExportTraceServiceRequest",
  metrics: "ExportMetricsServiceRequest",
  logs: "ExportLogsServiceRequest",
};

/** The text is no OTLP/JSON. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

export interface Rules {
  readonly maxMessages: number;
  readonly maxBrackets: number;
  /**
   * Whether 0.99999999999999999 in the place of an integer is 1, which it is once it became a double. In
   * a string it never is.
   */
  readonly roundsFractions: boolean;
  /** So many spans, metrics or log records that cannot be read are left out; one more costs the whole. */
  readonly mostLeftOut: number;
}

export interface JsonReading {
  readonly request: Reading;
  /** How many spans, data points and log records were left out. */
  readonly leftOut: number;
}

export function readJson(signal: Signal, text: Uint8Array, rules: Rules): JsonReading {
  let tree: unknown;
  try {
    const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
    if (bracketsIn(json) > rules.maxBrackets) throw new Refusal("too many brackets");
    tree = JSON.parse(json, keepDigits);
  } catch {
    throw new Refusal("no JSON");
  }
  const reader = new Reader(rules);
  const request = reader.message(root.lookupType(names[signal]), tree, 1);
  if (reader.leftOut > 0 && reader.items === 0) throw new Refusal("nothing is left");
  return { request, leftOut: reader.leftOut };
}

class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" ? new Digits(context?.source ?? "") : value;
}

/** Within one another, strings left aside. */
function bracketsIn(json: string): number {
  let depth = 0;
  let most = 0;
  for (const [bracket] of json.replaceAll(/"(?:[^"\\]|\\.)*"/gs, "").matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    most = Math.max(most, depth);
  }
  return most;
}

const leaves: ReadonlySet<string> = new Set(["Span", "Metric", "LogRecord"]);
const items = /^(Span|LogRecord|.*DataPoint)$/;

class Reader {
  items = 0;
  leftOut = 0;
  readonly #rules: Rules;
  #faults = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  message(type: protobuf.Type, value: unknown, depth: number): Reading {
    if (typeof value !== "object" || value === null) throw new Refusal("no object");
    if (Array.isArray(value) || value instanceof Digits) throw new Refusal("no object");
    if (depth > this.#rules.maxMessages) throw new Refusal("too deep");
    if (items.test(type.name)) this.items++;
    const reading: Record<string, Value | readonly Value[]> = {};
    const oneofs = new Set<string>();
    for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
      field.resolve();
      const content = Object.hasOwn(value, field.name)
        ? (value as Record<string, unknown>)[field.name]
        : null;
      if (content === null) continue;
      if (field.partOf && !field.options?.["proto3_optional"]) {
        if (oneofs.has(field.partOf.name)) throw new Refusal("two members of a oneof");
        oneofs.add(field.partOf.name);
      }
      const read = this.#field(field, content, depth);
      if (read !== undefined) reading[field.id] = read;
    }
    return reading;
  }

  #field(field: protobuf.Field, content: unknown, depth: number): Value | Value[] | undefined {
    const type = field.resolvedType instanceof protobuf.Type ? field.resolvedType : undefined;
    if (field.repeated) {
      if (!Array.isArray(content)) throw new Refusal("no list");
      if (type && leaves.has(type.name)) return this.#leaves(type, content, depth);
      const list = (content as unknown[]).map((item) => {
        if (!type) return this.#scalar(field, item);
        return this.message(type, item ?? (type.name === "AnyValue" ? {} : item), depth + 1);
      });
      return list.length > 0 ? list : undefined;
    }
    if (type) return this.message(type, content, depth + 1);
    const value = this.#scalar(field, content);
    return field.partOf || !isDefault(field, value) ? value : undefined;
  }

  #leaves(type: protobuf.Type, list: readonly unknown[], depth: number): Value[] | undefined {
    const kept: Value[] = [];
    for (const leaf of list) {
      const before = this.items;
      try {
        kept.push(this.message(type, leaf, depth + 1));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (++this.#faults > this.#rules.mostLeftOut) throw new Refusal("too many are wrong");
        this.items = before;
        this.leftOut += Math.max(1, pointsIn(type, leaf));
      }
    }
    return kept.length > 0 ? kept : undefined;
  }

  #scalar(field: protobuf.Field, value: unknown): string {
    switch (field.resolvedType ? "enum" : field.type) {
      case "string":
        if (typeof value !== "string" || /[\ud800-\udfff]/u.test(value)) throw new Refusal("text");
        return Buffer.from(value).toString("hex");
      case "bytes":
        return bytesOf(field, value);
      case "bool":
        if (typeof value !== "boolean") throw new Refusal("no bool");
        return value ? "1" : "0";
      case "double":
        return doubleOf(value);
      case "enum":
        if (typeof value === "string") throw new Refusal("an enum by its name");
        return this.#integer(value, -(2n ** 31n), 2n ** 31n);
      case "int32":
      case "sint32":
        return this.#integer(value, -(2n ** 31n), 2n ** 31n);
      case "uint32":
      case "fixed32":
        return this.#integer(value, 0n, 2n ** 32n);
      case "uint64":
      case "fixed64":
        return this.#integer(value, 0n, 2n ** 64n);
      default:
        return this.#integer(value, -(2n ** 63n), 2n ** 63n);
    }
  }

  #integer(value: unknown, least: bigint, limit: bigint): string {
    const text = value instanceof Digits ? value.text : value;
    const isNumber = typeof text === "string" && number.test(text);
    if (!isNumber) throw new Refusal("no number");
    let whole = integerOf(text);
    const double = Number(text);
    if (whole === undefined && this.#rules.roundsFractions && value instanceof Digits) {
      if (Number.isSafeInteger(double)) whole = BigInt(double);
    }
    if (whole === undefined || whole < least || whole >= limit)
      throw new Refusal("no such integer");
    return String(whole);
  }
}

function pointsIn(type: protobuf.Type, leaf: unknown): number {
  let points = 0;
  for (const [name, data] of Object.entries(leaf ?? {}) as [string, unknown][]) {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    const isData = field?.resolve().resolvedType instanceof protobuf.Type && field.partOf;
    if (!isData || typeof data !== "object" || data === null) continue;
    const list: unknown = Object.hasOwn(data, "dataPoints") && (data as Points).dataPoints;
    if (Array.isArray(list)) points += list.length;
  }
  return points;
}

interface Points {
  readonly dataPoints?: unknown;
}

const number = /^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?$/;

/** Digits times a power of ten, in whole numbers. */
function integerOf(text: string): bigint | undefined {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return 0n;
  const power = Number(exponent) - fraction.length;
  if (power > 30) return undefined; // larger than any
  if (power >= 0) return digits * 10n ** BigInt(power);
  if (-power > text.length) return undefined; // the digits cannot end in so many zeros
  const divisor = 10n ** BigInt(-power);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

function doubleOf(value: unknown): string {
  if (value === "NaN" || value === "Infinity" || value === "-Infinity")
    return bitsOf(Number(value));
  const text = value instanceof Digits ? value.text : value;
  if (typeof text !== "string" || !number.test(text)) throw new Refusal("no number");
  if (!Number.isFinite(Number(text))) throw new Refusal("beyond all doubles");
  return bitsOf(Number(text));
}

function bytesOf({ name }: protobuf.Field, value: unknown): string {
  if (typeof value !== "string") throw new Refusal("no bytes");
  const length = /^traceId$/i.test(name) ? 32 : /spanId$/i.test(name) ? 16 : undefined;
  if (length !== undefined) {
    if (value !== "" && (value.length !== length || !/^[0-9a-fA-F]*$/.test(value))) {
      throw new Refusal("no id");
    }
    return value.toLowerCase();
  }
  if (!/^([A-Za-z0-9+/_-]{4})*([A-Za-z0-9+/_-]{2}(==)?|[A-Za-z0-9+/_-]{3}=?)?$/.test(value)) {
    throw new Refusal("no base64");
  }
  return Buffer.from(value, "base64url").toString("hex");
}
