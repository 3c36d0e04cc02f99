// Finds what a point belongs to, makes it when it is new and there is room, and removes what nothing
// was heard of for too long.

import type { FamilyType } from "../../telemetry/exposition.ts";
import type { Range } from "../../wire/leaves.ts";
import { bucketsFor } from "./accumulate.ts";
import { areEqual, type Before, grow, type Growing } from "./growth.ts";
import { type Attribute, attributesIn, type Labels } from "./labels.ts";
import type { MetricHead } from "./metric.ts";
import { type Naming, unitSuffix } from "./names.ts";
import {
  type AliasStream,
  type Budget,
  Distribution,
  type Family,
  isOverflowed,
  NumberSeries,
  type Overflow,
  type Problem,
  type Scope,
  type Series,
  sizeOf,
  sizeOfNode,
  sizeWith,
  type Stream,
  Table,
  type Target,
  unseen,
} from "./series.ts";
import { SharedTexts } from "./shared-texts.ts";

/** Names, help and the labels of one series are no place for documents. */
const maxNameLength = 1000;
export const maxLabelsLength = 8192;

const bare = { runs: undefined, buckets: undefined, aliases: undefined, overflow: undefined };

export type FamilyHead = Omit<Family, "streams">;

export interface StoreOptions {
  readonly budget: Budget;
  readonly naming: Naming;
  readonly labels: Labels;
}

export class Store {
  readonly targets = new Table<Target>();
  readonly families = new Map<string, Family>();
  /** Every name that a family writes samples under. */
  readonly #owners = new Map<string, Family>();
  readonly naming: Naming;
  /** Labels and attributes. */
  readonly texts = new SharedTexts();
  /** Under which other names a new stream is shown. */
  aliasesOf: (stream: Stream, metric: string) => AliasStream[] | undefined = () => undefined;
  /** Told what a resource says when it is a new one. */
  described: (target: Target, resource: readonly Attribute[]) => void = () => {};
  readonly #labels: Labels;
  readonly #budget: Budget;

  constructor({ budget, naming, labels }: StoreOptions) {
    this.#budget = budget;
    this.naming = naming;
    this.#labels = labels;
    this.#own({ name: "target_info", type: "gauge", help: "", unit: "", streams: new Set() });
  }

  get noRoom(): Problem {
    const { maxSeries, maxBytes } = this.#budget;
    const detail =
      `no room for new series: ${maxSeries} (max_series) or ${maxBytes} bytes (max_bytes) are held; ` +
      "send fewer attribute values or raise the limit";
    return { reason: "too_large", detail };
  }

  target(bytes: Buffer, resource: Range): Target | Problem {
    const key = bytes.toString("latin1", resource.start, resource.end);
    const known = this.targets.known(key);
    if (known) return known;
    const attributes = attributesIn(bytes, resource, 1);
    const { identity, labels, info } = this.#labels.target(attributes);
    if (Math.max(labels.length, info.length) > maxLabelsLength) return tooLong("a resource");
    let target = this.targets.get(labels);
    if (!target) {
      target = this.makeTarget({ identity, labels, info });
      if (!target) return this.noRoom;
    } else if (this.#budget.take({ series: 0, bytes: 3 * (info.length - target.info.length) })) {
      target.info = info; // what the resource says of itself may change; the latest counts
    }
    this.targets.remember(key, target);
    this.described(target, attributes);
    return target;
  }

  scope(target: Target, bytes: Buffer, range: Range): Scope | Problem {
    const key = bytes.toString("latin1", range.start, range.end);
    const known = target.scopes.known(key);
    if (known) return known;
    const own = this.#labels.text(this.#labels.scope(bytes, range), target.labels && ",");
    const labels = [target.labels, own].join("");
    if (labels.length > maxLabelsLength) return tooLong("a scope");
    const scope = this.makeScope(target, labels);
    if (!scope) return this.noRoom;
    target.scopes.remember(key, scope);
    return scope;
  }

  /** `key` tells metrics apart by their bytes; `head` is asked for only when it is a new one. */
  stream(scope: Scope, key: string, head: () => MetricHead): Stream | Problem {
    const known = scope.streams.known(key);
    if (known) return known;
    const { name, unit, description, type } = head();
    if (name.length + unit.length > maxNameLength) return tooLong("a metric's name");
    const translated = this.naming.familyName(name, unit, type);
    if (translated === "") return badData("a metric without a name that Prometheus could have");
    const metric = unit ? `${name} (${unit})` : name;
    const before = scope.streams.get(translated);
    if (before && before.metric !== metric) {
      return badData(`${translated} is taken by the metric ${before.metric} of the same scope`);
    }
    const help = description.length > maxNameLength ? "" : description;
    const sibling = this.families.get(translated);
    const family = sibling ?? { name: translated, type, help, unit: unitOf(translated, unit) };
    const rival = this.#rival(family, type);
    if (rival) {
      const own = `${translated} as a ${type}${from(scope)}`;
      return badData(`${own} conflicts with the ${rival}`);
    }
    const stream = before ?? this.makeStream(scope, family, metric);
    if (!stream) return this.noRoom;
    scope.streams.remember(key, stream);
    stream.aliases ??= this.aliasesOf(stream, name);
    return stream;
  }

