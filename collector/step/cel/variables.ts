// What an expression can speak of: the variables with their fields, and which kind of data has which.

import type { Signal } from "../../wire/batch.ts";
import type { Range } from "../../wire/leaves.ts";
import type { Item } from "../item.ts";
import * as types from "./types.ts";
import type { Field, Type } from "./types.ts";
import { Duration, type Value } from "./values.ts";
import { findField, nanosAt } from "./view.ts";
import { Cursor } from "../../wire/cursor.ts";

export type VariableName = keyof typeof variables;

export interface Variable {
  readonly type: Type;
  /** Of a message: where it is in the item's bytes. */
  readonly range?: (item: Item) => Range;
  /** Of all others. */
  readonly read?: (item: Item) => Value;
  /** As in Code. */
  readonly nanos?: (item: Item) => number;
  /** Only items of this kind have it. */
  readonly of?: Signal;
}

/** Stands for a number that depends on the kind of data point; see `attributesNumber`. */
const ofPointKind = 0;

type FieldRow = readonly [name: string, number: number, form: Field["form"], type?: Type];

function object(name: string, rows: readonly FieldRow[]): Type {
  const fields = new Map<string, Field>();
  for (const [field, number, form, type] of rows) {
    fields.set(field, { number, form, type: type ?? typeOf[form] });
  }
  return { kind: "object", name, fields };
}

const attributes: Type = { kind: "map", key: types.string, value: types.dyn };

const typeOf: Readonly<Record<Field["form"], Type>> = {
  text: types.string,
  hex: types.string,
  int: types.int,
  time: types.timestamp,
  any: types.dyn,
  attributes,
  part: types.dyn,
  parts: types.list,
  "metric type": types.string,
  "point value": types.dyn,
};

const listOf = (item: Type): Type => ({ kind: "list", item });

const resource = object("resource", [["attributes", 1, "attributes"]]);

const scope = object("scope", [
  ["name", 1, "text"],
  ["version", 2, "text"],
  ["attributes", 3, "attributes"],
]);

const status = object("status", [
  ["message", 2, "text"],
  ["code", 3, "int"],
]);

const event = object("event", [
  ["time", 1, "time"],
  ["name", 2, "text"],
  ["attributes", 3, "attributes"],
]);

const link = object("link", [
  ["trace_id", 1, "hex"],
  ["span_id", 2, "hex"],
  ["trace_state", 3, "text"],
  ["attributes", 4, "attributes"],
]);

const span = object("span", [
  ["trace_id", 1, "hex"],
  ["span_id", 2, "hex"],
  ["trace_state", 3, "text"],
  ["parent_span_id", 4, "hex"],
  ["name", 5, "text"],
  ["kind", 6, "int"],
  ["start_time", 7, "time"],
  ["end_time", 8, "time"],
  ["attributes", 9, "attributes"],
  ["events", 11, "parts", listOf(event)],
  ["links", 13, "parts", listOf(link)],
  ["status", 15, "part", status],
]);

const log = object("log", [
  ["time", 1, "time"],
  ["severity_number", 2, "int"],
  ["severity_text", 3, "text"],
  ["body", 5, "any"],
  ["attributes", 6, "attributes"],
  ["trace_id", 9, "hex"],
  ["span_id", 10, "hex"],
  ["observed_time", 11, "time"],
  ["event_name", 12, "text"],
]);

const metric = object("metric", [
  ["name", 1, "text"],
  ["description", 2, "text"],
  ["unit", 3, "text"],
  ["type", 0, "metric type"],
]);

const datapoint = object("datapoint", [
  ["start_time", 2, "time"],
  ["time", 3, "time"],
  ["attributes", ofPointKind, "attributes"],
  ["value", 0, "point value", types.dyn],
]);

export const variables = {
  signal: { type: types.string, read: ({ signal }) => signal },
  resource: { type: resource, range: ({ resource }) => resource },
  scope: { type: scope, range: ({ scope }) => scope },
  span: { type: span, range: ({ leaf }) => leaf, of: "traces" },
  duration: { type: types.duration, read: durationOf, nanos: nanosOf, of: "traces" },
  log: { type: log, range: ({ leaf }) => leaf, of: "logs" },
  metric: { type: metric, range: ({ leaf }) => leaf, of: "metrics" },
  datapoint: { type: datapoint, range: ({ point }) => point, of: "metrics" },
} as const satisfies Readonly<Record<string, Variable>>;

const found: Range = { start: 0, end: 0 };

/** From a span's start to its end; negative where the clock says so. */
function durationOf({ bytes, leaf }: Item): Value {
  const end = findField(bytes, leaf, 8, found) ? nanosAt(bytes, found.start) : 0n;
  const start = findField(bytes, leaf, 7, found) ? nanosAt(bytes, found.start) : 0n;
  return new Duration(end - start);
}

/** By the halves of both times, which needs no bigint; NaN beyond a hundred days. */
function nanosOf({ bytes, leaf }: Item): number {
  cursor.over(leaf.start, leaf.end, bytes);
  let start = -1;
  let end = -1;
  while (cursor.next()) {
    if (cursor.number === 7) start = cursor.start;
    else if (cursor.number === 8) end = cursor.start;
  }
  if (start < 0 || end < 0) return Number.NaN;
  const high = u32(bytes, end + 4) - u32(bytes, start + 4);
  const nanos = high * 2 ** 32 + u32(bytes, end) - u32(bytes, start);
  return Number.isSafeInteger(nanos) ? nanos : Number.NaN;
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

/** Names for the numbers of OTLP's enums: `span.kind == SPAN_KIND_SERVER`. */
export const constants: ReadonlyMap<string, bigint> = new Map([
  ...numbered("SPAN_KIND", "UNSPECIFIED INTERNAL SERVER CLIENT PRODUCER CONSUMER"),
  ...numbered("STATUS_CODE", "UNSET OK ERROR"),
  ...numbered("SEVERITY_NUMBER", `UNSPECIFIED ${severities()}`),
]);

function numbered(prefix: string, names: string): [string, bigint][] {
  return names.split(" ").map((name, number) => [`${prefix}_${name}`, BigInt(number)]);
}

function severities(): string {
  return ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    .flatMap((name) => [name, `${name}2`, `${name}3`, `${name}4`])
    .join(" ");
}

const metricTypes: ReadonlyMap<number, string> = new Map([
  [5, "gauge"],
  [7, "sum"],
  [9, "histogram"],
  [10, "exponential_histogram"],
  [11, "summary"],
]);

/** Which of a message's fields has its attributes. */
export function attributesNumber({ number }: Pick<Field, "number">, { pointKind }: Item): number {
  if (number !== ofPointKind) return number;
  return pointKind === 9 ? 9 : pointKind === 10 ? 1 : 7;
}

const cursor = new Cursor(new Uint8Array());

/** Empty for a metric without data. */
export function metricTypeOf({ bytes, leaf }: Item): string {
  let type = "";
  cursor.over(leaf.start, leaf.end, bytes);
  while (cursor.next()) type = metricTypes.get(cursor.number) ?? type;
  return type;
}

/** Of a gauge or a sum; null for all others. */
export function pointValueOf({ bytes, point, pointKind }: Item): Value {
  let value: Value = null;
  if (pointKind !== 5 && pointKind !== 7) return value;
  cursor.over(point.start, point.end, bytes);
  while (cursor.next()) {
    if (cursor.number === 4) value = cursor.double();
    else if (cursor.number === 6) value = cursor.int64();
  }
  return value;
}
