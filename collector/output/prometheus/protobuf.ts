// Writes what is held as protobuf, the one format in which a Prometheus takes native histograms: families
// one after the other, each behind its length.
//
//   MetricFamily › 1 name, 2 help, 3 type, 5 unit, 4 Metric › 1 LabelPair, 2 gauge, 3 counter, 4 summary,
//   7 histogram › 1 count, 2 sum, 3 bucket, 5 schema, 6 zero threshold, 7 zero count, 9 and 10 negative,
//   12 and 13 positive, 15 created
//
// A large family comes in several of these, since its length has to be known before it is written.

import { varintLength, writeVarint } from "../../wire/varint.ts";
import { Writer } from "../../wire/writer.ts";
import { eachPlace, escapeLabels, nameAt, valueAt } from "./escaping.ts";
import { asNative } from "./exponential.ts";
import { writeCount, writeNative } from "./native.ts";
import { NamesShown, targetInfos } from "./names-shown.ts";
import { plainText } from "./negotiate.ts";
import type { Scraping } from "./scrape.ts";
import { type Distribution, type Exemplar, type Family, NumberSeries } from "./series.ts";
import type { Store } from "./store.ts";

const sliceBytes = 65_536;

const types = { counter: 0, gauge: 1, summary: 2, untyped: 3, histogram: 4 } as const;

/** A piece with nothing in it: others get a turn. */
const pause = new Uint8Array();

export function* protobufScrape(store: Store, scraping: Scraping): Generator<Uint8Array> {
  const { sinceMs, format = plainText } = scraping;
  const { escaping } = format;
  const isAsKept = !store.naming.isUtf8 || escaping === "allow-utf-8";
  const asShown = (labels: string): string => (isAsKept ? labels : escapeLabels(labels, escaping));
  const names = new NamesShown(store, escaping);
  for (const _ of names.list()) yield pause;
  const page = new Page();
  const infos = targetInfos(store);
  page.begin({ name: "target_info", type: "gauge", help: "Target metadata", unit: "" });
  for (const info of infos) {
    page.number(asShown(info), "gauge", { value: 1, start: 0, exemplar: undefined });
    if (page.isFull) yield page.finish();
  }
  if (page.hasMetrics) yield page.finish();
  for (const { family, name } of names.families) {
    page.begin({ ...family, name });
    const written = isAsKept ? undefined : new Set<string>();
    // Listed when their turn comes, since series come and go between two slices.
    const streams = [...family.streams];
    for (const { scope, series: all } of streams) {
      page.under(written ? "" : scope.labels);
      const listed = [...all.values()];
      for (const series of listed) {
        if (series.seenMs < sinceMs) continue;
        const labels = written ? asShown(scope.labels + series.labels) : series.labels;
        if (written?.has(labels)) continue;
        written?.add(labels);
        if (series instanceof NumberSeries) page.number(labels, family.type, series);
        else if (family.type === "summary") page.summary(labels, series);
        else page.histogram(labels, series);
        if (page.isFull) yield page.finish();
      }
    }
    if (page.hasMetrics) yield page.finish();
  }
}

type Head = Pick<Family, "name" | "type" | "help" | "unit">;

/** In front of a family: room for its length. */
const roomForLength = new Uint8Array(5);

/** One family, or a part of one. */
class Page {
  readonly #writer = new Writer(2 * sliceBytes);
  #head: Head = { name: "", type: "untyped", help: "", unit: "" };
  #headLength = 0;
  /** The labels that all have which are written now. */
  #common: Uint8Array = new Uint8Array();

  begin(head: Head): void {
    this.#head = head;
    this.#headLength = 0;
  }

  /** The labels that stand in front of those of the series that come now. */
  under(labels: string): void {
    const writer = new Writer();
    writeLabels(writer, labels);
    this.#common = writer.finish();
  }

  get isFull(): boolean {
    return this.#writer.length >= sliceBytes;
  }

  get hasMetrics(): boolean {
    return this.#headLength > 0;
  }

  /** What was written, behind its length, until more of the same family is. */
  finish(): Uint8Array {
    const bytes = this.#writer.view();
    const length = bytes.length - roomForLength.length;
    const start = roomForLength.length - varintLength(length);
    writeVarint(bytes, start, length);
    this.#headLength = 0;
    return bytes.subarray(start);
  }

