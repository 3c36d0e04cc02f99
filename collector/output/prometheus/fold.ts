// Folds the points of batches into the series in memory. Of a point that belongs to a known series only
// numbers are read; names and attributes are compared as bytes.

import { hash } from "node:crypto";
import { Leaves } from "../../wire/leaves.ts";
import {
  judge,
  takeDistribution,
  takeNumber,
  takeSameBuckets,
  withOtherBuckets,
} from "./accumulate.ts";
import type { Aliases } from "./aliases.ts";
import { takeExemplars } from "./exemplars.ts";
import { type Before, beforeOf } from "./growth.ts";
import { type Attribute, attributesIn, type Labels } from "./labels.ts";
import { type Kind, Metric } from "./metric.ts";
import type { NodeVersions } from "./node-versions.ts";
import { maxBuckets, type Point } from "./point.ts";
import { PointReader } from "./point-reader.ts";
import { QuickPoints } from "./quick-points.ts";
import type { Place, Rejections } from "./rejections.ts";
import {
  type Budget,
  Distribution,
  isOverflowed,
  NumberSeries,
  overflowName,
  type Problem,
  type Scope,
  type Series,
  sizeOf,
  sizeWith,
  type Stream,
  type Target,
} from "./series.ts";
import { isProblem, maxLabelsLength, overflowLabel, overflowOf, type Store } from "./store.ts";

/** After so many points others get a turn; a new series takes as long as twenty known ones. */
const turnLength = 4000;
const newSeriesLength = 20;

/** Beyond the limit, so many times as many are still told apart. */
const mostBeyond = 8;

const nameBeyond = ({ attributes }: Point): string =>
  overflowName(hash("sha256", Buffer.from(attributes, "latin1"), "base64").slice(0, 22));

export interface FoldOptions {
  readonly store: Store;
  readonly aliases: Aliases;
  readonly versions: NodeVersions;
  readonly budget: Budget;
  readonly labels: Labels;
  readonly nowMs: () => number;
  /** A series that was last heard of before has ended, and begins anew. */
  readonly sinceMs: () => number;
  /** Of one metric of one sender. */
  readonly maxPerMetric: number;
  /** Told once of what is beyond it. */
  readonly leftOut: (name: string, problem: Problem) => void;
  /** Told of each series that a point has changed, after it has; and of each that its sender has ended. */
  readonly taken?: Observer;
  readonly ended?: Observer;
}

/** Of a point: its time, and where it stands. */
export interface Taken extends Place {
  readonly time: number;
}

type Observer = (stream: Stream, series: Series, taken: Taken) => unknown;

export class Fold {
  readonly #store: Store;
  readonly #aliases: Aliases;
  readonly #versions: NodeVersions;
  readonly #budget: Budget;
  readonly #labels: Labels;
  readonly #nowMs: () => number;
  readonly #sinceMs: () => number;
  readonly #maxPerMetric: number;
  readonly #leftOut: FoldOptions["leftOut"];
  readonly #taken: Observer | undefined;
  readonly #ended: Observer | undefined;
  readonly #quick = new QuickPoints();
  #turn = 0;

  constructor(options: FoldOptions) {
    const { store, budget, labels, nowMs, sinceMs, maxPerMetric, leftOut } = options;
    this.#maxPerMetric = maxPerMetric;
    this.#leftOut = leftOut;
    this.#taken = options.taken;
    this.#ended = options.ended;
    this.#store = store;
    this.#aliases = options.aliases;
    this.#versions = options.versions;
    this.#budget = budget;
    this.#labels = labels;
    this.#nowMs = nowMs;
    this.#sinceMs = sinceMs;
  }

