// What one reader has been given so far, and in what form it wants things: sums since the process began
// or since it last asked, histograms with fixed or with exponential buckets.

import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint, MetricData } from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import { hrTimeOf } from "../trace/clock.ts";
import type { ExponentialCounts } from "./exponential.ts";
import {
  cumulative,
  delta,
  exponentialPoint,
  gaugePoint,
  histogramPoint,
  sumPoint,
} from "./kinds.ts";
import type { DurationPoint, Exemplary, ExponentialPoint, Series } from "./series.ts";

export interface ReaderForm {
  readonly histograms: "delta" | "cumulative";
  /** Counters that are read where they are kept, as OpenTelemetry's observable ones. */
  readonly counters: "delta" | "cumulative";
  readonly isExponential: boolean;
  /** Prometheus' text, which has no place for exponential ones. */
  readonly isText?: boolean;
}

/** As Prometheus has it. */
export const cumulativeForm: ReaderForm = {
  histograms: "cumulative",
  counters: "cumulative",
  isExponential: false,
};

export interface Instrument {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
}

/** A value with what it is of. */
export type Measured = readonly [value: number, attributes?: Attributes];

interface Given {
  readonly count: number;
  readonly sum: number;
  readonly counts: readonly number[];
  readonly exponential: ExponentialCounts | undefined;
}

export class Reader {
  readonly #form: ReaderForm;
  readonly #tellsBoth: boolean;
  readonly #given = new WeakMap<Series, Given>();
  readonly #counted = new Map<string, number>();
  #since: HrTime = startTime;
  #sinceMs = 0;
  #now: HrTime = startTime;
  #nowMs = 0;
  #wallMs = 0;

  /** With `tellsBoth` a histogram that is kept in both kinds is told in both, for views to choose from. */
  constructor(form: ReaderForm, tellsBoth = false) {
    this.#form = form;
    this.#tellsBoth = tellsBoth;
  }

  /** All that `read` makes is of one moment. */
  collect<Collected>(read: () => Collected): Collected {
    this.#nowMs = performance.now();
    this.#wallMs = laterThan(this.#wallMs, Date.now());
    this.#now = hrTimeOf(this.#wallMs);
    const collected = read();
    this.#since = this.#now;
    this.#sinceMs = this.#nowMs;
    return collected;
  }

