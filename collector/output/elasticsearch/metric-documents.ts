// A document for each point of a metric: its value, and of histograms and summaries the count and the sum,
// with all that makes them up beside it.

import { Cursor, textOf as textOfBytes } from "../../wire/cursor.ts";
import type { Leaves, Range } from "../../wire/leaves.ts";
import type { Piece } from "../output.ts";
import { alone, type Documents, type Run, type Wanted } from "./bulk.ts";
import type { Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { Groups, type Named } from "./groups.ts";
import { Instant } from "./instant.ts";
import { JsonWriter, textOfDouble } from "./json-writer.ts";
import { Ids, writeText } from "./members.ts";
import { readExponential, readHistogram, readNumber, readSummary } from "./metric-points.ts";
import { ValueWriter } from "./value-writer.ts";

export interface MetricDocumentsOptions {
  readonly destinations: Destinations;
  readonly names: FieldNames;
  readonly logId: string;
}

export class MetricDocuments implements Documents {
  readonly json = new JsonWriter();
  readonly ids: Ids;
  readonly #options: MetricDocumentsOptions;
  readonly #values: ValueWriter;
  readonly #groups: Groups;
  readonly #metric = new Metric();
  readonly #cursor = new Cursor(new Uint8Array());
  readonly #times = { time: new Instant(), observed: new Instant(), came: new Instant() };
  #leaves: Leaves | undefined;
  #index = -1;

  constructor(options: MetricDocumentsOptions) {
    const { json } = this;
    const { destinations, names } = options;
    const values = new ValueWriter(json);
    this.#options = options;
    this.#values = values;
    this.#groups = new Groups({ json, values, destinations, names });
    this.ids = new Ids(options.logId);
  }

  count(leaves: Leaves): number {
    return this.#read(leaves).points.length;
  }

  write(leaves: Leaves, entry: Piece, { part }: Wanted): Run {
    const { json } = this;
    const { bytes } = leaves;
    this.#groups.enter(leaves);
    const metric = this.#read(leaves);
    const point = metric.points[part]!; // as many as were counted
    const named: Named = { dataset: undefined, namespace: undefined, fields: new Map() };
    const { time, observed: start, came } = this.#times;
    time.isKnown = start.isKnown = false;
    this.#values.over(bytes);
    const attributes = attributesOf[metric.kind];
    const cursor = this.#cursor.over(point.start, point.end, bytes);
    while (cursor.next()) {
      if (cursor.number === attributes) this.#groups.collect(cursor.start, cursor.end, named);
      else if (cursor.number === 2) start.read(bytes, cursor.start);
      else if (cursor.number === 3) time.read(bytes, cursor.start);
    }
    this.#groups.complete(named);
    const destination = this.#options.destinations.of(
      { ...named, time, observed: time },
      entry.atMs,
    );
    this.ids.write(json, destination, { entry, index: leaves.index, part });
    came.set(entry.atMs);
    (time.isKnown ? time : came).write(json);
    if (start.isKnown) {
      json.ascii(',"start_timestamp":');
      start.write(json);
    }
    if (!this.#values.isEmpty) {
      json.ascii(',"attributes":');
      this.#values.attributes();
    }
    this.#writeMetric(bytes, metric, point);
    this.#groups.writeTail(named.fields, destination);
    return alone(destination.name, json);
  }

  #read(leaves: Leaves): Metric {
    if (leaves !== this.#leaves || leaves.index !== this.#index) {
      this.#metric.read(this.#cursor.over(leaves.start, leaves.end, leaves.bytes));
      this.#leaves = leaves;
      this.#index = leaves.index;
    }
    return this.#metric;
  }

  /**
   * The numbers stand twice: by the metric's name, as Elasticsearch's own data streams have them, and
   * under names that are always the same, for servers where `a` and `a.b` cannot both be numbers.
   */
  #writeMetric(bytes: Uint8Array, metric: Metric, point: Range): void {
    const { json } = this;
    const { kind } = metric;
    const isNumber = kind === "gauge" || kind === "sum";
    const read = isNumber ? readNumber : readers[kind];
    const { numbers, rest } = read(this.#cursor.over(point.start, point.end, bytes));
    const all = Object.entries(numbers).map(([name, value]) => [name, textOf(value)] as const);
    writeText(json, ',"unit":', bytes, metric.unit);
    json.ascii(`,"metric":{"type":"${kind}"`);
    writeText(json, ',"name":', bytes, metric.name);
    const temporality = temporalities[metric.temporality];
    if (temporality !== undefined) json.ascii(`,"temporality":"${temporality}"`);
    if (kind === "sum") json.ascii(`,"monotonic":${metric.isMonotonic}`);
    for (const [name, value] of all) json.ascii(`,"${name}":${value}`);
    json.ascii("}");
    const name = JSON.stringify(nameOf(bytes, metric.name)).slice(0, -1);
    const members = all.map(([part, value]) => `${name}${isNumber ? "" : `.${part}`}":${value}`);
    if (members.length > 0) json.raw(Buffer.from(`,"metrics":{${members.join(",")}}`));
    if (rest !== undefined) json.ascii(`,"distribution":${rest}`);
  }
}

/** As of attributes: an empty or blank name is "_". */
function nameOf(bytes: Uint8Array, { start, end }: Range): string {
  const name = textOfBytes(bytes, start, end);
  return name.trim() === "" ? "_" : name;
}

function textOf(value: number | bigint): string {
  return typeof value === "bigint" ? String(value) : textOfDouble(value);
}

const readers = {
  histogram: readHistogram,
  exponential_histogram: readExponential,
  summary: readSummary,
} as const;

/** By the numbers of the fields that hold the points. */
const kinds = {
  5: "gauge",
  7: "sum",
  9: "histogram",
  10: "exponential_histogram",
  11: "summary",
} as const;
type Kind = (typeof kinds)[keyof typeof kinds];

/** Which field of a point they are. */
const attributesOf: Readonly<Record<Kind, number>> = {
  gauge: 7,
  sum: 7,
  histogram: 9,
  exponential_histogram: 1,
  summary: 7,
};

const temporalities = [undefined, "delta", "cumulative"] as const;

/** One metric, used again for the next. */
class Metric {
  readonly name: Range = { start: 0, end: 0 };
  readonly unit: Range = { start: 0, end: 0 };
  kind: Kind = "gauge";
  temporality = 0;
  isMonotonic = false;
  points: Range[] = [];

  read(cursor: Cursor): void {
    const { name, unit } = this;
    name.start = name.end = unit.start = unit.end = 0;
    this.points = [];
    while (cursor.next()) {
      const { number, start, end } = cursor;
      if (number === 1) [name.start, name.end] = [start, end];
      else if (number === 3) [unit.start, unit.end] = [start, end];
      else if (number in kinds) this.#readData(kinds[number as keyof typeof kinds], cursor);
    }
  }

  #readData(kind: Kind, { start, end, bytes }: Cursor): void {
    this.kind = kind;
    this.points = [];
    this.temporality = 0;
    this.isMonotonic = false;
    const data = new Cursor(bytes, start, end);
    while (data.next()) {
      if (data.number === 1) this.points.push({ start: data.start, end: data.end });
      else if (data.number === 2) this.temporality = data.int32();
      else if (data.number === 3) this.isMonotonic = data.int32() !== 0;
    }
  }
}
