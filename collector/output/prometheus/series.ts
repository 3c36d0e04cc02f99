// What is held in memory: targets, their scopes, the streams of points in these and the series of each.
//
//   Target  job, instance          ┐ each found by its text, and again by the bytes that it was
//     Scope   name, version        │ made from, so that only what is new is decoded
//       Stream  one metric         │
//         Series  its attributes   ┘
//   Family  the streams of all targets that have one name: what a scrape writes together

import type { FamilyType } from "../../telemetry/exposition.ts";
import type { Reason } from "../output.ts";
import type { Alias } from "./alias-settings.ts";
import type { ExponentialHistogram } from "./exponential.ts";
import type { Runs } from "./runs.ts";

/** What a table holds. */
interface Entry<T> {
  isGone: boolean;
  /** What it was found by last. */
  bytes: string;
  /** What was asked for after it the last time. */
  next: T | undefined;
}

/**
 * Found by the text that tells it from others, or by bytes that have been found to say the same. Senders
 * write their points in the same order every time, so the one after the last is tried first: comparing
 * it takes a quarter of the time that looking it up among 100,000 takes.
 */
export class Table<T extends Entry<T>> {
  readonly #byText = new Map<string, T>();
  readonly #byBytes = new Map<string, T>();
  #last: T | undefined;
  #hasRemoved = false;
  /** How often another than the next was asked for. */
  misses = 0;

  get size(): number {
    return this.#byText.size;
  }

  get isEmpty(): boolean {
    return this.#byText.size === 0;
  }

  known(bytes: string): T | undefined {
    const expected = this.#last?.next;
    if (expected?.bytes === bytes && !expected.isGone) {
      this.#last = expected;
      return expected;
    }
    this.misses++;
    const found = this.#byBytes.get(bytes);
    if (!found || found.isGone) return undefined;
    this.#found(bytes, found);
    return found;
  }

  #found(bytes: string, thing: T): void {
    if (thing.bytes !== bytes) thing.bytes = bytes; // a text that is equal is kept already
    if (this.#last) this.#last.next = thing;
    this.#last = thing;
  }

  get(text: string): T | undefined {
    return this.#byText.get(text);
  }

  add(text: string, thing: T): void {
    this.#byText.set(text, thing);
  }

