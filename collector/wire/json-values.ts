// The single values of OTLP/JSON: what proto3's JSON mapping and OTLP's exceptions to it allow for each
// type, and what the sender is told where a value is something else.

import { printable, shorten } from "./printable.ts";
import type { Scalar } from "./schema.ts";

/** A value that cannot be taken; the walk knows where it is. */
export class Fault extends Error {
  override readonly name: string = "Fault";
}

/** Too large to be exact in a double; the digits in the text tell more. */
export class Inexact extends Fault {
  override readonly name = "Inexact";
}

export function wrong(value: unknown, expected: string): Fault {
  return new Fault(`${show(value)} is not ${expected}`);
}

/** Protobuf strings are UTF-8, which has no place for half a surrogate pair. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw wrong(value, "a string");
  if (!value.isWellFormed()) throw wrong(value, "valid Unicode: it has a lone surrogate");
  return value;
}

const traceId = Buffer.alloc(16);
const spanId = Buffer.alloc(8);

/** The answer is overwritten by the next call. */
export function idOf(value: unknown, length: number): Uint8Array {
  if (value === "") return noBytes;
  const id = length === 16 ? traceId : spanId;
  // Writing hex stops at the first character that is none.
  if (typeof value !== "string" || value.length !== length * 2 || id.write(value, "hex") < length) {
    throw wrong(value, `a hex id of ${length} bytes`);
  }
  return id;
}

const noBytes = new Uint8Array(0);
const base64 = /^[\w+/-]*(={0,2})$/;

/** Both alphabets, padded or not. */
export function base64Of(value: unknown): Uint8Array {
  const match = typeof value === "string" ? base64.exec(value) : undefined;
  if (typeof value !== "string" || !match) throw wrong(value, "base64");
  const padding = match[1]!.length;
  const left = (value.length - padding) % 4;
  if (left === 1 || (padding > 0 && left + padding !== 4)) throw wrong(value, "base64");
  return Buffer.from(value, "base64");
}

const number = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

export function doubleOf(value: unknown): number {
  const double = typeof value === "string" ? fromText(value) : value;
  // A bigint is what a long literal became when the text was parsed for exact integers.
  if (typeof double === "bigint") return Number(double);
  if (typeof double !== "number") throw wrong(value, "a number");
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new Fault("the number is too large for a double");
  }
  return double;
}

function fromText(text: string): number | undefined {
  if (text === "NaN" || text === "Infinity" || text === "-Infinity") return Number(text);
  if (!number.test(text)) return undefined;
  const double = Number(text);
  return Number.isFinite(double) ? double : undefined;
}

/** A bigint where a number cannot hold it exactly. */
export function wholeOf(value: unknown, limits: Limits): number | bigint {
  const whole = typeof value === "string" ? wholeFromText(value) : value;
  if (typeof whole !== "number" && typeof whole !== "bigint") throw notWhole(value, limits);
  if (typeof whole === "number" && !Number.isSafeInteger(whole)) {
    const fault = notWhole(value, limits);
    throw Math.abs(whole) < 2 ** 53 ? fault : new Inexact(fault.message);
  }
  if (whole < limits.least || whole > limits.most) throw notWhole(value, limits);
  return whole;
}

function notWhole(value: unknown, { least, most }: Limits): Fault {
  return wrong(value, `an integer from ${least} to ${most}`);
}

const plainDigits = /^[1-9]\d{0,19}$/;

function wholeFromText(text: string): number | bigint | undefined {
  // Counts and timestamps, nearly all that is ever sent.
  if (plainDigits.test(text)) return text.length < 16 ? Number(text) : BigInt(text);
  return integerOf(text);
}

/** No 64-bit integer needs more, and converting digits takes longer the more they are. */
const maxDigits = 20;

/** The exact value of a decimal number such as 12, 1.0 or 1.2e3, undefined where that is no integer. */
export function integerOf(text: string): bigint | undefined {
  const match = number.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (!/[1-9]/.test(digits)) return 0n;
  if (point > maxDigits || /[1-9]/.test(digits.slice(Math.max(point, 0)))) return undefined;
  return BigInt(`${sign}${digits.slice(0, point).padEnd(point, "0")}`);
}

export interface Limits {
  readonly least: number | bigint;
  readonly most: number | bigint;
}

const signed32: Limits = { least: -(2 ** 31), most: 2 ** 31 - 1 };
const unsigned32: Limits = { least: 0, most: 2 ** 32 - 1 };
const signed64: Limits = { least: -(2n ** 63n), most: 2n ** 63n - 1n };
const unsigned64: Limits = { least: 0, most: 2n ** 64n - 1n };

export function limitsOf(type: Scalar | object): Limits {
  switch (type) {
    case "uint32":
    case "fixed32":
      return unsigned32;
    case "uint64":
    case "fixed64":
      return unsigned64;
    case "int64":
    case "sfixed64":
      return signed64;
    default:
      return signed32;
  }
}

const maxShown = 60;

function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = shorten(String(value), maxShown);
  return printable(typeof value === "string" ? JSON.stringify(text) : text);
}
