// Log records as Loki's push API takes them: streams by their labels, in each the records in their order,
// with all that is not a label as structured metadata. Names and values are those that Loki itself makes of
// OTLP, so that queries are the same whichever way records came.

import { compress } from "snappyjs";
import { Cursor } from "../../wire/cursor.ts";
import { Leaves, type Range } from "../../wire/leaves.ts";
import { Writer } from "../../wire/writer.ts";
import type { Piece } from "../output.ts";
import { mostLabels } from "./settings.ts";
import { kindOf, textOfKind, textOfValue, valueKinds } from "./text.ts";

/** A PushRequest, in Snappy's block format. */
export function pushBody(entries: readonly Piece[], labels: readonly string[]): Uint8Array {
  const streams = new Streams(labels);
  for (const { batch, atMs } of entries) {
    const leaves = new Leaves(batch);
    streams.begin(leaves.bytes);
    while (leaves.next()) streams.add(leaves, atMs);
  }
  return compress(streams.finish());
}

const fields = { streams: 1, labels: 1, entries: 2, timestamp: 1, line: 2, metadata: 3 } as const;
const pair = { name: 1, value: 2 } as const;
const service = "service.name";

class Streams {
  readonly #isLabel: ReadonlySet<string>;
  readonly #order: readonly string[];
  /** By labels as Loki writes them: the entries of each. */
  readonly #streams = new Map<string, Writer>();
  readonly #record = new LogRecord();
  #resourceNumber = -1;
  #scopeNumber = -1;
  #stream = new Writer(0);
  #ofResource: Uint8Array = nothing;
  #ofScope: Uint8Array = nothing;

  constructor(labels: readonly string[]) {
    // Whoever looks for a service must find it, whatever else streams are told apart by.
    this.#isLabel = new Set(labels.includes(service) ? labels : [service, ...labels]);
    this.#order = [...this.#isLabel];
  }

  /** Of another batch. */
  begin(bytes: Uint8Array): void {
    this.#resourceNumber = this.#scopeNumber = -1;
    this.#record.over(bytes);
  }

