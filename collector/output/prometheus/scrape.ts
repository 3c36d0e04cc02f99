// Writes what is held as text that Prometheus scrapes, a slice at a time: versions 0.0.4 and 1.0.0 of its
// own format, which differ in quoted names alone, and OpenMetrics 1.0.0.
// https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md

import { numberText } from "../../telemetry/exposition.ts";
import { escapeLabels, isLegacyName, quoted } from "./escaping.ts";
import { NamesShown, type ShownFamily, targetInfos } from "./names-shown.ts";
import { type Format, plainText } from "./negotiate.ts";
import { type Distribution, type Exemplar, NumberSeries, type Series } from "./series.ts";
import type { Store } from "./store.ts";

/** Characters: some hundred series, well under a millisecond to write. */
const sliceLength = 65_536;

export interface Scraping {
  /** Series that were last heard of before are left out. */
  readonly sinceMs: number;
  readonly format?: Format;
  /** In OpenMetrics, when a series began. */
  readonly hasCreated?: boolean;
}

export function* scrape(store: Store, scraping: Scraping): Generator<string> {
  let slice = "";
  for (const text of new Page(store, scraping).pieces()) {
    slice += text;
    if (slice.length < sliceLength && text !== pause) continue;
    yield slice;
    slice = "";
  }
  if (slice) yield slice;
}

/** A piece with nothing in it: others get a turn. */
const pause = "";

/** The names of a family's samples, each with what stands around labels. */
interface Lines {
  readonly family: ShownFamily["family"];
  readonly plain: Sample;
  readonly bucket: Sample;
  readonly sum: Sample;
  readonly count: Sample;
  /** Undefined where it is not to be written. */
  readonly created: Sample | undefined;
}

interface Sample {
  readonly bare: string;
  readonly open: string;
}

const sampleOf = (name: string): Sample =>
  isLegacyName(name)
    ? { bare: `${name} `, open: `${name}{` }
    : { bare: `{${quoted(name)}} `, open: `{${quoted(name)},` };

class Page {
  readonly #store: Store;
  readonly #sinceMs: number;
  readonly #isOpen: boolean;
  readonly #hasCreated: boolean;
  readonly #names: NamesShown;
  #lastStart = 0;
  #lastStartText = "";
  /** Undefined where labels are written as they are kept. */
  readonly #escape: ((labels: string) => string) | undefined;

  constructor(store: Store, { sinceMs, format = plainText, hasCreated = true }: Scraping) {
    const { escaping } = format;
    this.#store = store;
    this.#sinceMs = sinceMs;
    this.#isOpen = format.kind === "openmetrics";
    this.#hasCreated = this.#isOpen && hasCreated;
    this.#names = new NamesShown(store, escaping);
    const isAsKept = !store.naming.isUtf8 || escaping === "allow-utf-8";
    this.#escape = isAsKept ? undefined : (labels) => escapeLabels(labels, escaping);
  }

