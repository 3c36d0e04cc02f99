// A delivery in one line:
//
//   traces   12 spans      shop 9, stock 3   GET /products, POST /orders … 2 errors, trace 4bf92f35…
//   logs     3 records     shop 3            INFO order 17 placed, ERROR payment failed
//   metrics  40 points     shop              http.server.request.duration, shop.orders …

import type { Signal } from "../../wire/batch.ts";
import { Cursor, textOf } from "../../wire/cursor.ts";
import { Leaves, type Range } from "../../wire/leaves.ts";
import type { Delivery } from "../output.ts";
import { printable, shorten } from "../../wire/printable.ts";

const maxLine = 200;
const maxText = 48;
const maxNames = 3;
/** Distinct services, names and traces are remembered up to this many. */
const maxDistinct = 100;

export function summarize(delivery: Delivery): string {
  const seen = look(delivery);
  const { signal, items } = delivery;
  const noun = nouns[signal] + (items === 1 ? "" : "s");
  const services = some(
    [...seen.services].map(([name, leaves]) => (signal === "metrics" ? name : `${name} ${leaves}`)),
  );
  const line = [
    `${signal.padEnd(7)}  ${`${items} ${noun}`.padEnd(12)}`,
    services.padEnd(16),
    [some([...seen.names]), ...notes(seen)].filter((text) => text !== "").join("   "),
  ];
  return shorten(printable(line.join("  ").trimEnd()), maxLine);
}

const nouns: Readonly<Record<Signal, string>> = {
  traces: "span",
  metrics: "point",
  logs: "record",
};

function some(names: readonly string[]): string {
  const shown = names.slice(0, maxNames).join(", ");
  return names.length > maxNames ? `${shown} …` : shown;
}

function notes({ errors, traces }: Seen): string[] {
  const [first, ...others] = traces;
  const failed = errors > 0 ? [`${errors} ${errors === 1 ? "error" : "errors"}`] : [];
  if (first === undefined) return failed;
  if (others.length === 0) return [...failed, `trace ${first}`];
  const count = traces.size < maxDistinct ? traces.size : `${maxDistinct} or more`;
  return [...failed, `${count} traces, one is ${first}`];
}

interface Seen {
  /** How many leaves each has. */
  readonly services: Map<string, number>;
  readonly names: Set<string>;
  readonly traces: Set<string>;
  errors: number;
}

function look({ signal, entries }: Delivery): Seen {
  const seen: Seen = { services: new Map(), names: new Set(), traces: new Set(), errors: 0 };
  const lookAt = { traces: lookAtSpan, metrics: lookAtMetric, logs: lookAtRecord }[signal];
  for (const { batch } of entries) {
    const leaves = new Leaves(batch);
    const cursor = new Cursor(batch.bytes);
    let resource = -1;
    let service = "";
    while (leaves.next()) {
      if (leaves.resourceNumber !== resource) {
        resource = leaves.resourceNumber;
        service = serviceName(cursor, leaves.resource);
      }
      const count = seen.services.get(service);
      if (count !== undefined || seen.services.size < maxDistinct) {
        seen.services.set(service, (count ?? 0) + 1);
      }
      lookAt(cursor.over(leaves.start, leaves.end), seen);
    }
  }
  return seen;
}

function remember(set: Set<string>, text: string): void {
  if (text !== "" && set.size < maxDistinct) set.add(text);
}

// Fields by number, as schema.ts has them.

function lookAtSpan(span: Cursor, seen: Seen): void {
  const status: Range = { start: 0, end: 0 };
  while (span.next()) {
    if (span.number === 1) remember(seen.traces, span.hex());
    else if (span.number === 5) remember(seen.names, start(span));
    else if (span.number === 15) Object.assign(status, { start: span.start, end: span.end });
  }
  span.over(status.start, status.end);
  while (span.next()) if (span.number === 3 && span.int32() === 2) seen.errors++;
}

function lookAtMetric(metric: Cursor, seen: Seen): void {
  while (metric.next()) if (metric.number === 1) remember(seen.names, start(metric));
}

function lookAtRecord(record: Cursor, seen: Seen): void {
  let severity = "";
  let event = "";
  const body: Range = { start: 0, end: 0 };
  while (record.next()) {
    if (record.number === 2) severity ||= severityName(record.int32());
    else if (record.number === 3) severity = start(record) || severity;
    else if (record.number === 5) Object.assign(body, { start: record.start, end: record.end });
    else if (record.number === 9) remember(seen.traces, record.hex());
    else if (record.number === 12) event = start(record);
  }
  const text = anyText(record.over(body.start, body.end)) || event;
  remember(seen.names, `${severity} ${text}`.trim());
}

/** TRACE, TRACE2 … are four numbers each. */
function severityName(number: number): string {
  return ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"][Math.floor((number - 1) / 4)] ?? "";
}

function serviceName(cursor: Cursor, { start: from, end }: Range): string {
  cursor.over(from, end);
  const value = new Cursor(cursor.bytes, 0, 0);
  while (cursor.next()) {
    if (cursor.number !== 1) continue;
    const found: Range = { start: 0, end: 0 };
    let key = "";
    value.over(cursor.start, cursor.end);
    while (value.next()) {
      if (value.number === 1) key = start(value);
      else if (value.number === 2) Object.assign(found, { start: value.start, end: value.end });
    }
    if (key === "service.name") return anyText(value.over(found.start, found.end)) || "(unnamed)";
  }
  return "(unnamed)";
}

/** Of an AnyValue; lists and maps are only hinted at. */
function anyText(value: Cursor): string {
  let text = "";
  while (value.next()) {
    switch (value.number) {
      case 1:
        text = start(value);
        break;
      case 2:
        text = String(value.uint() !== 0);
        break;
      case 3:
        text = String(value.int64());
        break;
      case 4:
        text = String(value.double());
        break;
      case 5:
        text = "[…]";
        break;
      case 6:
        text = "{…}";
        break;
      case 7:
        text = `${value.end - value.start} bytes`;
    }
  }
  return text;
}

/** The beginning of a string that may be a megabyte long. */
function start({ bytes, start: from, end }: Cursor): string {
  return shorten(textOf(bytes, from, Math.min(end, from + maxText * 4)), maxText);
}