  /** A sender that writes the same in ever new bytes must not make this grow. */
  remember(bytes: string, thing: T): void {
    if (this.#byBytes.size > 2 * this.#byText.size + 8) this.#byBytes.clear();
    this.#byBytes.set(bytes, thing);
    this.#found(bytes, thing);
  }

  remove(text: string, thing: T): void {
    thing.isGone = true;
    this.#byText.delete(text);
    this.#hasRemoved = true;
  }

  /** Of those removed, everything else. False if there were none. */
  forget(): boolean {
    if (!this.#hasRemoved) return false;
    this.#hasRemoved = false;
    this.#last = undefined;
    for (const thing of this.#byText.values()) if (thing.next?.isGone) thing.next = undefined;
    for (const [bytes, thing] of this.#byBytes) if (thing.isGone) this.#byBytes.delete(bytes);
    return true;
  }

  values(): MapIterator<T> {
    return this.#byText.values();
  }
}

/** For a thing that no table has seen yet. */
export const unseen = { isGone: false, bytes: "", next: undefined } as const;

export interface Target extends Entry<Target> {
  /** job and instance. */
  readonly identity: string;
  /** These, and what else of the resource stands on every series. */
  readonly labels: string;
  /** Those of target_info. */
  info: string;
  readonly scopes: Table<Scope>;
}

export interface Scope extends Entry<Scope> {
  readonly target: Target;
  /** Of the target and the scope. */
  readonly labels: string;
  readonly streams: Table<Stream>;
}

export interface Stream extends Entry<Stream> {
  readonly family: Family;
  readonly scope: Scope;
  /** The metric that has this name here, since another one might be translated to the same. */
  readonly metric: string;
  readonly series: Table<Series>;
  /** In which order they come, where that stays the same. */
  runs: Runs<Series> | undefined;
  /** Of the last histogram, to be shared with the next. */
  buckets: Buckets | undefined;
  /** Under which other names it is shown. */
  aliases: AliasStream[] | undefined;
  /** Once it has as many series as it may have. */
  overflow: Overflow | undefined;
}

/** An alias of one metric of one sender. */
export interface AliasStream {
  readonly alias: Alias;
  readonly source: Stream;
  /** Another one when this has ended and its source goes on. */
  stream: Stream;
  /** What each source adds to; undefined for one that the alias leaves out. */
  readonly links: Map<Series, Series | undefined>;
}

/**
 * Series beyond the limit, which are not shown: of each what is needed to know by how much it grows, found
 * by a short name made of its attributes. One series shows what they come to.
 */
export interface Overflow {
  readonly sources: Map<string, Series>;
  /** Of sums that may fall: those that end are taken off. */
  isLevel: boolean;
}

/** No label begins so. */
const overflowMark = "#";
export const overflowName = (digest: string): string => overflowMark + digest;
export const isOverflowed = ({ labels }: Series): boolean => labels.startsWith(overflowMark);

export interface Family {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  /** That its name tells; empty if it tells none. */
  readonly unit: string;
  readonly streams: Set<Stream>;
}

export type Series = NumberSeries | Distribution;

/** A class, since there may be a million of them and the fields of a class are stored most closely. */
export class NumberSeries {
  /** Its own, to be written behind those of the scope. */
  readonly labels: string;
  start = 0;
  time = 0;
  /** When the last point came, by our clock; below zero before the first. */
  seenMs = -1;
  value = 0;
  exemplar: Exemplar | undefined = undefined;
  isGone = false;
  bytes = "";
  next: Series | undefined = undefined;

  constructor(labels: string) {
    this.labels = labels;
  }
}

/** A histogram or summary. */
export class Distribution {
  readonly labels: string;
  start = 0;
  time = 0;
  seenMs = -1;
  count = 0;
  /** NaN where it is not known. */
  sum = 0;
  buckets: Buckets = noBuckets;
  counts: number[] = [];
  /** The buckets as they came, of an exponential histogram; those above are made of them. */
  fine: ExponentialHistogram | undefined = undefined;
  /** The last of each bucket, at the bucket's place. */
  exemplars: (Exemplar | undefined)[] | undefined = undefined;
  isGone = false;
  bytes = "";
  next: Series | undefined = undefined;

  constructor(labels: string) {
    this.labels = labels;
  }
}

/**
 * Bounds or quantiles with their labels, ready to be written. A whole number stands without a fraction in
 * every format: OpenMetrics would rather have le="1.0", but to a Prometheus before version 3 that is
 * another series than le="1", and which format it asks for may change.
 */
export interface Buckets {
  readonly bounds: readonly number[];
  readonly labels: readonly string[];
}

export const noBuckets: Buckets = { bounds: [], labels: [] };

/** One observation as an example, with the trace that it was made in. */
export interface Exemplar {
  readonly labels: string;
  readonly value: number;
  /** Nanoseconds; 0 if it does not say. */
  readonly time: number;
}

/** Of an exemplar's labels, set by OpenMetrics: characters of all names and values together. */
export const maxExemplarLength = 128;
const sizeOfExemplar = 200 + 4 * maxExemplarLength;

/** What is wrong with a point or metric that is left out. */
export interface Problem {
  readonly reason: Reason;
  readonly detail: string;
}

/** How much may be held, and how much is. */
export class Budget {
  readonly maxSeries: number;
  readonly maxBytes: number;
  series = 0;
  bytes = 0;

  constructor(maxSeries: number, maxBytes: number) {
    this.maxSeries = maxSeries;
    this.maxBytes = maxBytes;
  }

  /** False when there is no room; what is given back, negative numbers, always has. */
  take({ series, bytes }: Size): boolean {
    if (series > 0 && this.series + series > this.maxSeries) return false;
    if (bytes > 0 && this.bytes + bytes > this.maxBytes) return false;
    this.series += series;
    this.bytes += bytes;
    return true;
  }

  release({ series, bytes }: Size): void {
    this.series -= series;
    this.bytes -= bytes;
  }
}

export interface Size {
  /** As Prometheus counts: every bucket is one, and the sum and the count of a histogram. */
  readonly series: number;
  readonly bytes: number;
}

// The bytes are what V8 was measured to take, rounded up; a text is held in itself and as the bytes that
// it was made from, and buckets are reckoned as if no two series shared their bounds.

export const sizeOfNode = (text: string): Size => ({ series: 0, bytes: 1500 + 3 * text.length });

/** What it takes with all that it has now. */
export function sizeOf(series: Series): Size {
  const bytes = 250 + 3 * series.labels.length;
  const shown = isOverflowed(series) ? 0 : 1;
  if (series instanceof NumberSeries) {
    return { series: shown, bytes: bytes + (series.exemplar ? sizeOfExemplar : 0) };
  }
  const { buckets, fine, exemplars = [] } = series;
  const bounds = buckets.bounds.length;
  const examples = exemplars.reduce((count, one) => count + (one ? 1 : 0), 0);
  return {
    series: shown * (bounds + 3),
    bytes: bytes + 150 + 80 * bounds + 9 * fineBuckets(fine) + sizeOfExemplar * examples,
  };
}

/** Of a histogram or summary that it would be. */
export function sizeWith(series: Series, bounds: number, fine?: ExponentialHistogram): Size {
  const bytes = 400 + 3 * series.labels.length + 80 * bounds + 9 * fineBuckets(fine);
  return { series: isOverflowed(series) ? 0 : bounds + 3, bytes };
}

export const exemplarSize: Size = { series: 0, bytes: sizeOfExemplar };

const fineBuckets = (fine: ExponentialHistogram | undefined): number =>
  fine ? 20 + fine.positive.counts.length + fine.negative.counts.length : 0;
