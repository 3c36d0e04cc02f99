// A log record as Elasticsearch's own OpenTelemetry data streams have it, written from the wire: two
// lines of a _bulk request, the action and the document.
//
// The id names the record's place in the log. Sent again, it is the same document, which the server
// answers with 409, so nothing is stored twice; what a rollover changes about that is in stored.ts.

import type { Entry } from "../../log/log.ts";
import { Cursor, textOf } from "../../wire/cursor.ts";
import type { Leaves, Range } from "../../wire/leaves.ts";
import type { Destination, Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { Instant } from "./instant.ts";
import type { JsonWriter } from "./json-writer.ts";
import { ValueWriter } from "./value-writer.ts";

export interface LogDocumentsOptions {
  readonly destinations: Destinations;
  readonly names: FieldNames;
  readonly logId: string;
}

/** Where a record goes, and where its id stands in what was written. */
export interface Written {
  readonly destination: string;
  readonly id: Readonly<Range>;
}

export class LogDocuments {
  readonly #json: JsonWriter;
  readonly #values: ValueWriter;
  readonly #destinations: Destinations;
  readonly #names: Names;
  readonly #idStart: Uint8Array;
  readonly #cursor = new Cursor(new Uint8Array());
  readonly #record = new LogRecord();
  readonly #written = { destination: "", id: { start: 0, end: 0 } };
  #leaves: Leaves | undefined;
  #resource = noGroup;
  #resourceNumber = -1;
  #scope = noGroup;
  #scopeNumber = -1;

  constructor(json: JsonWriter, { destinations, names, logId }: LogDocumentsOptions) {
    this.#json = json;
    this.#names = namesOf(names);
    this.#values = new ValueWriter(json);
    this.#destinations = destinations;
    this.#idStart = idStart(logId);
  }

  /** Adds the record that `leaves` stands on. What it gives is good until the next one. */
  write(leaves: Leaves, entry: Pick<Entry, "position" | "atMs" | "origin">): Written {
    const { position, atMs, origin } = entry;
    this.#readGroups(leaves);
    this.#readRecord(leaves, atMs);
    const json = this.#json;
    const record = this.#record;
    const written = this.#written;
    const { name, action, fields } = this.#destination(atMs);
    json.raw(action);
    written.destination = name;
    written.id.start = json.length;
    json.raw(origin ? idStart(origin.logId) : this.#idStart);
    json.uint(origin?.position ?? position);
    json.ascii("-");
    json.uint((origin?.index ?? 0) + leaves.index);
    json.ascii('"');
    written.id.end = json.length;
    json.ascii('}}\n{"@timestamp":');
    record.timestamp.write(json);
    this.#writeFields(leaves.bytes);
    this.#writeNamed();
    json.raw(this.#scope.json);
    json.raw(this.#resource.json);
    json.raw(fields);
    json.ascii("}\n");
    return written;
  }

  /** What has a field of its own, of which the record's own word counts. */
  #writeNamed(): void {
    const { fields } = this.#record;
    const groups = [this.#scope.fields, this.#resource.fields];
    for (const group of groups) {
      for (const [name, text] of group) if (!fields.has(name)) fields.set(name, text);
    }
    for (const [name, text] of fields) {
      this.#json.raw(Buffer.from(`,"${name}":${JSON.stringify(text)}`));
    }
  }

  #destination(atMs: number): Destination {
    const record = this.#record;
    record.dataset ??= this.#scope.dataset ?? this.#resource.dataset;
    record.namespace ??= this.#scope.namespace ?? this.#resource.namespace;
    return this.#destinations.of(record, atMs);
  }

  #readRecord(leaves: Leaves, atMs: number): void {
    const record = this.#record;
    const cursor = this.#cursor.over(leaves.start, leaves.end, leaves.bytes);
    record.clear();
    this.#values.over(leaves.bytes);
    while (cursor.next()) {
      if (cursor.number === 6) this.#collect(cursor, record);
      else record.take(cursor);
    }
    if (record.time.isKnown) record.timestamp.copy(record.time);
    else if (record.observed.isKnown) record.timestamp.copy(record.observed);
    else record.timestamp.set(atMs);
  }

  #writeFields(bytes: Uint8Array): void {
    const json = this.#json;
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
      this.#writeText(names.severityText, bytes, record.severityText);
    } else if (record.severityNumber >= 1 && record.severityNumber <= 24) {
      json.ascii(`${names.severityText}"${severityName(record.severityNumber)}"`);
    }
    this.#writeId(names.traceId, bytes, record.traceId);
    this.#writeId(names.spanId, bytes, record.spanId);
    this.#writeText(names.eventName, bytes, record.eventName);
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
    if (record.droppedAttributes > 0) {
      json.ascii(',"dropped_attributes_count":');
      json.uint(record.droppedAttributes);
    }
  }

  #writeText(name: string, bytes: Uint8Array, { start, end }: Range): void {
    if (start === end) return;
    this.#json.ascii(name);
    this.#json.string(bytes, start, end);
  }

  /** An id of zeros is none. */
  #writeId(name: string, bytes: Uint8Array, { start, end }: Range): void {
    let at = start;
    while (at < end && bytes[at] === 0) at++;
    if (at === end) return;
    this.#json.ascii(name);
    this.#json.hex(bytes, start, end);
  }

  /** What the records of a group have in common is written once and copied into each. */
  #readGroups(leaves: Leaves): void {
    if (leaves !== this.#leaves) {
      this.#leaves = leaves;
      this.#resourceNumber = this.#scopeNumber = -1;
    }
    if (leaves.resourceNumber !== this.#resourceNumber) {
      this.#resourceNumber = leaves.resourceNumber;
      this.#resource = this.#readGroup(leaves.bytes, leaves.resource, resourceFields);
    }
    if (leaves.scopeNumber !== this.#scopeNumber) {
      this.#scopeNumber = leaves.scopeNumber;
      this.#scope = this.#readGroup(leaves.bytes, leaves.scope, scopeFields);
    }
  }

  #readGroup(bytes: Uint8Array, range: Range, fields: GroupFields): Group {
    const json = this.#json;
    const start = json.length;
    const group: Group = {
      json: nothing,
      dataset: undefined,
      namespace: undefined,
      fields: new Map(),
    };
    this.#values.over(bytes);
    json.ascii(`,"${fields.name}":`);
    let separator = "{";
    const cursor = this.#cursor.over(range.start, range.end, bytes);
    const texts = new Map<string, Range>(); // by name, so that each is written once
    while (cursor.next()) {
      if (cursor.number === fields.attributes) this.#collect(cursor, group);
      const name = fields.texts[cursor.number];
      if (name) texts.set(name, { start: cursor.start, end: cursor.end });
    }
    for (const [name, text] of texts) {
      if (text.start === text.end) continue;
      const { scopeName } = this.#names.plain;
      if (name === "name" && scopeName !== undefined) {
        group.fields.set(scopeName, textOf(bytes, text.start, text.end));
      }
      this.#writeText(`${separator}"${name}":`, bytes, text);
      separator = ",";
    }
    if (!this.#values.isEmpty) {
      json.ascii(`${separator}"attributes":`);
      this.#values.attributes();
      separator = ",";
    }
    json.ascii("}");
    if (separator === ",") group.json = Buffer.from(json.slice(start, json.length));
    json.truncate(start);
    return group;
  }

  /** The attribute that the cursor stands on; those that name a data stream go into `named`. */
  #collect(cursor: Cursor, named: Named): void {
    const values = this.#values;
    values.collect(cursor.start, cursor.end);
    const { ofAttributes } = this.#names.plain;
    if (ofAttributes.size > 0) {
      const name = values.lastName();
      const field = ofAttributes.get(name);
      const text = field === undefined ? undefined : values.takeText(name);
      if (field !== undefined && text !== undefined) {
        named.fields.set(field, text);
        return;
      }
    }
    if (!this.#destinations.areNamedByAttributes) return;
    named.dataset = values.takeText("data_stream.dataset") ?? named.dataset;
    named.namespace = values.takeText("data_stream.namespace") ?? named.namespace;
    values.takeText("data_stream.type");
  }
}

