// Samples as requests of remote write, of version 1.0 or 2.0:
//
//   WriteRequest  › 1 TimeSeries › 1 Label › 1 name, 2 value; 2 Sample › 1 value, 2 milliseconds
//   Request (2.0) › 4 symbols; 5 TimeSeries › 1 pairs of symbols, 2 Sample, 5 metadata › 1 type, 3 help, 4 unit;
//                   6 when it began
//
// https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/

import { Writer } from "../../wire/writer.ts";
import { eachLabel } from "./escaping.ts";
import type { Taken } from "./fold.ts";
import type { Place } from "./rejections.ts";
import { type Family, NumberSeries, type Series, type Stream, type Target } from "./series.ts";

/** What Prometheus takes for the end of a series: a NaN of its own. */
const stale = 0x7ff0000000000002n;

interface Sample {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly family: Pick<Family, "type" | "help" | "unit">;
  readonly value: number | typeof stale;
  readonly atMs: number;
  readonly startMs: number;
  /** The point that it is of, the same object for each sample of it; undefined for what we add ourselves. */
  readonly place: Place | undefined;
}

export interface SamplesOptions {
  readonly version: "1.0" | "2.0";
  readonly max_request_bytes: number;
}

export class Samples {
  readonly #options: SamplesOptions;
  #samples: Sample[] = [];
  readonly #infos = new Map<Target, number>();
  /** So that what describes a target never goes back in time. */
  readonly #lastInfo = new WeakMap<Target, number>();

  constructor(options: SamplesOptions) {
    this.#options = options;
  }

  /** All that a series has now. */
  add(stream: Stream, series: Series, taken: Taken): void {
    const { time } = taken;
    const { target } = stream.scope;
    if (target.info) this.#infos.set(target, Math.max(time, this.#infos.get(target) ?? 0));
    for (const { suffix, label, value } of valuesOf(stream, series)) {
      this.#push(stream, series, { suffix, label, value, time, place: taken });
    }
  }

  end(stream: Stream, series: Series, { time }: Pick<Taken, "time">): void {
    for (const { suffix, label } of valuesOf(stream, series)) {
      this.#push(stream, series, { suffix, label, value: stale, time, place: undefined });
    }
  }

  #push(
    { family, scope }: Stream,
    series: Series,
    given: { suffix: string; label: string; time: number } & Pick<Sample, "value" | "place">,
  ): void {
    const { suffix, label, value, time, place } = given;
    const before = scope.labels + series.labels;
    const text = before && label ? `${before},${label}` : before + label;
    this.#samples.push({
      labels: sorted(family.name + suffix, text),
      family,
      value,
      atMs: Math.round(time / 1e6),
      startMs: Math.round(series.start / 1e6),
      place,
    });
  }

  /** What has been added since the last time. */
  bodies(): Body[] {
    for (const [target, time] of this.#infos) {
      const last = Math.max(time, this.#lastInfo.get(target) ?? 0);
      this.#lastInfo.set(target, last);
      const atMs = Math.round(last / 1e6);
      const labels = sorted("target_info", target.info);
      this.#samples.push({
        labels,
        family: infoFamily,
        value: 1,
        atMs,
        startMs: 0,
        place: undefined,
      });
    }
    const samples = this.#samples;
    this.#samples = [];
    this.#infos.clear();
    return samples.length > 0 ? new Body(samples, this.#options).pieces() : [];
  }
}

const infoFamily = { type: "gauge", help: "Target metadata", unit: "" } as const;

/** By name, which is what the protocol asks for. */
function sorted(name: string, text: string): Sample["labels"] {
  const labels: [string, string][] = [["__name__", name]];
  eachLabel(text, (label, value) => labels.push([label, value]));
  return labels.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function* valuesOf(
  { family }: Stream,
  series: Series,
): Generator<{ suffix: string; label: string; value: number }> {
  if (series instanceof NumberSeries) {
    yield { suffix: "", label: "", value: series.value };
    return;
  }
  const { buckets, counts, count, sum } = series;
  const isSummary = family.type === "summary";
  let total = 0;
  for (let at = 0; at < buckets.labels.length; at++) {
    total += counts[at]!;
    const value = isSummary ? counts[at]! : total;
    yield { suffix: isSummary ? "" : "_bucket", label: buckets.labels[at]!, value };
  }
  if (!isSummary) yield { suffix: "_bucket", label: 'le="+Inf"', value: count };
  if (!Number.isNaN(sum)) yield { suffix: "_sum", label: "", value: sum };
  yield { suffix: "_count", label: "", value: count };
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
    this.#samples.forEach(({ labels }, at) => {
      const size =
        40 + labels.reduce((sum, [name, value]) => sum + name.length + 3 * value.length, 0);
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
      for (const [name, value] of sample.labels) {
        writer.begin(1);
        writer.text(1, name);
        writer.text(2, value);
        writer.end();
      }
      writeSample(writer, sample);
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
      for (const [name, value] of sample.labels) {
        writer.uint(1, symbol(name));
        writer.uint(1, symbol(value));
      }
      writeSample(writer, sample);
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

function writeSample(writer: Writer, { value, atMs }: Sample): void {
  writer.begin(2);
  if (typeof value === "bigint") writer.fixed64(1, value);
  else writer.double(1, value);
  writer.uint(2, atMs);
  writer.end();
}
