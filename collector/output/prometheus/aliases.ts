// Metrics under other names. An alias is a series like any other, in a stream of its own that has job and
// instance only: what its sources grow by is added to it, so that it does not fall when one of them ends.
// Where values are levels it is the sum of those that there are.

import type { Label } from "../../telemetry/exposition.ts";
import type { Alias } from "./alias-settings.ts";
import { type Before, grow } from "./growth.ts";
import type { Attribute, Labels } from "./labels.ts";
import type { Kind } from "./metric.ts";
import {
  type AliasStream,
  Distribution,
  NumberSeries,
  type Problem,
  type Series,
  type Stream,
} from "./series.ts";
import { isProblem, type Store } from "./store.ts";

export interface AliasesOptions {
  readonly aliases: readonly Alias[];
  readonly store: Store;
  readonly labels: Labels;
  /** One that cannot be shown, such as for another metric of its name. */
  readonly leftOut: (name: string, problem: Problem) => void;
}

export class Aliases {
  readonly #options: AliasesOptions;
  readonly #byMetric = new Map<string, Alias[]>();

  constructor(options: AliasesOptions) {
    this.#options = options;
    for (const alias of options.aliases) {
      const others = this.#byMetric.get(alias.metric);
      if (others) others.push(alias);
      else this.#byMetric.set(alias.metric, [alias]);
    }
  }

  /** Undefined for the metrics that have none, which are most. */
  of(stream: Stream, metric: string): AliasStream[] | undefined {
    const found: AliasStream[] = [];
    for (const alias of this.#byMetric.get(metric) ?? []) {
      const { type } = stream.family;
      const isShowable = alias.take === "count" ? type === "histogram" : type !== "summary";
      if (!isShowable) continue;
      const made = this.#streamOf(alias, stream);
      if (made) found.push({ alias, source: stream, stream: made, links: new Map() });
    }
    return found.length > 0 ? found : undefined;
  }

  #streamOf(alias: Alias, source: Stream): Stream | undefined {
    const { family, metric, scope } = source;
    const type = alias.take === "count" ? "counter" : family.type;
    const shown = { name: alias.name, type, help: family.help };
    const made = this.#options.store.aliasStream(
      scope.target,
      shown,
      `${metric}, as ${alias.name}`,
    );
    if (!isProblem(made)) return made;
    this.#options.leftOut(alias.name, made);
    return undefined;
  }

  /** What a point has added to its series. `attributes` is asked for when the series is a new one. */
  grow(
    into: AliasStream,
    series: Series,
    before: Before,
    given: { kind: Kind; nowMs: number; attributes: () => Attribute[] },
  ): void {
    const target = this.#linkOf(into, series, given.attributes);
    if (!target) return;
    const { kind, nowMs } = given;
    if (kind.isGauge || (!kind.isMonotonic && series instanceof NumberSeries)) return; // level()
    const isHistogram = target instanceof Distribution && series instanceof Distribution;
    if (isHistogram && !this.#fit(target, series, into)) return;
    grow(target, series, before, { kind, nowMs });
  }

  /** False where there is no room for so many buckets. */
  #fit(target: Distribution, series: Distribution, into: AliasStream): boolean {
    const { store, leftOut } = this.#options;
    if (store.fit(into.stream, target, series)) return true;
    leftOut(into.alias.name, store.noRoom);
    return false;
  }

  /** Of levels, what the sources come to that were heard of since then. */
  level({ alias, links }: AliasStream, sinceMs: number, nowMs: number): void {
    const sums = new Map<NumberSeries, number>();
    for (const [series, target] of links) {
      if (series.isGone) links.delete(series);
      const isOne = series instanceof NumberSeries && target instanceof NumberSeries;
      if (!isOne || series.isGone || series.seenMs < sinceMs) continue;
      const value =
        alias.take === "beginning" ? Math.round(series.time / 1e9 - series.value) : series.value;
      sums.set(target, (sums.get(target) ?? 0) + value);
      target.time = Math.max(target.time, series.time);
    }
    for (const [target, sum] of sums) {
      target.value = sum;
      target.seenMs = nowMs;
    }
  }

  #linkOf(into: AliasStream, series: Series, attributes: () => Attribute[]): Series | undefined {
    const known = into.links.get(series);
    if (known ? !known.isGone : into.links.has(series)) return known;
    const { alias, source, links } = into;
    if (into.stream.isGone) into.stream = this.#streamOf(alias, source) ?? into.stream;
    const { stream } = into;
    if (stream.isGone) return undefined;
    if (links.size > 2 * 1024) for (const one of links.keys()) if (one.isGone) links.delete(one);
    const labels = this.#labelsOf(alias, attributes());
    const made = labels && this.#options.store.aliasSeries(stream, this.#text(stream, labels));
    if (made && isProblem(made)) {
      this.#options.leftOut(alias.name, made);
      return undefined;
    }
    links.set(series, made);
    return made;
  }

  #text(stream: Stream, labels: readonly Label[]): string {
    return this.#options.labels.text(labels, stream.scope.labels && ",");
  }

  /** Undefined for a point that it leaves out. */
  #labelsOf(alias: Alias, attributes: readonly Attribute[]): Label[] | undefined {
    const valueOf = (key: string): string =>
      attributes.findLast((one) => one.key === key)?.value ?? "";
    for (const [key, value] of Object.entries(alias.where)) {
      if (valueOf(key) !== value) return undefined;
    }
    const { cut = "" } = alias;
    return Object.entries(alias.labels)
      .map(([name, key]): Label => {
        const value = valueOf(key);
        return [name, cut && value.endsWith(cut) ? value.slice(0, -cut.length) : value];
      })
      .filter(([, value]) => value !== "")
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
}
