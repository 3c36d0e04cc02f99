// All that is held as bytes, and back: targets, their scopes, the streams in these and the series of each,
// in the order in which they hang together.
//
//   1 target, 2 scope of the last target, 3 stream of the last scope, 4 series of the last stream, those
//   beyond its limit among them, each with its bounds where they are not those of the one before

import { Cursor } from "../../wire/cursor.ts";
import { Writer } from "../../wire/writer.ts";
import type { FamilyType } from "../../telemetry/exposition.ts";
import { bucketsFor } from "./accumulate.ts";
import type { BucketRun, ExponentialHistogram } from "./exponential.ts";
import {
  Distribution,
  type Exemplar,
  noBuckets,
  NumberSeries,
  type Buckets,
  type Scope,
  type Series,
  type Stream,
  type Target,
} from "./series.ts";
import type { SharedTexts } from "./shared-texts.ts";
import { heldIn, type Store } from "./store.ts";

const sliceBytes = 65_536;

const types = ["counter", "gauge", "histogram", "summary", "untyped"] as const;

/** Each piece is good until the next is asked for. */
export function* snapshot(store: Store): Generator<Uint8Array> {
  const writer = new Writer(2 * sliceBytes);
  for (const target of store.targets.values()) {
    writeTexts(writer, 1, [target.identity, target.labels, target.info]);
    for (const scope of target.scopes.values()) {
      writeTexts(writer, 2, [scope.labels]);
      for (const stream of scope.streams.values()) {
        writeStream(writer, stream);
        let buckets: Buckets | undefined;
        for (const series of heldIn(stream)) {
          buckets = writeSeries(writer, series, buckets);
          if (writer.length < sliceBytes) continue;
          yield writer.view();
          writer.backTo(0);
        }
      }
    }
  }
  if (writer.length > 0) yield writer.view();
}

function writeTexts(writer: Writer, field: number, texts: readonly string[]): void {
  writer.begin(field);
  texts.forEach((text, at) => writer.text(at + 1, text));
  writer.end();
}

function writeStream(writer: Writer, { family, metric }: Stream): void {
  writer.begin(3);
  writer.text(1, family.name);
  writer.uint(2, types.indexOf(family.type));
  writer.text(3, family.help);
  writer.text(4, family.unit);
  writer.text(5, metric);
  writer.end();
}

/** Gives its buckets, to be told again only when they are others. */
function writeSeries(
  writer: Writer,
  series: Series,
  before: Buckets | undefined,
): Buckets | undefined {
  writer.begin(4);
  writer.text(1, series.labels);
  writer.double(2, series.start);
  writer.double(3, series.time);
  writer.double(4, series.seenMs);
  if (series instanceof NumberSeries) {
    writer.double(5, series.value);
    if (series.exemplar) writeExemplar(writer, 0, series.exemplar);
    writer.end();
    return before;
  }
  writer.double(6, series.count);
  writer.double(7, series.sum);
  if (series.buckets !== before) writer.doubles(12, series.buckets.bounds);
  writer.doubles(13, series.counts);
  if (series.fine) writeFine(writer, series.fine);
  series.exemplars?.forEach((exemplar, at) => exemplar && writeExemplar(writer, at, exemplar));
  writer.end();
  return series.buckets;
}

function writeFine(writer: Writer, fine: ExponentialHistogram): void {
  writer.begin(10);
  writer.sint32(1, fine.scale);
  writer.double(2, fine.zeroCount);
  writer.double(3, fine.zeroThreshold);
  for (const [field, { offset, counts }] of [
    [4, fine.positive],
    [5, fine.negative],
  ] as const) {
    writer.begin(field);
    writer.sint32(2, offset);
    writer.doubles(3, counts);
    writer.end();
  }
  writer.end();
}

function writeExemplar(writer: Writer, at: number, { labels, value, time }: Exemplar): void {
  writer.begin(11);
  writer.uint(1, at);
  writer.text(2, labels);
  writer.double(3, value);
  writer.double(4, time);
  writer.end();
}

/** What snapshot() has written, piece by piece, into a store that has nothing yet. */
export class Restoring {
  readonly #store: Store;
  #target: Target | undefined;
  #scope: Scope | undefined;
  #stream: Stream | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What there is no room for any more is left out, as it would be if it came now. */
  take(bytes: Uint8Array): void {
    const fields = new Cursor(bytes);
    while (fields.next()) {
      const message = new Cursor(bytes, fields.start, fields.end);
      if (fields.number === 1) this.#takeTarget(message);
      else if (fields.number === 2) this.#takeScope(message);
      else if (fields.number === 3) this.#takeStream(message);
      else if (fields.number === 4) this.#takeSeries(message);
    }
  }

