// What the documents of a group have in common: its resource and its scope, written once and copied into
// each; the data stream that their attributes name; and the fields that the Common Schema has for these.

import { Cursor, textOf } from "../../wire/cursor.ts";
import type { Leaves, Range } from "../../wire/leaves.ts";
import type { Destination, Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { Instant } from "./instant.ts";
import type { JsonWriter } from "./json-writer.ts";
import type { ValueWriter } from "./value-writer.ts";

export interface Named {
  dataset: string | undefined;
  namespace: string | undefined;
  /** Texts that stand in fields of their own, by the names of these. */
  readonly fields: Map<string, string>;
}

/** Of the group alone, without the time of an event. */
const noTimes = { time: new Instant(), observed: new Instant() };

export interface GroupsOptions {
  readonly json: JsonWriter;
  readonly values: ValueWriter;
  readonly destinations: Destinations;
  readonly names: FieldNames;
}

export class Groups {
  readonly #options: GroupsOptions;
  readonly #cursor = new Cursor(new Uint8Array());
  readonly #resources: Described;
  readonly #scopes: Described;
  /** Another number whenever a document's tail, for the same destination, is not what it was. */
  version = 0;
  #leaves: Leaves | undefined;
  #resourceNumber = -1;
  #scopeNumber = -1;

  constructor(options: GroupsOptions) {
    this.#options = options;
    this.#resources = new Described(resourceFields);
    this.#scopes = new Described(scopeFields);
  }

  /** Those of the present leaf; true if they are others than before, or belong to another batch. */
  enter(leaves: Leaves): boolean {
    const isOther = leaves !== this.#leaves;
    const isResource = isOther || leaves.resourceNumber !== this.#resourceNumber;
    const isScope = isOther || leaves.scopeNumber !== this.#scopeNumber;
    this.#leaves = leaves;
    this.#resourceNumber = leaves.resourceNumber;
    this.#scopeNumber = leaves.scopeNumber;
    if (isResource) this.#describe(this.#resources, leaves.bytes, leaves.resource);
    if (isScope) this.#describe(this.#scopes, leaves.bytes, leaves.scope);
    return isResource || isScope;
  }

  /** Where what names no other place goes, if its time does not matter. */
  destination(atMs: number): Destination {
    return this.#options.destinations.of({ ...this.#place(), ...noTimes }, atMs);
  }

  /** Fills in what the leaf itself does not say. */
  complete(named: Named): void {
    const { dataset, namespace } = this.#place();
    named.dataset ??= dataset;
    named.namespace ??= namespace;
  }

  #place(): Pick<Named, "dataset" | "namespace"> {
    const [scope, resource] = [this.#scopes.group, this.#resources.group];
    return {
      dataset: scope.dataset ?? resource.dataset,
      namespace: scope.namespace ?? resource.namespace,
    };
  }

  /** The end of a document; of what has a field of its own the leaf's own word counts. */
  writeTail(fields: Map<string, string>, destination: Destination): void {
    const { json } = this.#options;
    const [scope, resource] = [this.#scopes.group, this.#resources.group];
    for (const group of [scope, resource]) {
      for (const [name, text] of group.fields) if (!fields.has(name)) fields.set(name, text);
    }
    for (const [name, text] of fields) {
      json.raw(Buffer.from(`,"${name}":${JSON.stringify(text)}`));
    }
    json.raw(scope.json);
    json.raw(resource.json);
    json.raw(destination.fields);
    json.ascii("}\n");
  }

  /** The attribute that lies there; those that name a data stream go into `named`. */
  collect(start: number, end: number, named: Named): void {
    const { values, names, destinations } = this.#options;
    values.collect(start, end);
    const { ofAttributes } = names;
    if (ofAttributes.size > 0) {
      const name = values.lastName();
      const field = ofAttributes.get(name);
      const text = field === undefined ? undefined : values.takeText(name);
      if (field !== undefined && text !== undefined) {
        named.fields.set(field, text);
        return;
      }
    }
    if (!destinations.areNamedByAttributes) return;
    named.dataset = values.takeText("data_stream.dataset") ?? named.dataset;
    named.namespace = values.takeText("data_stream.namespace") ?? named.namespace;
    values.takeText("data_stream.type");
  }

  /** Senders describe themselves in the same way each time. */
  #describe(described: Described, bytes: Uint8Array, { start, end }: Range): void {
    const given = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (described.bytes?.equals(given)) return;
    this.version++;
    described.bytes = undefined; // should this fail midway
    described.group = this.#read(bytes, { start, end }, described.fields);
    described.bytes = Buffer.from(given);
  }

  #read(bytes: Uint8Array, range: Range, fields: GroupFields): Group {
    const { json, values, names } = this.#options;
    const start = json.length;
    const group: Group = {
      json: nothing,
      dataset: undefined,
      namespace: undefined,
      fields: new Map(),
    };
    values.over(bytes);
    json.ascii(`,"${fields.name}":`);
    let separator = "{";
    const cursor = this.#cursor.over(range.start, range.end, bytes);
    const texts = new Map<string, Range>(); // by name, so that each is written once
    while (cursor.next()) {
      if (cursor.number === fields.attributes) this.collect(cursor.start, cursor.end, group);
      const name = fields.texts[cursor.number];
      if (name) texts.set(name, { start: cursor.start, end: cursor.end });
    }
    for (const [name, text] of texts) {
      if (text.start === text.end) continue;
      const { scopeName } = names;
      if (name === "name" && scopeName !== undefined) {
        group.fields.set(scopeName, textOf(bytes, text.start, text.end));
      }
      json.ascii(`${separator}"${name}":`);
      json.string(bytes, text.start, text.end);
      separator = ",";
    }
    if (!values.isEmpty) {
      json.ascii(`${separator}"attributes":`);
      values.attributes();
      separator = ",";
    }
    json.ascii("}");
    if (separator === ",") group.json = Buffer.from(json.slice(start, json.length));
    json.truncate(start);
    return group;
  }
}

/** A resource or a scope: its part of every document, `,"resource":{…}`. */
interface Group extends Named {
  json: Uint8Array;
}

/** The last one that came, and what it was read from. */
class Described {
  readonly fields: GroupFields;
  group: Group = { json: nothing, dataset: undefined, namespace: undefined, fields: new Map() };
  bytes: Buffer | undefined;

  constructor(fields: GroupFields) {
    this.fields = fields;
  }
}

const nothing = new Uint8Array();

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
