// Samples as requests of remote write, of version 1.0 or 2.0:
//
//   WriteRequest  › 1 TimeSeries › 1 Label › 1 name, 2 value; 2 Sample › 1 value, 2 milliseconds;
//                   3 exemplar › 1 Label, 2 value, 3 milliseconds; 4 histogram
//   Request (2.0) › 4 symbols; 5 TimeSeries › 1 pairs of symbols, 2 Sample, 3 histogram, 4 exemplar;
//                   5 metadata › 1 type, 3 help, 4 unit; 6 when it began
//   histogram     › 1 count, 3 sum, 4 schema …, 15 milliseconds
//
// https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/

import { Writer } from "../../wire/writer.ts";
import { eachLabel } from "./escaping.ts";
import { asNative, type ExponentialHistogram } from "./exponential.ts";
import type { Taken } from "./fold.ts";
import { writeCount, writeNative } from "./native.ts";
import type { Place } from "./rejections.ts";
import {
  Distribution,
  type Exemplar,
  type Family,
  NumberSeries,
  type Series,
  type Stream,
  type Target,
} from "./series.ts";

/** What Prometheus takes for the end of a series: a NaN of its own. */
const stale = 0x7ff0000000000002n;

type LabelPairs = readonly (readonly [name: string, value: string])[];

interface Native {
  readonly buckets: ExponentialHistogram;
  readonly count: number;
  readonly sum: number;
}

interface Sample {
  readonly labels: LabelPairs;
  readonly family: Pick<Family, "type" | "help" | "unit">;
  readonly value: number | typeof stale | Native;
  readonly exemplars: readonly Exemplar[];
  readonly atMs: number;
  readonly startMs: number;
  /** The point that it is of, the same object for each sample of it; undefined for what we add ourselves. */
  readonly place: Place | undefined;
}

export interface SamplesOptions {
  readonly version: "1.0" | "2.0";
  readonly max_request_bytes: number;
  /** Exponential histograms go as they are, not as ordinary ones. */
  readonly native_histograms: boolean;
}

export class Samples {
  readonly #options: SamplesOptions;
  #samples: Sample[] = [];
  readonly #infos = new Map<Target, number>();
  /** So that what describes a target never goes back in time. */
  readonly #lastInfo = new WeakMap<Target, number>();
  /** A series keeps its last exemplar, which is sent once. */
  readonly #sentExemplars = new WeakSet<Exemplar>();

  constructor(options: SamplesOptions) {
    this.#options = options;
  }

  /** All that a series has now. */
  add(stream: Stream, series: Series, taken: Taken): void {
    const { time } = taken;
    const { target } = stream.scope;
    if (target.info) this.#infos.set(target, Math.max(time, this.#infos.get(target) ?? 0));
    for (const { suffix, label, value, exemplars } of this.#valuesOf(stream, series)) {
      const known = exemplars.filter((one) => one !== undefined);
      const fresh = known.filter((one) => !this.#sentExemplars.has(one));
      for (const one of fresh) this.#sentExemplars.add(one);
      this.#push(stream, series, { suffix, label, value, time, place: taken, exemplars: fresh });
    }
  }

  end(stream: Stream, series: Series, { time }: Pick<Taken, "time">): void {
    for (const { suffix, label } of this.#valuesOf(stream, series)) {
      const value = stale;
      this.#push(stream, series, { suffix, label, value, time, place: undefined, exemplars: [] });
    }
  }

  #valuesOf(stream: Stream, series: Series): Iterable<Value> {
    const isNative = this.#options.native_histograms && series instanceof Distribution;
    const buckets = isNative && series.fine && asNative(series.fine);
    if (!buckets) return valuesOf(stream, series);
    const { count, sum, exemplars = [] } = series;
    return [{ suffix: "", label: "", value: { buckets, count, sum }, exemplars }];
  }

