// Arithmetic and comparison on values. Ints and uints that do not fit into 64 bits are failures, as is
// everything that the operator does not know; no type is converted into another on the way.

import { durationOf, timestampOf } from "./time.ts";
import * as types from "./types.ts";
import type { Type } from "./types.ts";
import {
  compare,
  Duration,
  equals,
  Failure,
  isAmong,
  isList,
  isMap,
  maxInt,
  maxUint,
  minInt,
  Timestamp,
  typeNameOf,
  Uint,
  type Value,
} from "./values.ts";

/** What an expression may put together: more is no attribute any more, and memory is to be bounded. */
const maxLength = 1 << 20;

export type Arithmetic = "+" | "-" | "*" | "/" | "%";

const { bytes, double, duration, int, list, string, timestamp, uint } = types;

/** What goes with what: the left type, the right one, and what comes out. */
export const arithmetic: Readonly<Record<Arithmetic, readonly (readonly [Type, Type, Type])[]>> = {
  "+": [
    [int, int, int],
    [uint, uint, uint],
    [double, double, double],
    [string, string, string],
    [bytes, bytes, bytes],
    [list, list, list],
    [timestamp, duration, timestamp],
    [duration, timestamp, timestamp],
    [duration, duration, duration],
  ],
  "-": [
    [int, int, int],
    [uint, uint, uint],
    [double, double, double],
    [timestamp, timestamp, duration],
    [timestamp, duration, timestamp],
    [duration, duration, duration],
  ],
  "*": [
    [int, int, int],
    [uint, uint, uint],
    [double, double, double],
  ],
  "/": [
    [int, int, int],
    [uint, uint, uint],
    [double, double, double],
  ],
  "%": [
    [int, int, int],
    [uint, uint, uint],
  ],
};

export function calculate(operator: Arithmetic, a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return calculateInts(operator, a, b);
  if (typeof a === "number" && typeof b === "number") return calculateDoubles(operator, a, b);
  if (a instanceof Uint && b instanceof Uint) {
    const value = whole(operator, a.value, b.value);
    if (typeof value !== "bigint") return value;
    return value >= 0n && value <= maxUint ? new Uint(value) : new Failure("a uint out of range");
  }
  const value = operator === "+" ? add(a, b) : operator === "-" ? subtract(a, b) : undefined;
  return value ?? noSuch(operator, a, b);
}

function calculateInts(operator: Arithmetic, a: bigint, b: bigint): Value {
  const value = whole(operator, a, b);
  if (typeof value !== "bigint") return value;
  return value >= minInt && value <= maxInt ? value : new Failure("an int out of range");
}

function whole(operator: Arithmetic, a: bigint, b: bigint): bigint | Failure {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0n ? new Failure("a division by zero") : a / b;
    default: // %
      return b === 0n ? new Failure("a division by zero") : a % b;
  }
}

function calculateDoubles(operator: Arithmetic, a: number, b: number): Value {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    default:
      return noSuch(operator, a, b);
  }
}

const tooLong = new Failure(`longer than ${maxLength}`);

function isTooLong(left: { readonly length: number }, right: { readonly length: number }): boolean {
  return left.length + right.length > maxLength;
}

function add(a: Value, b: Value): Value | undefined {
  if (typeof a === "string" && typeof b === "string") return isTooLong(a, b) ? tooLong : a + b;
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return isTooLong(a, b) ? tooLong : Uint8Array.from([...a, ...b]);
  }
  if (a !== null && b !== null && isList(a) && isList(b)) {
    return isTooLong(a, b) ? tooLong : [...a, ...b];
  }
  if (a instanceof Duration && b instanceof Duration) return durationOf(a.nanos + b.nanos);
  if (
    (a instanceof Timestamp && b instanceof Duration) ||
    (a instanceof Duration && b instanceof Timestamp)
  ) {
    return timestampOf(a.nanos + b.nanos);
  }
  return undefined;
}

function subtract(a: Value, b: Value): Value | undefined {
  if (a instanceof Timestamp && b instanceof Duration) return timestampOf(a.nanos - b.nanos);
  const isTimes = a instanceof Timestamp && b instanceof Timestamp;
  if (isTimes || (a instanceof Duration && b instanceof Duration)) {
    return durationOf(a.nanos - b.nanos);
  }
  return undefined;
}

export function negate(value: Value): Value {
  if (value instanceof Failure) return value;
  if (typeof value === "number") return -value;
  if (typeof value === "bigint") return calculateInts("-", 0n, value);
  return new Failure(`no -${typeNameOf(value)}`);
}

export type Relation = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in";

/** What is absent is equal to nothing but null, and neither before nor behind anything. */
export function relate(operator: Relation, a: Value, b: Value): boolean | Failure {
  switch (operator) {
    case "==":
      return equals(a, b);
    case "!=":
      return not(equals(a, b));
    case "in":
      return isIn(a, b);
    default:
  }
  if (a === null || b === null) return false;
  const order = compare(a, b);
  if (order === undefined) return noSuch(operator, a, b);
  switch (operator) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

function not(answer: boolean | Failure): boolean | Failure {
  return answer instanceof Failure ? answer : !answer;
}

function isIn(value: Value, container: Value): boolean | Failure {
  if (container === null) return false;
  if (isList(container)) return isAmong(value, container);
  if (isMap(container)) return container.get(value) !== undefined;
  return noSuch("in", value, container);
}

function noSuch(operator: string, a: Value, b: Value): Failure {
  return new Failure(`no ${typeNameOf(a)} ${operator} ${typeNameOf(b)}`);
}