  /**
   * Between two slices points are folded and series made and removed. Families are therefore listed at
   * the beginning, and the series of each when its turn comes, so that none can be written twice.
   */
  *pieces(): Generator<string> {
    for (const _ of this.#names.list()) yield pause;
    yield* this.#targets();
    for (const shown of this.#names.families) yield* this.#family(shown);
    if (this.#isOpen) yield "# EOF\n";
  }

  *#targets(): Generator<string> {
    const infos = targetInfos(this.#store);
    if (infos.length === 0) return;
    const isInfo = this.#isOpen && this.#names.isFree("target");
    yield isInfo
      ? "# HELP target Target metadata\n# TYPE target info\n"
      : "# HELP target_info Target metadata\n# TYPE target_info gauge\n";
    for (const info of infos) yield `target_info{${this.#escape?.(info) ?? info}} 1\n`;
  }

  *#family(shown: ShownFamily): Generator<string> {
    let { head, lines } = this.#begin(shown);
    const written = this.#escape ? new Set<string>() : undefined;
    const streams = [...shown.family.streams];
    for (const stream of streams) {
      const before = stream.scope.labels;
      const listed = [...stream.series.values()];
      for (const series of listed) {
        if (series.seenMs < this.#sinceMs) continue;
        let labels = before + series.labels;
        if (this.#escape) {
          labels = this.#escape(labels);
          if (written!.has(labels)) continue;
          written!.add(labels);
        }
        yield head + this.#series(lines, labels, series);
        head = "";
      }
    }
  }

  #begin({ family, name }: ShownFamily): { head: string; lines: Lines } {
    const { type, unit } = family;
    const base = type === "counter" ? name.replace(/_total$/, "") : name;
    // OpenMetrics has counters by names without _total, where that leaves a name to have.
    const isNamed = base !== name && base !== "" && this.#names.isFree(base);
    const isUnknown = this.#isOpen && type === "counter" && !isNamed;
    const told = this.#isOpen && isNamed ? base : name;
    const shownName = isLegacyName(told) ? told : quoted(told);
    const isEscaped = this.#isOpen ? escapeOpenHelp : escapeHelp;
    const help = family.help ? `# HELP ${shownName} ${isEscaped(family.help)}\n` : "";
    const unitLine =
      this.#isOpen && unit && told.endsWith(`_${unit}`) ? `# UNIT ${shownName} ${unit}\n` : "";
    const created = `${base}_created`;
    const hasCreated =
      this.#hasCreated && type !== "gauge" && !isUnknown && this.#names.isFree(created);
    return {
      head: `${help}# TYPE ${shownName} ${isUnknown ? "unknown" : type}\n${unitLine}`,
      lines: {
        family,
        plain: sampleOf(name),
        bucket: sampleOf(`${name}_bucket`),
        sum: sampleOf(`${name}_sum`),
        count: sampleOf(`${name}_count`),
        created: hasCreated ? sampleOf(created) : undefined,
      },
    };
  }

  #series(lines: Lines, labels: string, series: Series): string {
    if (series instanceof NumberSeries) {
      const { exemplar } = series;
      const isPlain = !exemplar || !this.#isOpen || lines.family.type !== "counter";
      const text = line(lines.plain, labels, series.value, isPlain ? "" : this.#tail(exemplar));
      return lines.created ? text + this.#beginning(lines.created, labels, series) : text;
    }
    const text =
      lines.family.type === "summary"
        ? this.#summary(lines, labels, series)
        : this.#buckets(lines, labels, series);
    return lines.created ? text + this.#beginning(lines.created, labels, series) : text;
  }

  #summary(lines: Lines, labels: string, series: Distribution): string {
    const lead = labels && `${labels},`;
    const { bounds, labels: names } = series.buckets;
    let text = "";
    for (let at = 0; at < series.counts.length; at++) {
      const isOdd = !(bounds[at]! >= 0 && bounds[at]! <= 1) || series.counts[at]! < 0;
      if (this.#isOpen && isOdd) continue; // not a quantile to OpenMetrics
      text += line(lines.plain, lead + names[at]!, series.counts[at]!);
    }
    return text + this.#totals(lines, labels, series);
  }

  /** Each bucket with all below it, as Prometheus wants them. */
  #buckets(lines: Lines, labels: string, series: Distribution): string {
    const lead = labels && `${labels},`;
    const names = series.buckets.labels;
    const exemplars = this.#isOpen ? series.exemplars : undefined;
    let text = "";
    let total = 0;
    for (let at = 0; at < names.length; at++) {
      total += series.counts[at]!;
      text += line(lines.bucket, lead + names[at]!, total, this.#tail(exemplars?.[at]));
    }
    const tail = this.#tail(exemplars?.[names.length]);
    text += line(lines.bucket, `${lead}le="+Inf"`, series.count, tail);
    return text + this.#totals(lines, labels, series);
  }

  #totals(lines: Lines, labels: string, { sum, count, buckets }: Distribution): string {
    const isKnown = !Number.isNaN(sum);
    if (this.#isOpen && lines.family.type === "histogram") {
      // Neither without the other, and none where it may fall.
      if (!isKnown || sum < 0 || (buckets.bounds[0] ?? 0) < 0) return "";
    }
    if (this.#isOpen && sum < 0) return line(lines.count, labels, count);
    const sumLine = isKnown ? line(lines.sum, labels, sum) : "";
    return sumLine + line(lines.count, labels, count);
  }

  /** The text is kept, since those of one sender have mostly begun at one time. */
  #beginning({ bare, open }: Sample, labels: string, { start }: Series): string {
    if (start <= 0) return "";
    if (start !== this.#lastStart) {
      this.#lastStart = start;
      this.#lastStartText = String(start / 1e9);
    }
    const text = this.#lastStartText;
    return labels ? `${open}${labels}} ${text}\n` : `${bare}${text}\n`;
  }

  #tail(exemplar: Exemplar | undefined): string {
    if (!exemplar) return "";
    const { labels, value, time } = exemplar;
    const seconds = time > 0 ? ` ${secondsText(time)}` : "";
    return ` # {${this.#escape?.(labels) ?? labels}} ${numberText(value)}${seconds}`;
  }
}

function line({ bare, open }: Sample, labels: string, value: number, tail = ""): string {
  const text = Number.isFinite(value) ? value : numberText(value);
  return labels ? `${open}${labels}} ${text}${tail}\n` : `${bare}${text}${tail}\n`;
}

/** To the millisecond, which is what Prometheus keeps of it. */
const secondsText = (nanoseconds: number): string => String(Math.round(nanoseconds / 1e6) / 1e3);

const escapeHelp = (help: string): string => help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeOpenHelp = (help: string): string => escapeHelp(help).replaceAll('"', '\\"');
