// The functions of CEL: what they take, what they give, and what they do. One that cannot give a value
// gives a Failure, as the standard says.

import * as types from "./types.ts";
import type { Type } from "./types.ts";
import {
  calendarMillis,
  calendarPart,
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  timestampOf,
} from "./time.ts";
import {
  countCharacters,
  type Duration,
  Failure,
  maxInt,
  maxUint,
  minInt,
  type Timestamp,
  typeNameOf,
  TypeValue,
  Uint,
  type Value,
} from "./values.ts";

export interface Overload {
  readonly name: string;
  /** `text.size()`, `size(text)` or either. */
  readonly style: "member" | "global" | "both";
  /** The receiver is the first. */
  readonly takes: readonly Type[];
  readonly gives: Type;
  // The values are of the types that the overload takes: whoever calls has made sure. TypeScript cannot
  // follow that from the table to the function, so each function says what it gets.
  readonly run: (...values: never[]) => Value;
}

const { bool, bytes, double, duration, dyn, int, list, map, string, timestamp, uint } = types;

export const overloads: readonly Overload[] = [
  ...rows("size", "both", int, [
    [[string], (text: string) => BigInt(countCharacters(text))],
    [[bytes], (value: Uint8Array) => BigInt(value.length)],
    [[list], (items: Value[]) => BigInt(items.length)],
    [[map], (entries: { size: number }) => BigInt(entries.size)],
  ]),
  ...rows("contains", "member", bool, [
    [[string, string], (text: string, part: string) => text.includes(part)],
  ]),
  ...rows("startsWith", "member", bool, [
    [[string, string], (text: string, part: string) => text.startsWith(part)],
  ]),
  ...rows("endsWith", "member", bool, [
    [[string, string], (text: string, part: string) => text.endsWith(part)],
  ]),
  ...rows("lowerAscii", "member", string, [
    [[string], (text: string) => text.replaceAll(/[A-Z]+/g, (found) => found.toLowerCase())],
  ]),
  ...rows("upperAscii", "member", string, [
    [[string], (text: string) => text.replaceAll(/[a-z]+/g, (found) => found.toUpperCase())],
  ]),
  ...conversions(),
  ...rows(
    "getFullYear",
    "member",
    int,
    calendar((date) => date.getUTCFullYear()),
  ),
  ...rows(
    "getMonth",
    "member",
    int,
    calendar((date) => date.getUTCMonth()),
  ),
  ...rows(
    "getDate",
    "member",
    int,
    calendar((date) => date.getUTCDate()),
  ),
  ...rows(
    "getDayOfMonth",
    "member",
    int,
    calendar((date) => date.getUTCDate() - 1),
  ),
  ...rows(
    "getDayOfWeek",
    "member",
    int,
    calendar((date) => date.getUTCDay()),
  ),
  ...rows("getDayOfYear", "member", int, calendar(dayOfYear)),
  ...rows("getHours", "member", int, [
    ...calendar((date) => date.getUTCHours()),
    [[duration], ({ nanos }: Duration) => nanos / 3_600_000_000_000n],
  ]),
  ...rows("getMinutes", "member", int, [
    ...calendar((date) => date.getUTCMinutes()),
    [[duration], ({ nanos }: Duration) => nanos / 60_000_000_000n],
  ]),
  ...rows("getSeconds", "member", int, [
    ...calendar((date) => date.getUTCSeconds()),
    [[duration], ({ nanos }: Duration) => nanos / 1_000_000_000n],
  ]),
  ...rows("getMilliseconds", "member", int, [
    [[timestamp], calendarMillis],
    [[timestamp, string], calendarMillis],
    [[duration], ({ nanos }: Duration) => (nanos / 1_000_000n) % 1000n],
  ]),
];

export const functionNames: ReadonlySet<string> = new Set([
  ...overloads.map(({ name }) => name),
  "matches",
]);

type Row = readonly [takes: readonly Type[], run: Overload["run"]];

function rows(
  name: string,
  style: Overload["style"],
  gives: Type,
  given: readonly Row[],
): Overload[] {
  return given.map(([takes, run]) => ({ name, style, takes, gives, run }));
}