interface Named {
  dataset: string | undefined;
  namespace: string | undefined;
  /** Texts that stand in fields of their own, by the names of these. */
  readonly fields: Map<string, string>;
}

/** A resource or a scope: its part of every document, `,"resource":{…}`. */
interface Group extends Named {
  json: Uint8Array;
}

/** `"<log id>-`, escaped. */
function idStart(logId: string): Uint8Array {
  return Buffer.from(`${JSON.stringify(logId).slice(0, -1)}-`);
}

const nothing = new Uint8Array();
const noGroup: Group = {
  json: nothing,
  dataset: undefined,
  namespace: undefined,
  fields: new Map(),
};

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

const before = (name: string): string => `,"${name}":`;

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

interface GroupFields {
  readonly name: string;
  readonly attributes: number;
  readonly texts: Readonly<Record<number, string>>;
}
const resourceFields: GroupFields = { name: "resource", attributes: 1, texts: {} };
const scopeFields: GroupFields = {
  name: "scope",
  attributes: 3,
  texts: { 1: "name", 2: "version" },
};

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

const severities = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;

/** 1 TRACE, 2 TRACE2, … 24 FATAL4, as OpenTelemetry calls them. */
function severityName(number: number): string {
  const nth = (number - 1) % 4;
  return `${severities[Math.floor((number - 1) / 4)]}${nth === 0 ? "" : nth + 1}`;
}