  /** Yields where others may have a turn. Nothing of the bytes is kept. */
  *batch(bytes: Uint8Array, rejections: Rejections): Generator<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const leaves = new Leaves({ bytes });
    const metric = new Metric(buffer);
    const reader = new PointReader(buffer, metric, this.#quick, this.#store.texts);
    let target: Target | Problem | undefined;
    let scope: Scope | Problem | undefined;
    let resourceNumber = -1;
    let scopeNumber = -1;
    while (leaves.next()) {
      rejections.index = leaves.index;
      metric.read(leaves);
      if (!metric.hasPoints) continue;
      if (leaves.resourceNumber !== resourceNumber) {
        this.#sent(target);
        resourceNumber = leaves.resourceNumber;
        target = this.#store.target(buffer, leaves.resource);
      }
      if (leaves.scopeNumber !== scopeNumber) {
        scopeNumber = leaves.scopeNumber;
        scope = isProblem(target!) ? target : this.#store.scope(target!, buffer, leaves.scope);
      }
      const found = isProblem(scope!) ? scope : this.#streamOf(scope!, metric);
      yield* this.#points(found, { metric, reader, rejections });
    }
    this.#sent(target);
  }

  #sent(target: Target | Problem | undefined): void {
    if (target && !isProblem(target)) this.#versions.sent(target, this.#nowMs());
  }

  #streamOf(scope: Scope, metric: Metric): Stream | Problem {
    if (metric.isDelta === undefined) {
      return { reason: "bad_data", detail: "neither cumulative nor delta" };
    }
    return this.#store.stream(scope, metric.key, () => metric.head());
  }

  *#points(
    found: Stream | Problem,
    { metric, reader, rejections }: { metric: Metric; reader: PointReader; rejections: Rejections },
  ): Generator<void> {
    if (isProblem(found)) {
      while (metric.nextPoint()) {
        rejections.add(metric.name, found);
        if (this.#isTurnOver()) yield;
      }
      return;
    }
    const { kind } = metric;
    const [nowMs, sinceMs] = [this.#nowMs(), this.#sinceMs()];
    const { point } = reader;
    const given = { reader, point, kind, metric, nowMs, sinceMs, place: rejections };
    reader.over(found, sinceMs);
    while (reader.next()) {
      const problem = this.#point(found, given);
      if (problem) rejections.add(metric.name, problem);
      if (this.#isTurnOver()) yield;
    }
    if (kind.isMonotonic) return;
    for (const into of found.aliases ?? []) this.#aliases.level(into, sinceMs, nowMs);
  }

  #isTurnOver(): boolean {
    if (++this.#turn < turnLength) return false;
    this.#turn = 0;
    return true;
  }

  #point(stream: Stream, given: Given): Problem | undefined {
    const { reader, point, kind, metric, nowMs, sinceMs } = given;
    if (reader.wrong !== undefined) return { reason: "bad_data", detail: reader.wrong };
    let { known } = reader;
    if (known && known.seenMs < sinceMs) known = undefined; // only a sweep is missing
    let series = known;
    if (!series) {
      const made = this.#newSeries(stream, given);
      if (isProblem(made)) return made;
      series = made;
    }
    if (point.isAbsent) {
      if (series.seenMs < 0) return undefined;
      if (!isOverflowed(series)) this.#ended?.(stream, series, takenAs(given));
      this.#store.remove(stream, series);
      return undefined;
    }
    const verdict = judge(series, point, kind, nowMs);
    if (verdict === "ignore") return undefined;
    if (verdict !== "take") return { reason: "bad_data", detail: verdict.problem };
    const isBeyond = isOverflowed(series);
    const before = stream.aliases || isBeyond ? beforeOf(series) : undefined;
    const problem = this.#take(stream, series, point, kind);
    if (problem) return problem;
    if (isBeyond) overflowOf(stream).sources.set(series.labels, series);
    else if (series.seenMs < 0) stream.series.add(series.labels, series);
    if (!known && !isBeyond) {
      stream.series.remember(this.#store.texts.of(point.attributes), series);
    }
    series.seenMs = nowMs;
    if (before && isBeyond) {
      const sum = this.#store.overflow(stream, series, before, given);
      if (isProblem(sum)) return sum;
      this.#taken?.(stream, sum, takenAs(given));
    } else if (point.exemplars.length > 0 && kind.hasExemplars) {
      const { bytes } = metric;
      takeExemplars(series, point, { bytes, budget: this.#budget, labels: this.#labels });
    }
    if (!isBeyond) this.#taken?.(stream, series, takenAs(given));
    if (before) this.#growAliases(stream, series, before, given);
    return undefined;
  }

  #growAliases(stream: Stream, series: Series, before: Before, given: Given): void {
    const { kind, nowMs, metric, reader } = given;
    const attributes = (): Attribute[] =>
      attributesIn(metric.bytes, reader, metric.attributesField);
    for (const into of stream.aliases ?? []) {
      this.#aliases.grow(into, series, before, { kind, nowMs, attributes });
    }
  }

  /** Known by other bytes perhaps, such as the same attributes in another order; otherwise made. */
  #newSeries(stream: Stream, { point, metric, reader, sinceMs }: Given): Series | Problem {
    const beyond = stream.overflow && this.#beyond(stream, point);
    if (beyond && beyond.seenMs >= sinceMs) return beyond;
    this.#turn += newSeriesLength;
    const { type } = stream.family;
    const own = type === "histogram" ? "le" : type === "summary" ? "quantile" : undefined;
    const attributes = attributesIn(metric.bytes, reader, metric.attributesField);
    const labels = this.#labels.text(
      this.#labels.point(attributes, own),
      stream.scope.labels && ",",
    );
    if (labels.length > maxLabelsLength) {
      const detail = `a point whose labels take more than ${maxLabelsLength} characters`;
      return { reason: "too_large", detail };
    }
    const found = stream.series.get(labels);
    if (found && found.seenMs >= sinceMs) return found;
    for (const ended of [found, beyond]) if (ended) this.#store.remove(stream, ended);
    const isFull = stream.series.size >= this.#maxPerMetric;
    if (isFull && own === "quantile") return this.#tooMany(metric.name); // there is no sum of quantiles
    // An SDK that has a limit of its own sends its sum under the same name; ours has that in it.
    const isBeyond = isFull || labels.endsWith(overflowLabel);
    if (isFull && !stream.overflow) this.#leftOut(metric.name, this.#tooMany(metric.name));
    if (isBeyond && (stream.overflow?.sources.size ?? 0) >= mostBeyond * this.#maxPerMetric) {
      return this.#tooMany(metric.name);
    }
    const name = isBeyond ? nameBeyond(point) : this.#store.texts.of(labels);
    return own ? new Distribution(name) : new NumberSeries(name);
  }

  #beyond(stream: Stream, point: Point): Series | undefined {
    return stream.overflow?.sources.get(nameBeyond(point));
  }

  #tooMany(metric: string): Problem {
    const detail =
      `${metric} has more than ${this.#maxPerMetric} series (max_series_per_metric); send fewer ` +
      "attribute values or raise the limit; those beyond it are shown as one with otel_metric_overflow";
    return { reason: "too_large", detail };
  }

  #take(stream: Stream, series: Series, point: Point, kind: Kind): Problem | undefined {
    const isNew = series.seenMs < 0;
    if (series instanceof NumberSeries) {
      if (isNew && !this.#budget.take(sizeOf(series))) return this.#store.noRoom;
      takeNumber(series, point, kind);
      return undefined;
    }
    if (takeSameBuckets(series, point, kind)) return undefined;
    const next = withOtherBuckets(series, point, kind, stream);
    if (isProblem(next)) return next;
    const bounds = next.buckets.bounds.length;
    if (bounds > maxBuckets)
      return { reason: "too_large", detail: `more than ${maxBuckets} buckets` };
    const before = isNew ? nothing : sizeOf(series);
    const after = sizeWith(series, bounds, next.fine);
    const growth = { series: after.series - before.series, bytes: after.bytes - before.bytes };
    if (!this.#budget.take(growth)) return this.#store.noRoom;
    takeDistribution(series, point, next);
    return undefined;
  }
}

interface Given {
  readonly reader: PointReader;
  readonly point: Point;
  readonly kind: Kind;
  readonly metric: Metric;
  readonly nowMs: number;
  readonly sinceMs: number;
  readonly place: Place;
}

const takenAs = ({ point: { time }, place: { position, index } }: Given): Taken => ({
  time,
  position,
  index,
});

const nothing = { series: 0, bytes: 0 };
