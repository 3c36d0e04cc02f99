// The points of metrics: those that come in an order that is known are read as one by one, with the same
// series, whatever else comes.

import { deepStrictEqual } from "node:assert";
import type { Metric } from "../../../collector/output/prometheus/metric.ts";
import { QuickPoints } from "../../../collector/output/prometheus/quick-points.ts";
import { validate } from "../../../collector/wire/validate.ts";
import {
  attributes,
  encodeRequest,
  type HistogramDataPoint,
  type Metric as MetricShape,
  type NumberDataPoint,
} from "../../support/otlp.ts";
import { metricsIn, PointReading } from "../../support/point-reading.ts";
import { Random } from "../random.ts";
import { protobufSeeds } from "../seeds.ts";
import type { Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "points",
    covers: ["point", "point-reader", "quick-points", "runs"].map(
      (name) => `collector/output/prometheus/${name}.ts`,
    ),
    shape: "protobuf",
    seeds: (random) => [...seeds(random), ...protobufSeeds("metrics", random)],
    run: compare,
  },
];

/** One for all, as in a collector: what it held before must not matter. */
const quick = new QuickPoints();

/** In the order of what is usual, and in that of each kind's first metric itself. */
function compare(input: Uint8Array): boolean {
  const result = validate("metrics", input);
  if (result.kind === "invalid") return false;
  const metrics = metricsIn(result.batch.bytes);
  for (const usual of usualOnes) {
    const alike = metrics.filter(({ dataField }) => dataField === usual.dataField);
    if (alike.length === 0) continue;
    compareBy(usual, alike);
    compareBy(alike[0]!, alike);
  }
  return true;
}

function compareBy(usual: Metric, metrics: readonly Metric[]): void {
  const reading = new PointReading(usual, quick);
  for (const metric of metrics) {
    const expected = reading.readOneByOne(metric);
    deepStrictEqual(reading.read(metric), expected);
    // Half of the series have not been heard of for too long.
    deepStrictEqual(reading.read(metric, 2), expected);
  }
}

/** In the usual order, most with some points missing, and some in another. */
function seeds(random: Random): Uint8Array[] {
  return Array.from({ length: 36 }, (_, index) => {
    const some = names.filter(() => index % 4 === 0 || !random.once(4));
    const order = random.once(8) ? some.toReversed() : some;
    return requestOf(makers[index % makers.length]!(order, random));
  });
}

const requestOf = (data: Data): Uint8Array =>
  encodeRequest("metrics", {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", ...data }] }] }],
  });

const names = Array.from({ length: 7 }, (_, at) => `${at}`.repeat(at * at));

type Data = Omit<MetricShape, "name">;

const sumOf = (names: readonly string[], random: Random): Data => ({
  sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: numbers(names, random) },
});

const gaugeOf = (names: readonly string[], random: Random): Data => ({
  gauge: { dataPoints: numbers(names, random) },
});

const histogramOf = (names: readonly string[], random: Random): Data => ({
  histogram: { aggregationTemporality: 1, dataPoints: histograms(names, random) },
});

const times = { startTimeUnixNano: "1790000000000000000", timeUnixNano: "1790000010000000000" };

function numbers(names: readonly string[], random: Random): NumberDataPoint[] {
  return names.map((name) => {
    const value = random.once(2) ? { asInt: String(random.below(1000)) } : { asDouble: 0.5 };
    return { ...times, attributes: attributes({ name, more: 1 }), ...value, ...flagsOf(random) };
  });
}

const bounds = [0.5, 1, 2.5];
/** What the buckets of one point hold: a change must not need luck to leave them the same sum. */
const countsOfOne = [[0n], [0n, 1n, 7n], [1n, 2n ** 52n, 2n ** 53n - 1n, 2n ** 53n + 1n]];

function histograms(names: readonly string[], random: Random): HistogramDataPoint[] {
  return names.map((name) => {
    const few = random.of(countsOfOne);
    const counts = [...bounds, Infinity].map(() => random.of(few));
    return {
      ...times,
      attributes: attributes({ name }),
      count: String(counts.reduce((sum, count) => sum + count, 0n)),
      sum: 4.5,
      bucketCounts: counts.map(String),
      explicitBounds: bounds,
      ...(random.once(2) ? { min: 0.1, max: 3 } : {}),
      ...flagsOf(random),
    };
  });
}

const flagsOf = (random: Random): { flags?: number } =>
  random.once(4) ? { flags: random.below(2) } : {};

const makers = [sumOf, gaugeOf, histogramOf];

const usualOnes = makers.flatMap((make) => metricsIn(requestOf(make(names, new Random(1)))));