/** With and without a time zone. */
function calendar(part: (date: Date) => number): Row[] {
  return [
    [[timestamp], (time: Timestamp) => calendarPart(time, undefined, part)],
    [[timestamp, string], (time: Timestamp, zone: string) => calendarPart(time, zone, part)],
  ];
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
}

// ── from one type to another ─────────────────────────────────────────────────────────────────────

function conversions(): Overload[] {
  return [
    ...rows("int", "global", int, [
      [[int], same],
      [[uint], ({ value }: Uint) => toInt(value)],
      [[double], (value: number) => fromDouble(value, toInt)],
      [[string], (text: string) => fromText(text, /^[+-]?\d{1,20}$/, toInt)],
      [[timestamp], ({ nanos }: Timestamp) => floorSeconds(nanos)],
    ]),
    ...rows("uint", "global", uint, [
      [[uint], same],
      [[int], toUint],
      [[double], (value: number) => fromDouble(value, toUint)],
      [[string], (text: string) => fromText(text, /^\d{1,20}$/, toUint)],
    ]),
    ...rows("double", "global", double, [
      [[double], same],
      [[int], Number],
      [[uint], ({ value }: Uint) => Number(value)],
      [[string], textToDouble],
    ]),
    ...rows("bool", "global", bool, [
      [[bool], same],
      [[string], textToBool],
    ]),
    ...rows("string", "global", string, [
      [[string], same],
      [[bool], String],
      [[int], String],
      [[uint], ({ value }: Uint) => String(value)],
      [[double], doubleToText],
      [[bytes], bytesToText],
      [[timestamp], formatTimestamp],
      [[duration], formatDuration],
    ]),
    ...rows("bytes", "global", bytes, [
      [[bytes], same],
      [[string], (text: string) => Uint8Array.from(Buffer.from(text))],
    ]),
    ...rows("timestamp", "global", timestamp, [
      [[timestamp], same],
      [[string], parseTimestamp],
      [[int], (seconds: bigint) => timestampOf(seconds * 1_000_000_000n)],
    ]),
    ...rows("duration", "global", duration, [
      [[duration], same],
      [[string], parseDuration],
    ]),
    ...rows("type", "global", types.typeType, [
      [[dyn], (value: Value) => new TypeValue(typeNameOf(value))],
    ]),
    ...rows("dyn", "global", dyn, [[[dyn], same]]),
  ];
}

function same(value: Value): Value {
  return value;
}

function toInt(value: bigint): bigint | Failure {
  return value >= minInt && value <= maxInt ? value : new Failure("an int out of range");
}

function toUint(value: bigint): Uint | Failure {
  return value >= 0n && value <= maxUint ? new Uint(value) : new Failure("a uint out of range");
}

/** 2^63 as a double is not an int any more, and neither, says the standard, is -2^63. */
function fromDouble(value: number, convert: (whole: bigint) => Value): Value {
  if (!Number.isFinite(value) || value === -(2 ** 63)) return new Failure("an int out of range");
  return convert(BigInt(Math.trunc(value)));
}

function fromText(text: string, form: RegExp, convert: (whole: bigint) => Value): Value {
  return form.test(text) ? convert(BigInt(text.replace(/^\+/, ""))) : new Failure("not a number");
}

function textToDouble(text: string): number | Failure {
  if (/^[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,10})?$/.test(text)) {
    return Number(text);
  }
  const [, sign, word = ""] = /^([+-]?)(inf|infinity|nan)$/i.exec(text) ?? [];
  if (!word) return new Failure("not a number");
  if (/nan/i.test(word)) return Number.NaN;
  return sign === "-" ? -Infinity : Infinity;
}

function textToBool(text: string): boolean | Failure {
  if (["true", "True", "TRUE", "t", "1"].includes(text)) return true;
  if (["false", "False", "FALSE", "f", "0"].includes(text)) return false;
  return new Failure("neither true nor false");
}

function doubleToText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function bytesToText(value: Uint8Array): string | Failure {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return new Failure("bytes that are not UTF-8 text");
  }
}

function floorSeconds(nanos: bigint): bigint {
  const second = 1_000_000_000n;
  return (nanos - (((nanos % second) + second) % second)) / second;
}