  #push(
    { family, scope }: Stream,
    series: Series,
    given: { suffix: string; label: string; time: number } & Pick<
      Sample,
      "value" | "place" | "exemplars"
    >,
  ): void {
    const { suffix, label, time, ...rest } = given;
    const before = scope.labels + series.labels;
    const text = before && label ? `${before},${label}` : before + label;
    this.#samples.push({
      labels: sorted(family.name + suffix, text),
      family,
      atMs: Math.round(time / 1e6),
      startMs: Math.round(series.start / 1e6),
      ...rest,
    });
  }

  /** What has been added since the last time. */
  bodies(): Body[] {
    for (const [target, time] of this.#infos) {
      const last = Math.max(time, this.#lastInfo.get(target) ?? 0);
      this.#lastInfo.set(target, last);
      const atMs = Math.round(last / 1e6);
      const labels = sorted("target_info", target.info);
      this.#samples.push({ ...info, labels, atMs });
    }
    const samples = this.#samples;
    this.#samples = [];
    this.#infos.clear();
    return samples.length > 0 ? new Body(samples, this.#options).pieces() : [];
  }
}

const info = {
  family: { type: "gauge", help: "Target metadata", unit: "" },
  value: 1,
  exemplars: [],
  startMs: 0,
  place: undefined,
} as const;

/** By name, which is what the protocol asks for. */
function sorted(name: string, text: string): LabelPairs {
  return byName([["__name__", name], ...pairsOf(text)]);
}

function pairsOf(text: string): LabelPairs {
  const labels: [string, string][] = [];
  eachLabel(text, (label, value) => labels.push([label, value]));
  return labels;
}

const byName = (labels: LabelPairs): LabelPairs =>
  labels.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

interface Value {
  readonly suffix: string;
  readonly label: string;
  readonly value: number | Native;
  readonly exemplars: readonly (Exemplar | undefined)[];
}

const none: readonly Exemplar[] = [];

function* valuesOf({ family }: Stream, series: Series): Generator<Value> {
  if (series instanceof NumberSeries) {
    yield { suffix: "", label: "", value: series.value, exemplars: [series.exemplar] };
    return;
  }
  const { buckets, counts, count, sum, exemplars } = series;
  const isSummary = family.type === "summary";
  let total = 0;
  for (let at = 0; at < buckets.labels.length; at++) {
    total += counts[at]!;
    const value = isSummary ? counts[at]! : total;
    const suffix = isSummary ? "" : "_bucket";
    yield { suffix, label: buckets.labels[at]!, value, exemplars: [exemplars?.[at]] };
  }
  if (!isSummary) {
    const last = [exemplars?.[buckets.labels.length]];
    yield { suffix: "_bucket", label: 'le="+Inf"', value: count, exemplars: last };
  }
  if (!Number.isNaN(sum)) yield { suffix: "_sum", label: "", value: sum, exemplars: none };
  yield { suffix: "_count", label: "", value: count, exemplars: none };
}

/** One request. */
export class Body {
  readonly #samples: readonly Sample[];
  readonly #options: SamplesOptions;

  constructor(samples: readonly Sample[], options: SamplesOptions) {
    this.#samples = samples;
    this.#options = options;
  }

  /** The points that have samples in it. */
  get points(): ReadonlySet<Place> {
    const places = this.#samples.map(({ place }) => place);
    return new Set(places.filter((place) => place !== undefined));
  }

  /** Of which none is larger than a request may be, by what labels and values take. */
  pieces(): Body[] {
    const pieces: Body[] = [];
    let from = 0;
    let bytes = 0;
    this.#samples.forEach((sample, at) => {
      const size = sizeOf(sample);
      if (at > from && bytes + size > this.#options.max_request_bytes) {
        pieces.push(new Body(this.#samples.slice(from, at), this.#options));
        from = at;
        bytes = 0;
      }
      bytes += size;
    });
    pieces.push(new Body(this.#samples.slice(from), this.#options));
    return pieces;
  }

  /** None of a single sample. */
  halves(): Body[] {
    const middle = Math.ceil(this.#samples.length / 2);
    if (this.#samples.length < 2) return [];
    return [this.#samples.slice(0, middle), this.#samples.slice(middle)].map(
      (half) => new Body(half, this.#options),
    );
  }

  bytes(): Uint8Array {
    const writer = new Writer(64 << 10);
    if (this.#options.version === "1.0") this.#first(writer);
    else this.#second(writer);
    return writer.finish();
  }

  #first(writer: Writer): void {
    for (const sample of this.#samples) {
      writer.begin(1);
      const labels = (pairs: LabelPairs): void => {
        for (const [name, value] of pairs) {
          writer.begin(1);
          writer.text(1, name);
          writer.text(2, value);
          writer.end();
        }
      };
      labels(sample.labels);
      writeValue(writer, sample, 4);
      for (const one of sample.exemplars) writeExemplar(writer, one, { sample, field: 3, labels });
      writer.end();
    }
  }

  #second(writer: Writer): void {
    // The first symbol is the empty text, as the protocol has it.
    const symbols = new Map<string, number>([["", 0]]);
    const symbol = (text: string): number => {
      const known = symbols.get(text);
      if (known !== undefined) return known;
      symbols.set(text, symbols.size);
      return symbols.size - 1;
    };
    for (const sample of this.#samples) {
      const { type, help, unit } = sample.family;
      writer.begin(5);
      const labels = (pairs: LabelPairs): void => {
        for (const text of pairs.flat()) writer.uint(1, symbol(text));
      };
      labels(sample.labels);
      writeValue(writer, sample, 3);
      for (const one of sample.exemplars) writeExemplar(writer, one, { sample, field: 4, labels });
      writer.begin(5);
      writer.uint(1, types[type]);
      writer.uint(3, symbol(help));
      writer.uint(4, symbol(unit));
      writer.end();
      if (sample.startMs > 0 && type !== "gauge") writer.uint(6, sample.startMs);
      writer.end();
    }
    for (const text of symbols.keys()) writer.text(4, text);
  }
}

const types = { untyped: 0, counter: 1, gauge: 2, histogram: 3, summary: 5 } as const;

/** At most, but for names that are not ASCII. */
function sizeOf({ labels, value, exemplars }: Sample): number {
  const bytes = 40 + labels.reduce((sum, [name, text]) => sum + name.length + 3 * text.length, 0);
  if (typeof value !== "object") return bytes + 500 * exemplars.length;
  const { positive, negative } = value.buckets;
  return (
    bytes + 60 + 11 * (positive.counts.length + negative.counts.length) + 500 * exemplars.length
  );
}

/** `histogram` is the number of the field that is for native ones. */
function writeValue(writer: Writer, { value, atMs }: Sample, histogram: number): void {
  if (typeof value === "object") {
    writer.begin(histogram);
    writeCount(writer, 1, value.count);
    writer.double(3, value.sum);
    writeNative(writer, value.buckets, 4);
    writer.uint(15, atMs);
  } else {
    writer.begin(2);
    if (typeof value === "bigint") writer.fixed64(1, value);
    else writer.double(1, value);
    writer.uint(2, atMs);
  }
  writer.end();
}

function writeExemplar(
  writer: Writer,
  { labels, value, time }: Exemplar,
  to: { sample: Sample; field: number; labels: (pairs: LabelPairs) => void },
): void {
  writer.begin(to.field);
  to.labels(byName(pairsOf(labels)));
  writer.double(2, value);
  writer.uint(3, time > 0 ? Math.round(time / 1e6) : to.sample.atMs);
  writer.end();
}