  gauge(instrument: Instrument, values: readonly Measured[]): MetricData {
    return { ...this.#read(instrument, values), dataPointType: gaugePoint };
  }

  /** What goes up and down, and is a sum over all that has it. */
  level(instrument: Instrument, values: readonly Measured[]): MetricData {
    const dataPointType = sumPoint;
    return { ...this.#read(instrument, values), dataPointType, isMonotonic: false };
  }

  counter(instrument: Instrument, values: readonly Measured[]): MetricData {
    const isDelta = this.#form.counters === "delta";
    return {
      descriptor: descriptorOf(instrument),
      aggregationTemporality: isDelta ? delta : cumulative,
      dataPointType: sumPoint,
      isMonotonic: true,
      dataPoints: values.map(([value, attributes = {}]) => {
        if (!isDelta) return this.#point([value, attributes]);
        const key = `${instrument.name} ${JSON.stringify(attributes)}`;
        const added = value - (this.#counted.get(key) ?? 0);
        this.#counted.set(key, value);
        return { ...this.#point([added, attributes]), startTime: this.#since };
      }),
    };
  }

  /** Nothing where there is nothing new. */
  histogram(instrument: Instrument, series: readonly Series[]): readonly MetricData[] {
    const isDelta = this.#form.histograms === "delta";
    const aggregationTemporality = isDelta ? delta : cumulative;
    const descriptor = descriptorOf(instrument);
    const changed = series.filter((one) => !isDelta || this.#given.get(one)?.count !== one.count);
    if (changed.length === 0) return [];
    const taken = changed.map((one) => [one, this.#take(one)] as const);
    const told: MetricData[] = [];
    if (this.#tellsBoth || !this.#form.isExponential) {
      const dataPoints = taken.map(([one, given]) => this.#explicit(one, given));
      told.push({ descriptor, aggregationTemporality, dataPointType: histogramPoint, dataPoints });
    }
    if (this.#form.isExponential || (this.#tellsBoth && series[0]?.exponential !== undefined)) {
      const dataPointType = exponentialPoint;
      const dataPoints = taken.map(([one, given]) => this.#exponential(one, given));
      told.push({ descriptor, aggregationTemporality, dataPointType, dataPoints });
    }
    return told;
  }

  /** As it is now, which has no beginning. */
  #read(instrument: Instrument, values: readonly Measured[]) {
    return {
      descriptor: descriptorOf(instrument),
      aggregationTemporality: cumulative,
      dataPoints: values.map((measured) => this.#point(measured)),
    };
  }

  #point([value, attributes = {}]: Measured): DataPoint<number> {
    return { startTime, endTime: this.#now, attributes, value };
  }

  #explicit(series: Series, given: Given | undefined): DurationPoint {
    const { counts } = series;
    return {
      ...this.#frame(series),
      value: {
        buckets: {
          boundaries: [...series.bounds],
          counts: counts.map((count, bucket) => count - (given?.counts[bucket] ?? 0)),
        },
        ...numbersOf(series, given),
      },
    };
  }

  #exponential(series: Series, given: Given | undefined): ExponentialPoint & Exemplary {
    const { exponential } = series;
    const counts = exponential?.since(given?.exponential);
    return {
      ...this.#frame(series),
      value: {
        scale: counts?.scale ?? 0,
        zeroCount: counts?.zeroCount ?? 0,
        positive: { offset: counts?.offset ?? 0, bucketCounts: [...(counts?.counts ?? [])] },
        negative: { offset: 0, bucketCounts: [] },
        ...numbersOf(series, given),
      },
    };
  }

  #frame(series: Series) {
    const isDelta = this.#form.histograms === "delta";
    return {
      startTime: isDelta ? this.#since : startTime,
      endTime: this.#now,
      attributes: series.attributes,
      exemplars: series.exemplars(isDelta ? this.#sinceMs : 0),
    };
  }

  /** What it was given before, which for sums since the beginning is nothing. */
  #take(series: Series): Given | undefined {
    if (this.#form.histograms === "cumulative") return undefined;
    const given = this.#given.get(series);
    const { count, sum, counts, exponential } = series;
    this.#given.set(series, {
      count,
      sum,
      counts: [...counts],
      exponential: exponential?.since(undefined),
    });
    return given;
  }
}

/**
 * Growth that is told for the same moment as growth before it, or for an earlier one, is taken for the same one again
 * and left out by receivers, ours too: two collections may fall into one millisecond, and clocks are set back. Set
 * back by more than a second the new time is told: what came before is not to blame for it.
 */
export function laterThan(lastMs: number, nowMs: number): number {
  const isBehind = nowMs <= lastMs && lastMs - nowMs < 1000;
  return isBehind ? lastMs + 0.001 : nowMs;
}

/** The least and the most since the process began say nothing about a part of that time. */
function numbersOf({ count, sum, min, max }: Series, given: Given | undefined) {
  return given ? { count: count - given.count, sum: sum - given.sum } : { count, sum, min, max };
}

function descriptorOf({ name, description, unit }: Instrument): MetricData["descriptor"] {
  const { ValueType } = load("@opentelemetry/api");
  // Whole numbers where there are no parts of one: bytes, and everything that is counted in {braces}.
  const isWhole = unit === "By" || unit.startsWith("{");
  return { name, description, unit, valueType: isWhole ? ValueType.INT : ValueType.DOUBLE };
}

/** When the process, or this thread of it, began. */
const startTime: HrTime = hrTimeOf(performance.timeOrigin);
