// One metric of a batch: what stands around its points, read without the points themselves.

import type { FamilyType } from "../../telemetry/exposition.ts";
import { Cursor } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";

/** The fields of a metric that hold its points; a metric has one of them. */
export const dataFields = {
  gauge: 5,
  sum: 7,
  histogram: 9,
  exponentialHistogram: 10,
  summary: 11,
} as const;
export type DataField = (typeof dataFields)[keyof typeof dataFields];

/** How its points are to be taken. */
export interface Kind {
  readonly isDelta: boolean;
  readonly isGauge: boolean;
  readonly isMonotonic: boolean;
  /** Prometheus knows them of counters and histograms. */
  readonly hasExemplars: boolean;
}

export interface MetricHead {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly type: FamilyType;
}

export class Metric {
  readonly bytes: Buffer;
  /** The present point is its present field. */
  readonly points: Cursor;
  dataField: DataField = dataFields.gauge;
  /** Undefined where a sum or histogram does not say. */
  isDelta: boolean | undefined = false;
  #isMonotonic = false;
  readonly #fields: Cursor;
  readonly #name: Range = { start: 0, end: 0 };
  readonly #unit: Range = { start: 0, end: 0 };
  readonly #description: Range = { start: 0, end: 0 };
  readonly #data: Range = { start: 0, end: 0 };

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#fields = new Cursor(bytes);
    this.points = new Cursor(bytes);
  }

  read(range: Range): void {
    for (const one of [this.#name, this.#unit, this.#description, this.#data])
      one.start = one.end = 0;
    const fields = this.#fields.over(range.start, range.end);
    while (fields.next()) {
      switch (fields.number) {
        case 1:
          set(this.#name, fields);
          break;
        case 2:
          set(this.#description, fields);
          break;
        case 3:
          set(this.#unit, fields);
          break;
        case dataFields.gauge:
        case dataFields.sum:
        case dataFields.histogram:
        case dataFields.exponentialHistogram:
        case dataFields.summary:
          this.dataField = fields.number;
          set(this.#data, fields);
          break;
        default:
      }
    }
    this.#readData();
  }

  #readData(): void {
    let temporality = 0;
    this.#isMonotonic = false;
    const fields = this.#fields.over(this.#data.start, this.#data.end);
    while (fields.next()) {
      if (fields.number === 2) temporality = fields.int32();
      else if (fields.number === 3) this.#isMonotonic = fields.uint() !== 0;
    }
    const hasNone = this.dataField === dataFields.gauge || this.dataField === dataFields.summary;
    this.isDelta = hasNone || temporality === 2 ? false : temporality === 1 ? true : undefined;
    this.points.over(this.#data.start, this.#data.end);
  }

  get hasPoints(): boolean {
    return this.#data.end > this.#data.start;
  }

  /** Where the points lie, among other fields. */
  get data(): Readonly<Range> {
    return this.#data;
  }

  /** The next point is the first behind. */
  skipTo(at: number): void {
    this.points.over(at, this.#data.end);
  }

  nextPoint(): boolean {
    while (this.points.next()) if (this.points.number === 1) return true;
    return false;
  }

  get kind(): Kind {
    return {
      isDelta: this.isDelta === true,
      isGauge: this.dataField === dataFields.gauge,
      isMonotonic: this.#isMonotonic,
      hasExemplars:
        this.#isMonotonic ||
        this.dataField === dataFields.histogram ||
        this.dataField === dataFields.exponentialHistogram,
    };
  }

  get name(): string {
    return this.#text(this.#name);
  }

  get attributesField(): number {
    return this.dataField === dataFields.histogram
      ? 9
      : this.dataField === dataFields.exponentialHistogram
        ? 1
        : 7;
  }

  /** The same for the same name, unit and type, and for nothing else. */
  get key(): string {
    const { bytes } = this;
    const unit = bytes.toString("latin1", this.#unit.start, this.#unit.end);
    const name = bytes.toString("latin1", this.#name.start, this.#name.end);
    return `${this.dataField}${this.#isMonotonic ? "m" : "-"}${unit.length} ${unit}${name}`;
  }

  head(): MetricHead {
    return {
      name: this.name,
      unit: this.#text(this.#unit),
      description: this.#text(this.#description),
      type: this.#type(),
    };
  }

  #type(): FamilyType {
    switch (this.dataField) {
      case dataFields.gauge:
        return "gauge";
      case dataFields.sum:
        return this.#isMonotonic ? "counter" : "gauge";
      case dataFields.summary:
        return "summary";
      default:
        return "histogram";
    }
  }

  #text({ start, end }: Range): string {
    return this.bytes.toString("utf8", start, end);
  }
}

function set(range: Range, { start, end }: Range): void {
  range.start = start;
  range.end = end;
}