  add(leaves: Leaves, atMs: number): void {
    if (leaves.resourceNumber !== this.#resourceNumber) this.#enterResource(leaves);
    if (leaves.scopeNumber !== this.#scopeNumber) this.#enterScope(leaves);
    const writer = this.#stream;
    const record = this.#record;
    writer.begin(fields.entries);
    record.write(writer, leaves);
    writeTime(writer, record.time || record.observed || BigInt(Math.round(atMs * 1e6)));
    writer.raw(this.#ofScope);
    writer.raw(this.#ofResource);
    writer.end();
  }

  finish(): Uint8Array {
    const request = new Writer();
    for (const [labels, entries] of this.#streams) {
      request.begin(fields.streams);
      request.text(fields.labels, labels);
      request.raw(entries.finish());
      request.end();
    }
    return request.finish();
  }

  #enterResource({ bytes, resource, resourceNumber }: Leaves): void {
    this.#resourceNumber = resourceNumber;
    const found = new Map<string, string>();
    const metadata = new Writer();
    const cursor = new Cursor(bytes, resource.start, resource.end);
    while (cursor.next()) {
      if (cursor.number !== 1) continue;
      const { key, value } = attributeAt(cursor);
      if (this.#isLabel.has(key)) found.set(key, textOfValue(bytes, value));
      else writeAttribute(metadata, nameOf(key), { bytes, ...value });
    }
    const keys = this.#order.filter((key) => found.get(key));
    for (const key of keys.splice(mostLabels)) writePair(metadata, nameOf(key), found.get(key)!);
    const stream = labelsOf(keys, found);
    this.#ofResource = metadata.finish();
    this.#stream = this.#streams.get(stream) ?? new Writer();
    this.#streams.set(stream, this.#stream);
  }

  #enterScope({ bytes, scope, scopeNumber }: Leaves): void {
    this.#scopeNumber = scopeNumber;
    const metadata = new Writer();
    const cursor = new Cursor(bytes, scope.start, scope.end);
    while (cursor.next()) {
      if (cursor.start === cursor.end) continue;
      if (cursor.number === 1) writePair(metadata, "scope_name", cursor.text());
      if (cursor.number === 2) writePair(metadata, "scope_version", cursor.text());
      if (cursor.number !== 3) continue;
      const { key, value } = attributeAt(cursor);
      writeAttribute(metadata, `scope_${nameOf(key)}`, { bytes, ...value });
    }
    this.#ofScope = metadata.finish();
  }
}

const nothing = new Uint8Array();

/** Loki takes no record at all of a stream that has too many. */
function labelsOf(keys: readonly string[], found: ReadonlyMap<string, string>): string {
  const texts = keys.map((key) => `${nameOf(key)}=${JSON.stringify(found.get(key))}`);
  const isUnknown = !found.get(service) && keys.length < mostLabels;
  if (isUnknown) texts.unshift('service_name="unknown_service"');
  return `{${texts.join(", ")}}`;
}

/** Written field by field as they come: where the time and the line stand in an entry is all the same. */
class LogRecord {
  /** Of the one that was written last; 0 for none. */
  time = 0n;
  observed = 0n;
  #cursor = new Cursor(nothing);

  over(bytes: Uint8Array): void {
    this.#cursor = new Cursor(bytes);
  }

  write(writer: Writer, { start, end }: Range): void {
    this.time = this.observed = 0n;
    const cursor = this.#cursor.over(start, end);
    let line = "";
    while (cursor.next()) {
      if (cursor.number === 5) line = textOfValue(cursor.bytes, cursor);
      else this.#writeField(writer, cursor);
    }
    writer.text(fields.line, line);
  }

  #writeField(writer: Writer, cursor: Cursor): void {
    const isEmpty = cursor.start === cursor.end;
    switch (cursor.number) {
      case 1:
        this.time = cursor.uint64();
        break;
      case 2:
        if (cursor.int32() !== 0) writePair(writer, "severity_number", String(cursor.int32()));
        break;
      case 3:
        if (!isEmpty) writePair(writer, "severity_text", cursor.text());
        break;
      case 6: {
        const { key, value } = attributeAt(cursor);
        writeAttribute(writer, nameOf(key), { bytes: cursor.bytes, ...value });
        break;
      }
      case 8:
        if (cursor.fixed32() !== 0) writePair(writer, "flags", String(cursor.fixed32()));
        break;
      case 9:
        if (!isEmpty) writePair(writer, "trace_id", cursor.hex());
        break;
      case 10:
        if (!isEmpty) writePair(writer, "span_id", cursor.hex());
        break;
      case 11:
        this.observed = cursor.uint64();
        if (this.observed !== 0n) writePair(writer, "observed_timestamp", String(this.observed));
        break;
      case 12:
        if (!isEmpty) writePair(writer, "event_name", cursor.text());
        break;
      default:
    }
  }
}

interface Attribute {
  readonly key: string;
  readonly value: Range;
}

/** The KeyValue that the cursor stands on. */
function attributeAt({ bytes, start, end }: Cursor): Attribute {
  let key = "";
  const value: Range = { start: 0, end: 0 };
  const entry = new Cursor(bytes, start, end);
  while (entry.next()) {
    if (entry.number === 1) key = entry.text();
    if (entry.number !== 2) continue;
    value.start = entry.start;
    value.end = entry.end;
  }
  return { key, value };
}

interface Value extends Range {
  readonly bytes: Uint8Array;
}

/** A map becomes a pair for each of its values. */
function writeAttribute(writer: Writer, name: string, { bytes, start, end }: Value): void {
  const kind = kindOf(bytes, { start, end });
  if (kind?.number !== valueKinds.map) {
    writePair(writer, name, textOfKind(kind));
    return;
  }
  const inner = new Cursor(bytes, kind.start, kind.end);
  while (inner.next()) {
    if (inner.number !== 1) continue;
    const { key, value } = attributeAt(inner);
    writeAttribute(writer, `${name}_${nameOf(key)}`, { bytes, ...value });
  }
}

function writePair(writer: Writer, name: string, value: string): void {
  writer.begin(fields.metadata);
  writer.text(pair.name, name);
  writer.text(pair.value, value);
  writer.end();
}

function writeTime(writer: Writer, nanoseconds: bigint): void {
  writer.begin(fields.timestamp);
  writer.int64(1, nanoseconds / 1_000_000_000n);
  writer.uint(2, Number(nanoseconds % 1_000_000_000n));
  writer.end();
}

/** As Prometheus has names, and Loki after it. */
function nameOf(key: string): string {
  const name = key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  return /^[0-9]/.test(name) ? `key_${name}` : name || "_";
}
