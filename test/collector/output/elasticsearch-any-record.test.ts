// Any record at all, its document held against one that is made of objects.

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { test } from "vitest";
import { anyMessage, fuzz } from "../../support/otlp-arbitrary.ts";
import type { AnyValue, KeyValue, LogRecord } from "../../support/otlp.ts";
import { came, nano, request, textOf } from "./elasticsearch-lines.ts";

test("the document of any record is valid, has no name twice, texts and numbers exact", () => {
  const record = anyMessage("LogRecord") as fc.Arbitrary<LogRecord>;
  const name = fc.constantFrom(
    "__proto__",
    "",
    " ",
    "_",
    'a"b',
    "a\nb",
    "\0",
    "\u2028",
    "a",
    "a.b",
  );
  const hostile = fc
    .array(fc.record({ key: name, value: anyMessage("AnyValue") }))
    .map((more) => ({ attributes: more }));
  const any = fc.oneof({ weight: 3, arbitrary: record }, { weight: 1, arbitrary: hostile });
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 3 }), (records) => {
      const lines = textOf(request(...records)).split("\n");
      assert.equal(lines.pop(), "");
      assert.equal(lines.length, records.length * 2);
      for (const [index, line] of lines.entries()) {
        assert.deepEqual(repeatedNames(line), []);
        if (index % 2 === 0) continue;
        assert.deepEqual(exactly(line), expected(records[(index - 1) / 2]!));
      }
    }),
    fuzz(300),
  );
});

/** Names that an object of the JSON has twice, which JSON.parse keeps quiet about. */
function repeatedNames(json: string): string[] {
  const open: Set<string>[] = [];
  const repeated: string[] = [];
  const tokens = json.match(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/gs) ?? [];
  for (const token of tokens) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (token.endsWith(":")) {
      const name = JSON.parse(token.slice(0, -1)) as string;
      if (open.at(-1)!.has(name)) repeated.push(name);
      open.at(-1)!.add(name);
    }
  }
  return repeated;
}

/** Objects as Maps, for names such as __proto__; integers as bigints, doubles as numbers. */
function exactly(json: string): unknown {
  return JSON.parse(json, revive as (this: unknown, name: string, value: unknown) => unknown);
}

function revive(_name: string, value: unknown, context: { source: string }): unknown {
  if (typeof value === "number") {
    return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return new Map(Object.entries(value));
}

const severities = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap((name) =>
  ["", "2", "3", "4"].map((nth) => name + nth),
);

/** What the document of a record must be, made from objects and not from bytes. */
function expected(record: LogRecord): Map<string, unknown> {
  const time = BigInt(record.timeUnixNano ?? 0);
  const observed = BigInt(record.observedTimeUnixNano ?? 0);
  const timestamp = [time, observed].find(isKnown);
  const level = record.severityNumber ?? 0;
  const all = record.attributes ?? [];
  const dropped = record.droppedAttributesCount ?? 0;
  const fields: Record<string, unknown> = {
    "@timestamp": iso(timestamp ?? BigInt(nano(came))),
    observed_timestamp: isKnown(observed) ? iso(observed) : "",
    severity_number: level === 0 ? "" : BigInt(level),
    severity_text: record.severityText || (severities[level - 1] ?? ""),
    trace_id: id(record.traceId),
    span_id: id(record.spanId),
    event_name: record.eventName ?? "",
    body: expectedBody(record),
    attributes: all.length > 0 ? expectedMap(all, true) : "",
    dropped_attributes_count: dropped > 0 ? BigInt(dropped) : "",
    data_stream: new Map([
      ["type", "logs"],
      ["dataset", "generic.otel"],
      ["namespace", "default"],
    ]),
  };
  return new Map(Object.entries(fields).filter(([, value]) => value !== ""));
}

const isKnown = (nanos: bigint): boolean => nanos > 0n && nanos < 2n ** 63n;
const id = (text = ""): string => (/[^0]/.test(text) ? text : "");

function iso(nanos: bigint): string {
  const ms = new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, -1);
  return `${ms}${String(nanos % 1_000_000n).padStart(6, "0")}Z`;
}

function expectedBody({ body = {}, eventName }: LogRecord): unknown {
  const mapName = eventName ? "structured" : "flattened";
  if (body.kvlistValue) return new Map([[mapName, expectedValue(body)]]);
  if (body.arrayValue) return new Map([[mapName, new Map([["value", expectedValue(body)]])]]);
  if (Object.keys(body).length === 0) return "";
  return new Map([["text", String(body.doubleValue ?? expectedValue(body))]]);
}

function expectedMap(pairs: readonly KeyValue[], areAttributes: boolean): Map<string, unknown> {
  const map = new Map<string, unknown>();
  for (const { key = "", value = {} } of pairs) {
    // eslint-disable-next-line no-control-regex -- that is what it is about
    const name = /^[\0- ]*$/.test(key) ? "_" : key;
    const list = areAttributes ? value.arrayValue?.values : undefined;
    map.delete(name); // the last one counts, and where it stands
    map.set(name, list ? expectedList(list) : expectedValue(value));
  }
  return map;
}

function expectedValue(value: AnyValue): unknown {
  if (value.intValue !== undefined) return BigInt(value.intValue);
  if (value.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue) ? value.doubleValue : null;
  }
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(expectedValue);
  if (value.kvlistValue) return expectedMap(value.kvlistValue.values ?? [], false);
  return value.stringValue ?? value.boolValue ?? value.bytesValue ?? null;
}

function expectedList(values: readonly AnyValue[]): unknown[] {
  const isNull = (value: AnyValue): boolean => expectedValue(value) === null;
  const kinds = new Set(values.filter((value) => !isNull(value)).flatMap(Object.keys));
  if (kinds.size === 2 && kinds.has("intValue") && kinds.has("doubleValue")) {
    return values.map((value) => (isNull(value) ? null : Number(expectedValue(value))));
  }
  if (kinds.size < 2 && !kinds.has("arrayValue")) return values.map(expectedValue);
  return values.map((value) => {
    const is = Object.keys(value)[0];
    if (is === undefined) return null;
    if (is === "doubleValue") return String(value.doubleValue);
    if (is !== "arrayValue" && is !== "kvlistValue") return String(expectedValue(value));
    return jsonOf(expectedValue(value));
  });
}

function jsonOf(value: unknown): string {
  if (value instanceof Map) {
    const members = [...value].map(([name, member]) => `${JSON.stringify(name)}:${jsonOf(member)}`);
    return `{${members.join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(",")}]`;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "number") return JSON.stringify(value);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