  #writeHead(): void {
    const writer = this.#writer;
    const { name, type, help, unit } = this.#head;
    writer.backTo(0);
    writer.raw(roomForLength);
    writer.text(1, name);
    if (help) writer.text(2, help);
    writer.uint(3, types[type]);
    if (unit) writer.text(5, unit);
    this.#headLength = writer.length;
  }

  number(
    labels: string,
    type: Family["type"],
    { value, start, exemplar }: Pick<NumberSeries, "value" | "start" | "exemplar">,
  ): void {
    const writer = this.#writer;
    this.#metric(labels);
    writer.begin(type === "counter" ? 3 : 2);
    writer.double(1, value);
    if (type === "counter") {
      if (exemplar) this.#exemplar(2, exemplar);
      this.#time(3, start);
    }
    writer.end();
    writer.end();
  }

  summary(labels: string, series: Distribution): void {
    const writer = this.#writer;
    this.#metric(labels);
    writer.begin(4);
    writeCount(writer, 1, series.count);
    writer.double(2, series.sum);
    series.counts.forEach((value, at) => {
      writer.begin(3);
      writer.double(1, series.buckets.bounds[at]!);
      writer.double(2, value);
      writer.end();
    });
    this.#time(4, series.start);
    writer.end();
    writer.end();
  }

  /** With ordinary buckets, too: whether it takes native ones is the scraper's to know. */
  histogram(labels: string, series: Distribution): void {
    const writer = this.#writer;
    const { buckets, counts, exemplars } = series;
    this.#metric(labels);
    writer.begin(7);
    writeCount(writer, 1, series.count);
    writer.double(2, series.sum); // NaN where it is not known
    let total = 0;
    for (let at = 0; at < buckets.bounds.length; at++) {
      total += counts[at]!;
      this.#bucket(total, buckets.bounds[at]!, exemplars?.[at]);
    }
    const last = exemplars?.[buckets.bounds.length];
    if (last) this.#bucket(series.count, Number.POSITIVE_INFINITY, last);
    this.#native(series);
    this.#time(15, series.start);
    writer.end();
    writer.end();
  }

  #bucket(count: number, bound: number, exemplar: Exemplar | undefined): void {
    const writer = this.#writer;
    writer.begin(3);
    writeCount(writer, 1, count);
    writer.double(2, bound);
    if (exemplar) this.#exemplar(3, exemplar);
    writer.end();
  }

  #native({ fine, exemplars }: Distribution): void {
    const native = fine && asNative(fine);
    if (!native) return;
    writeNative(this.#writer, native, 5);
    for (const exemplar of exemplars ?? []) {
      if (exemplar && exemplar.time > 0) this.#exemplar(16, exemplar);
    }
  }

  #metric(labels: string): void {
    const writer = this.#writer;
    if (this.#headLength === 0) this.#writeHead();
    writer.begin(4);
    writer.raw(this.#common);
    writeLabels(writer, labels);
  }

  #exemplar(field: number, { labels, value, time }: Exemplar): void {
    const writer = this.#writer;
    writer.begin(field);
    writeLabels(writer, labels);
    writer.double(2, value);
    this.#time(3, time);
    writer.end();
  }

  /** Where it is known. */
  #time(field: number, nanoseconds: number): void {
    if (nanoseconds <= 0) return;
    const writer = this.#writer;
    const seconds = Math.floor(nanoseconds / 1e9);
    writer.begin(field);
    writer.uint(1, seconds);
    // To the microsecond, since doubles know nanoseconds of today by the hundred only.
    writer.uint(2, Math.min(Math.round((nanoseconds - seconds * 1e9) / 1e3), 999_999) * 1e3);
    writer.end();
  }
}

function writeLabels(writer: Writer, labels: string): void {
  eachPlace(labels, (place) => {
    writer.begin(1);
    if (place.isPlain) {
      writer.textWithin(1, labels, place.nameStart, place.nameEnd);
      writer.textWithin(2, labels, place.valueStart, place.valueEnd);
    } else {
      writer.text(1, nameAt(labels, place));
      writer.text(2, valueAt(labels, place));
    }
    writer.end();
  });
}
