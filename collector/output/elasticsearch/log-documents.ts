// A log record as Elasticsearch's own OpenTelemetry data streams have it, written from the wire: two
// lines of a _bulk request, the action and the document.
//
// The id names the record's place in the log. Sent again, it is the same document, which the server
// answers with 409, so nothing is stored twice; what a rollover changes about that is in stored.ts.

import { Cursor } from "../../wire/cursor.ts";
import type { Leaves, Range } from "../../wire/leaves.ts";
import type { Piece } from "../output.ts";
import { alone, type Documents, type Run } from "./bulk.ts";
import type { Destination, Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { Groups, type Named } from "./groups.ts";
import { Instant } from "./instant.ts";
import { JsonWriter } from "./json-writer.ts";
import { before, Ids, writeCount, writeId, writeText } from "./members.ts";
import { type Limits, QuickRecords } from "./quick-record.ts";
import { severityName } from "./severity.ts";
import { ValueWriter } from "./value-writer.ts";

export interface LogDocumentsOptions {
  readonly destinations: Destinations;
  readonly names: FieldNames;
  readonly logId: string;
  /** Whether usual records may go the quick way, which makes the same of them; true unless told otherwise. */
  readonly isQuick?: boolean;
}

export class LogDocuments implements Documents {
  readonly json: JsonWriter;
  readonly ids: Ids;
  /** Writes the usual records. */
  readonly #quick: QuickRecords | undefined;
  readonly #values: ValueWriter;
  readonly #destinations: Destinations;
  readonly #names: Names;
  readonly #cursor = new Cursor(new Uint8Array());
  readonly #record = new LogRecord();
  readonly #groups: Groups;
  #leaves: Leaves | undefined;
  /** Where the usual records of the present group go. */
  #usual: Destination | undefined;
  /** Of the groups, when the tail of these records was made. */
  #version = -1;

  constructor({ destinations, names, logId, isQuick = true }: LogDocumentsOptions) {
    this.#quick = isQuick ? new QuickRecords(names) : undefined;
    this.json = this.#quick?.json ?? new JsonWriter();
    const { json } = this;
    this.#names = namesOf(names);
    const values = new ValueWriter(json);
    this.#values = values;
    this.#destinations = destinations;
    this.ids = new Ids(logId);
    this.#groups = new Groups({ json, values, destinations, names });
  }

  count(): number {
    return 1;
  }

  write(leaves: Leaves, entry: Piece, limits: Limits): Run {
    const isOther = this.#groups.enter(leaves);
    if (leaves !== this.#leaves) this.#quick?.enter(leaves.bytes);
    this.#leaves = leaves;
    if (isOther) this.#aim(this.#groups.destination(entry.atMs), entry);
    const { fieldStart: start, groupEnd: end } = leaves;
    const number = (entry.origin?.index ?? 0) + leaves.index;
    const quick = this.#quick;
    const count = quick?.write({ start, end, number }, limits) ?? 0;
    if (!quick || count === 0) return alone(this.#writeThoroughly(leaves, entry), this.json);
    leaves.skip(count - 1, quick.readTo);
    return { destination: this.#usual!.name, count, ends: quick.ends };
  }

  #aim(destination: Destination, entry: Piece): void {
    const { version } = this.#groups;
    const isOther = destination !== this.#usual || version !== this.#version;
    this.#version = -1; // should this fail midway
    if (this.#quick) this.#frame(this.#quick, { destination, entry, isOther });
    this.#usual = destination;
    this.#version = version;
  }

  #frame(quick: QuickRecords, { destination, entry, isOther }: Aim): void {
    const json = this.json;
    const start = json.length;
    this.ids.writeAction(json, destination, entry);
    const middle = json.length;
    if (isOther) this.#groups.writeTail(new Map(), destination);
    const near = this.#destinations.near(entry.atMs);
    quick.frame({
      action: json.slice(start, middle),
      tail: isOther ? json.slice(middle, json.length) : undefined,
      from: Math.max(near.from, destination.stretch.from),
      to: Math.min(near.to, destination.stretch.to),
    });
    json.truncate(start);
  }

  #writeThoroughly(leaves: Leaves, entry: Piece): string {
    const json = this.json;
    const record = this.#record;
    this.#readRecord(leaves, entry.atMs);
    this.#groups.complete(record);
    const destination = this.#destinations.of(record, entry.atMs);
    this.ids.write(json, destination, { entry, index: leaves.index, part: 0 });
    record.timestamp.write(json);
    this.#writeFields(leaves.bytes);
    this.#groups.writeTail(record.fields, destination);
    // The next ones are likely to be of the same time.
    const isByTime = !this.#destinations.areNamedByAttributes;
    if (isByTime && destination !== this.#usual) this.#aim(destination, entry);
    return destination.name;
  }

  #readRecord(leaves: Leaves, atMs: number): void {
    const record = this.#record;
    const cursor = this.#cursor.over(leaves.start, leaves.end, leaves.bytes);
    record.clear();
    this.#values.over(leaves.bytes);
    while (cursor.next()) {
      if (cursor.number === 6) this.#groups.collect(cursor.start, cursor.end, record);
      else record.take(cursor);
    }
    if (record.time.isKnown) record.timestamp.copy(record.time);
    else if (record.observed.isKnown) record.timestamp.copy(record.observed);
    else record.timestamp.set(atMs);
  }

  #writeFields(bytes: Uint8Array): void {
    const json = this.json;
    const record = this.#record;
    const names = this.#names;
    if (record.observed.isKnown) {
      json.ascii(names.observed);
      record.observed.write(json);
    }
    if (record.severityNumber !== 0) {
      json.ascii(names.severityNumber);
      json.ascii(String(record.severityNumber));
    }
    if (record.severityText.end > record.severityText.start) {
      writeText(json, names.severityText, bytes, record.severityText);
    } else if (record.severityNumber >= 1 && record.severityNumber <= 24) {
      json.ascii(`${names.severityText}"${severityName(record.severityNumber)}"`);
    }
    writeId(json, names.traceId, bytes, record.traceId);
    writeId(json, names.spanId, bytes, record.spanId);
    writeText(json, names.eventName, bytes, record.eventName);
    // The two are mapped differently: an event's name tells the shape of its body.
    const isEvent = record.eventName.end > record.eventName.start;
    const { start, end } = record.body;
    const { message } = names.plain;
    if (message !== undefined) this.#values.message(start, end, message);
    else this.#values.body(start, end, isEvent ? "structured" : "flattened");
    if (!this.#values.isEmpty) {
      json.ascii(',"attributes":');
      this.#values.attributes();
    }
    writeCount(json, ',"dropped_attributes_count":', record.droppedAttributes);
  }
}

interface Aim {
  readonly destination: Destination;
  readonly entry: Piece;
  /** Whether the tail is not the one before. */
  readonly isOther: boolean;
}

/** Ready to be written: `,"trace_id":` */
interface Names {
  readonly plain: FieldNames;
  readonly observed: string;
  readonly severityNumber: string;
  readonly severityText: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly eventName: string;
}

function namesOf(plain: FieldNames): Names {
  return {
    plain,
    observed: before(plain.observed),
    severityNumber: before(plain.severityNumber),
    severityText: before(plain.severityText),
    traceId: before(plain.traceId),
    spanId: before(plain.spanId),
    eventName: before(plain.eventName),
  };
}

/** The fields of one record, used again for the next. */
class LogRecord implements Named {
  readonly time = new Instant();
  readonly observed = new Instant();
  /** Of these two the one that is there, else when it came to us. */
  readonly timestamp = new Instant();
  severityNumber = 0;
  droppedAttributes = 0;
  readonly severityText: Range = { start: 0, end: 0 };
  readonly traceId: Range = { start: 0, end: 0 };
  readonly spanId: Range = { start: 0, end: 0 };
  readonly eventName: Range = { start: 0, end: 0 };
  readonly body: Range = { start: 0, end: 0 };
  readonly fields = new Map<string, string>();
  dataset: string | undefined;
  namespace: string | undefined;

  clear(): void {
    this.time.isKnown = this.observed.isKnown = false;
    this.severityNumber = this.droppedAttributes = 0;
    clear(this.severityText);
    clear(this.traceId);
    clear(this.spanId);
    clear(this.eventName);
    clear(this.body);
    this.dataset = this.namespace = undefined;
    this.fields.clear();
  }

  take(cursor: Cursor): void {
    switch (cursor.number) {
      case 1:
        return this.time.read(cursor.bytes, cursor.start);
      case 2:
        this.severityNumber = cursor.int32();
        return;
      case 3:
        return set(this.severityText, cursor);
      case 5:
        return set(this.body, cursor);
      case 7:
        this.droppedAttributes = cursor.uint();
        return;
      case 9:
        return set(this.traceId, cursor);
      case 10:
        return set(this.spanId, cursor);
      case 11:
        return this.observed.read(cursor.bytes, cursor.start);
      case 12:
        return set(this.eventName, cursor);
      default:
    }
  }
}

function clear(range: Range): void {
  range.start = range.end = 0;
}

function set(range: Range, cursor: Cursor): void {
  range.start = cursor.start;
  range.end = cursor.end;
}