  #takeTarget(message: Cursor): void {
    const [identity = "", labels = "", info = ""] = textsIn(message);
    this.#target = this.#store.makeTarget({ identity, labels, info });
    this.#scope = this.#stream = undefined;
  }

  #takeScope(message: Cursor): void {
    const [labels = ""] = textsIn(message);
    this.#scope = this.#target && this.#store.makeScope(this.#target, labels);
    this.#stream = undefined;
  }

  #takeStream(message: Cursor): void {
    let type: FamilyType = "untyped";
    const texts: string[] = [];
    while (message.next()) {
      if (message.number === 2) type = types[message.uint()] ?? "untyped";
      else texts[message.number] = message.text();
    }
    const [, name = "", , help = "", unit = "", metric = ""] = texts;
    const family = { name, type, help, unit };
    this.#stream = this.#scope && this.#store.makeStream(this.#scope, family, metric);
  }

  #takeSeries(message: Cursor): void {
    const stream = this.#stream;
    if (!stream) return;
    const series = readSeries(message, stream, this.#store.texts);
    this.#store.addSeries(stream, series);
  }
}

function textsIn(message: Cursor): string[] {
  const texts: string[] = [];
  while (message.next()) texts[message.number - 1] = message.text();
  return texts;
}

function readSeries(message: Cursor, stream: Stream, texts: SharedTexts): Series {
  const isNumber = stream.family.type === "counter" || stream.family.type === "gauge";
  message.next(); // labels come first
  const labels = texts.of(message.text());
  if (isNumber) {
    const series = new NumberSeries(labels);
    while (message.next()) {
      if (message.number === 5) series.value = message.double();
      else if (message.number === 11) series.exemplar = readExemplar(message).exemplar;
      else readTimes(message, series);
    }
    return series;
  }
  const series = new Distribution(labels);
  series.buckets = stream.buckets ?? noBuckets;
  while (message.next()) {
    if (message.number === 6) series.count = message.double();
    else if (message.number === 7) series.sum = message.double();
    else if (message.number === 12) series.buckets = bucketsFor(stream, message.doubles());
    else if (message.number === 13) series.counts = message.doubles();
    else if (message.number === 10) series.fine = readFine(message);
    else if (message.number === 11) {
      const { at, exemplar } = readExemplar(message);
      series.exemplars ??= Array<Exemplar | undefined>(series.counts.length).fill(undefined);
      series.exemplars[at] = exemplar;
    } else readTimes(message, series);
  }
  return series;
}

function readTimes(message: Cursor, series: Series): void {
  if (message.number === 2) series.start = message.double();
  else if (message.number === 3) series.time = message.double();
  else if (message.number === 4) series.seenMs = message.double();
}

function readFine({ bytes, start, end }: Cursor): ExponentialHistogram {
  const fields = new Cursor(bytes, start, end);
  let scale = 0;
  let zeroCount = 0;
  let zeroThreshold = 0;
  let positive: BucketRun = { offset: 0, counts: [] };
  let negative: BucketRun = { offset: 0, counts: [] };
  while (fields.next()) {
    if (fields.number === 1) scale = fields.sint32();
    else if (fields.number === 2) zeroCount = fields.double();
    else if (fields.number === 3) zeroThreshold = fields.double();
    else if (fields.number === 4) positive = readRun(fields);
    else if (fields.number === 5) negative = readRun(fields);
  }
  return { scale, zeroCount, zeroThreshold, positive, negative };
}

function readRun(message: Cursor): BucketRun {
  const { bytes, start, end } = message;
  const fields = new Cursor(bytes, start, end);
  let offset = 0;
  let counts: number[] = [];
  while (fields.next()) {
    if (fields.number === 2) offset = fields.sint32();
    else if (fields.number === 3) counts = fields.doubles();
  }
  return { offset, counts };
}

function readExemplar({ bytes, start, end }: Cursor): { at: number; exemplar: Exemplar } {
  const fields = new Cursor(bytes, start, end);
  let at = 0;
  let labels = "";
  let value = 0;
  let time = 0;
  while (fields.next()) {
    if (fields.number === 1) at = fields.uint();
    else if (fields.number === 2) labels = fields.text();
    else if (fields.number === 3) value = fields.double();
    else if (fields.number === 4) time = fields.double();
  }
  return { at, exemplar: { labels, value, time } };
}
