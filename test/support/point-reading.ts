// The points of a metric as the Prometheus output reads them in an order that it knows, and one by one: both
// must find the same.

import { Labels } from "../../collector/output/prometheus/labels.ts";
import { Metric } from "../../collector/output/prometheus/metric.ts";
import { naming } from "../../collector/output/prometheus/names.ts";
import { Point } from "../../collector/output/prometheus/point.ts";
import { PointReader } from "../../collector/output/prometheus/point-reader.ts";
import { QuickPoints } from "../../collector/output/prometheus/quick-points.ts";
import {
  Budget,
  Distribution,
  NumberSeries,
  type Series,
  type Stream,
} from "../../collector/output/prometheus/series.ts";
import { isProblem, Store } from "../../collector/output/prometheus/store.ts";
import { Leaves } from "../../collector/wire/leaves.ts";

/** Of a request that validate() has accepted. */
export function metricsIn(bytes: Uint8Array): Metric[] {
  const buffer = Buffer.from(bytes);
  const leaves = new Leaves({ bytes: buffer });
  const found: Metric[] = [];
  while (leaves.next()) {
    const metric = new Metric(buffer);
    metric.read(leaves);
    found.push(metric);
  }
  return found;
}

/** A stream whose order is known, and what reads it. */
export class PointReading {
  readonly #quick: QuickPoints;
  readonly #store: Store;
  readonly #stream: Stream;

  constructor(usual: Metric, quick = new QuickPoints()) {
    this.#quick = quick;
    const given = { naming: naming("UnderscoreEscapingWithSuffixes") };
    const labels = new Labels({ ...given, promoted: [], hasScope: true });
    this.#store = new Store({ budget: new Budget(1e6, 1e9), labels, ...given });
    const target = this.#store.makeTarget({ identity: "", labels: "", info: "" })!;
    const scope = this.#store.makeScope(target, "")!;
    const head = { ...usual.head(), name: "m", unit: "" };
    const stream = this.#store.stream(scope, "m", () => head);
    if (isProblem(stream)) throw new Error(stream.detail);
    this.#stream = stream;
    this.#learn(usual);
    this.read(usual);
  }

  /** Every other series is heard of later than the one before. */
  #learn(metric: Metric): void {
    const { series: known, family } = this.#stream;
    const point = new Point(metric.bytes);
    toStart(metric);
    while (metric.nextPoint()) {
      const wrong = point.read(metric.dataField, metric.points.start, metric.points.end);
      if (wrong !== undefined || known.known(point.attributes)) continue;
      const labels = String(known.size);
      const isHistogram = family.type === "histogram";
      const series = isHistogram ? new Distribution(labels) : new NumberSeries(labels);
      series.seenMs = 1 + (known.size % 2);
      known.add(labels, series);
      known.remember(point.attributes, series);
      const bounds = [...point.bounds];
      if (isHistogram) this.#stream.buckets ??= { bounds, labels: bounds.map(String) };
    }
  }

  /** All points, as they are read in order. */
  read(metric: Metric, sinceMs = 0): unknown[] {
    const reader = new PointReader(metric.bytes, metric, this.#quick, this.#store.texts);
    const found: unknown[] = [];
    toStart(metric);
    reader.over(this.#stream, sinceMs);
    while (reader.next()) found.push(shown(reader.point, reader, reader));
    return found;
  }

  readOneByOne(metric: Metric): unknown[] {
    const point = new Point(metric.bytes);
    const found: unknown[] = [];
    toStart(metric);
    while (metric.nextPoint()) {
      const wrong = point.read(metric.dataField, metric.points.start, metric.points.end);
      const { series } = this.#stream;
      const known = wrong === undefined ? series.known(point.attributes) : undefined;
      found.push(shown(point, metric.points, { wrong, known }));
    }
    return found;
  }
}

const toStart = (metric: Metric): void => metric.skipTo(metric.data.start);

/** Of one with something wrong nothing else counts. */
function shown(
  point: Point,
  { start, end }: { readonly start: number; readonly end: number },
  { wrong, known }: { readonly wrong: string | undefined; readonly known: Series | undefined },
): unknown {
  if (wrong !== undefined) return { start, end, wrong };
  const series = known?.labels;
  if (point.isAbsent) return { start, end, series, isAbsent: true };
  const { time, value, sum, count, exemplars, exponential } = point;
  const buckets = known instanceof Distribution ? [[...point.bounds], [...point.counts]] : [];
  const numbers = { began: point.start, time, value, sum, count, exemplars: [...exemplars] };
  return { start, end, series, ...numbers, exponential, buckets };
}