  /** Where a name is shown that `metric` has beside its own, with no more than job and instance. */
  aliasStream(
    target: Target,
    { name, type, help }: Pick<Family, "name" | "type" | "help">,
    metric: string,
  ): Stream | Problem {
    const scope = this.makeScope(target, target.labels);
    if (!scope) return this.noRoom;
    const before = scope.streams.get(name);
    if (before && before.metric !== metric) {
      return badData(`${name} is taken by the metric ${before.metric}`);
    }
    const family = { name, type, help, unit: "" };
    const rival = this.#rival(family, type);
    if (rival) return badData(`${name} as a ${type} conflicts with the ${rival}`);
    return before ?? this.makeStream(scope, family, metric) ?? this.noRoom;
  }

  /** The one with these labels; it takes up room once it has a value. */
  aliasSeries(stream: Stream, labels: string): Series | Problem {
    if (labels.length > maxLabelsLength) return tooLong("an alias");
    const known = stream.series.get(labels);
    if (known) return known;
    const { type } = stream.family;
    const series = type === "histogram" ? new Distribution(labels) : new NumberSeries(labels);
    if (!this.#budget.take(sizeOf(series))) return this.noRoom;
    stream.series.add(labels, series);
    return series;
  }

  /**
   * Gives one that stands for several their bounds; with other ones it begins anew, as they do. False where
   * there is no room.
   */
  fit(stream: Stream, target: Distribution, { buckets, start }: Distribution): boolean {
    const { bounds } = buckets;
    if (target.counts.length > 0 && areEqual(target.buckets.bounds, bounds)) return true;
    const before = sizeOf(target);
    const after = sizeWith(target, bounds.length);
    const growth = { series: after.series - before.series, bytes: after.bytes - before.bytes };
    if (!this.#budget.take(growth)) return false;
    target.buckets = bucketsFor(stream, bounds);
    target.counts = [...bounds.map(() => 0), 0];
    target.count = target.sum = 0;
    target.start = start;
    return true;
  }

  // Made where there is room for them, and otherwise undefined:

  makeTarget(said: Pick<Target, "identity" | "labels" | "info">): Target | undefined {
    const target: Target = { ...unseen, ...said, scopes: new Table() };
    if (!this.#budget.take(sizeOfTarget(target))) return undefined;
    this.targets.add(target.labels, target);
    return target;
  }

  makeScope(target: Target, labels: string): Scope | undefined {
    const known = target.scopes.get(labels);
    if (known) return known;
    const scope: Scope = { ...unseen, target, labels, streams: new Table() };
    if (!this.#budget.take(sizeOfNode(labels))) return undefined;
    target.scopes.add(labels, scope);
    return scope;
  }

  makeStream(scope: Scope, described: FamilyHead, metric: string): Stream | undefined {
    const family = this.families.get(described.name) ?? { ...described, streams: new Set() };
    if (!this.#budget.take(sizeOfStream(family, metric))) return undefined;
    const series = new Table<Series>();
    const stream: Stream = { ...unseen, ...bare, family, scope, metric, series };
    scope.streams.add(family.name, stream);
    family.streams.add(stream);
    if (!this.families.has(family.name)) {
      this.families.set(family.name, family);
      this.#own(family);
    }
    return stream;
  }

  addSeries(stream: Stream, series: Series): void {
    if (!this.#budget.take(sizeOf(series))) return;
    if (isOverflowed(series)) overflowOf(stream).sources.set(series.labels, series);
    else stream.series.add(series.labels, series);
  }

  /** What has one of the family's names already, described; undefined when nothing has. */
  #rival({ name: wanted }: FamilyHead, type: FamilyType): string | undefined {
    for (const name of sampleNames(wanted, type)) {
      const owner = this.#owners.get(name);
      if (!owner || (owner.name === wanted && owner.type === type)) continue;
      const [first] = owner.streams;
      return `${owner.type} ${owner.name}${first ? from(first.scope) : ""}`;
    }
    return undefined;
  }

  #own(family: Family): void {
    for (const name of sampleNames(family.name, family.type)) this.#owners.set(name, family);
  }

  remove(stream: Stream, series: Series): void {
    this.#budget.release(sizeOf(series));
    if (isOverflowed(series)) this.#removeOverflowed(stream, series);
    else stream.series.remove(series.labels, series);
  }

  #removeOverflowed({ series: shown, overflow, scope }: Stream, series: Series): void {
    series.isGone = true;
    if (!overflow?.sources.delete(series.labels) || !overflow.isLevel) return;
    const sum = shown.get((scope.labels && ",") + overflowLabel);
    if (sum instanceof NumberSeries && series instanceof NumberSeries) sum.value -= series.value;
  }

  /** What a point of a series beyond the limit has added. */
  overflow(stream: Stream, series: Series, before: Before, given: Growing): Series | Problem {
    const { kind } = given;
    const sum = this.aliasSeries(stream, (stream.scope.labels && ",") + overflowLabel);
    if (isProblem(sum)) return sum;
    if (sum instanceof Distribution && series instanceof Distribution) {
      if (!this.fit(stream, sum, series)) return this.noRoom;
    }
    overflowOf(stream).isLevel = !kind.isGauge && !kind.isMonotonic;
    grow(sum, series, before, given);
    // The sum of what is measured says nothing; the last is what there is to say.
    if (kind.isGauge && sum instanceof NumberSeries && series instanceof NumberSeries)
      sum.value = series.value;
    return sum;
  }

  /** Removes series not heard of since then, and all that is empty. Yields where others may have a turn. */
  *sweep(sinceMs: number, expired?: (stream: Stream, series: Series) => unknown): Generator<void> {
    let seen = 0;
    for (const target of this.targets.values()) {
      for (const scope of target.scopes.values()) {
        for (const stream of scope.streams.values()) {
          for (const series of heldIn(stream)) {
            if (++seen % 5000 === 0) yield;
            if (series.seenMs >= sinceMs) continue;
            if (!isOverflowed(series)) expired?.(stream, series);
            this.remove(stream, series);
          }
          if (stream.overflow?.sources.size === 0) stream.overflow = undefined;
          if (stream.series.forget()) stream.runs = undefined;
          if (stream.series.isEmpty && !stream.overflow) this.#removeStream(scope, stream);
        }
        scope.streams.forget();
        if (!scope.streams.isEmpty) continue;
        this.#budget.release(sizeOfNode(scope.labels));
        target.scopes.remove(scope.labels, scope);
      }
      target.scopes.forget();
      if (!target.scopes.isEmpty) continue;
      this.#budget.release(sizeOfTarget(target));
      this.targets.remove(target.labels, target);
    }
    this.targets.forget();
  }

  #removeStream(scope: Scope, stream: Stream): void {
    const { family } = stream;
    this.#budget.release(sizeOfStream(family, stream.metric));
    scope.streams.remove(family.name, stream);
    family.streams.delete(stream);
    if (family.streams.size > 0) return;
    this.families.delete(family.name);
    for (const name of sampleNames(family.name, family.type)) this.#owners.delete(name);
  }
}

/** Those that are shown, and those beyond the limit. */
export function* heldIn({ series, overflow }: Stream): Generator<Series> {
  yield* series.values();
  if (overflow) yield* overflow.sources.values();
}

/** As OpenTelemetry's SDKs have it. */
export const overflowLabel = 'otel_metric_overflow="true"';

export const overflowOf = (stream: Stream): Overflow =>
  (stream.overflow ??= { sources: new Map(), isLevel: false });

export function isProblem(found: object): found is Problem {
  return "detail" in found;
}

/** Which sender a metric is of, in a message. */
const from = ({ labels }: Scope): string => (labels ? ` of ${labels.slice(0, 200)}` : "");

/** OpenMetrics wants the name to say it. */
function unitOf(family: string, unit: string): string {
  const suffix = unitSuffix(unit);
  return suffix && family.replace(/_total$/, "").endsWith(`_${suffix}`) ? suffix : "";
}

/** A family's name with what stands behind it in samples. */
export function sampleNames(name: string, type: FamilyType): string[] {
  switch (type) {
    case "histogram":
      return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
    case "summary":
      return [name, `${name}_sum`, `${name}_count`];
    default:
      return [name];
  }
}

const sizeOfTarget = ({ labels, info }: Target): { series: number; bytes: number } => ({
  series: 1, // target_info
  bytes: sizeOfNode(labels + info).bytes,
});

const sizeOfStream = (family: Family, metric: string): { series: number; bytes: number } =>
  sizeOfNode(family.name + family.help + metric);

const badData = (detail: string): Problem => ({ reason: "bad_data", detail });

const tooLong = (what: string): Problem => ({
  reason: "too_large",
  detail: `${what} of more than ${what.endsWith("name") ? maxNameLength : maxLabelsLength} characters`,
});
