// Whatever comes in, what is scraped is sound: every line can be read, no series is there twice, the
// buckets of histograms rise, and Prometheus's own checker has nothing to object to.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasNoPromtool, promtoolProblem } from "../../support/metrics-checkers.ts";
import { attributes, type Metric, type Request } from "../../support/otlp.ts";
import { anyMessage, fuzz } from "../../support/otlp-arbitrary.ts";
import { at, Bench } from "../../support/prometheus-metrics.ts";

const anything = anyMessage("ExportMetricsServiceRequest") as fc.Arbitrary<Request>;

/** Few names, labels, values and times, so that everything meets everything. */
const text = fc.constantFrom(
  "a",
  "a.b",
  "a_b",
  "a.count",
  "b",
  "a.total",
  "",
  "1",
  '\n"\\}',
  "é\0",
);
const count = fc.nat({ max: 3 });
const counts = (length: number) =>
  fc.array(count.map(String), { minLength: length, maxLength: length });

const common = {
  startTimeUnixNano: count.map(at),
  timeUnixNano: fc.nat({ max: 5 }).map(at),
  attributes: fc.dictionary(text, text, { maxKeys: 3 }).map(attributes),
  flags: fc.constantFrom(0, 0, 0, 1),
};
const value = fc.constantFrom(0, 1, 2.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300);
const pointsOf = <Point>(point: fc.Arbitrary<Point>) => fc.array(point, { maxLength: 3 });

const numbers = pointsOf(fc.record({ ...common, asDouble: value }));
const histograms = pointsOf(
  fc
    .constantFrom<number[][]>([], [1], [0.5, 1], [1, Number.POSITIVE_INFINITY])
    .chain((explicitBounds) =>
      fc
        .record({ ...common, bucketCounts: counts(explicitBounds.length + 1), sum: value })
        .map((point) => ({ ...point, explicitBounds, count: totalOf(point.bucketCounts) })),
    ),
);
const exponentials = pointsOf(
  fc
    .record({
      ...common,
      scale: fc.integer({ min: -2, max: 5 }),
      zeroCount: count.map(String),
      zeroThreshold: value,
      positive: fc.record({ offset: fc.integer({ min: -9, max: 9 }), bucketCounts: counts(3) }),
      negative: fc.record({ offset: fc.integer({ min: -9, max: 9 }), bucketCounts: counts(2) }),
    })
    .map((point) => ({
      ...point,
      count: totalOf([
        point.zeroCount,
        ...point.positive.bucketCounts,
        ...point.negative.bucketCounts,
      ]),
    })),
);
const quantileValues = fc.array(fc.record({ quantile: value, value }), { maxLength: 3 });
const summaries = pointsOf(
  fc.record({ ...common, count: count.map(String), sum: value, quantileValues }),
);

const aggregationTemporality = fc.constantFrom(1, 2);
const data: fc.Arbitrary<Metric> = fc.oneof(
  fc.record({ gauge: fc.record({ dataPoints: numbers }) }),
  fc.record({
    sum: fc.record({ dataPoints: numbers, aggregationTemporality, isMonotonic: fc.boolean() }),
  }),
  fc.record({ histogram: fc.record({ dataPoints: histograms, aggregationTemporality }) }),
  fc.record({
    exponentialHistogram: fc.record({ dataPoints: exponentials, aggregationTemporality }),
  }),
  fc.record({ summary: fc.record({ dataPoints: summaries }) }),
);
const head = fc.record({
  name: text,
  unit: fc.constantFrom("", "s", "1", "{x}"),
  description: text,
});
const metric = fc.tuple(head, data).map(([head, data]): Metric => ({ ...head, ...data }));

const named = (key: string) => text.map((value) => attributes({ [key]: value }));
const meetings: fc.Arbitrary<Request> = fc.record({
  resourceMetrics: fc.array(
    fc.record({
      resource: fc.record({ attributes: named("service.instance.id") }),
      scopeMetrics: fc.array(
        fc.record({
          scope: fc.record({ name: text, attributes: named("name") }),
          metrics: fc.array(metric, { maxLength: 4 }),
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
});

/** One after the other, with time passing and sweeps between them. */
async function play(requests: readonly Request[]): Promise<Bench> {
  const bench = new Bench({ max_series: 200 });
  for (const request of requests) {
    const outcome = await bench.deliver(request);
    if (outcome.kind === "rejected") expect(outcome.items).toBeLessThanOrEqual(pointsIn(request));
    else expect(outcome.kind).toBe("delivered");
    bench.scrape();
    expect(bench.metrics.budget.series).toBeLessThanOrEqual(200);
    bench.nowMs += 100_000;
    await bench.metrics.sweep();
  }
  return bench;
}

describe("a scrape", () => {
  it("is sound after any requests", async () => {
    const some = fc.array(anything, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(some, async (requests) => {
        await play(requests);
      }),
      fuzz(300),
    );
  });

  it("is sound when names, labels, types and senders meet, and nothing stays behind", async () => {
    const some = fc.array(meetings, { minLength: 1, maxLength: 6 });
    let shown = 0;
    await fc.assert(
      fc.asyncProperty(some, async (requests) => {
        const bench = await play(requests);
        shown += bench.scrape().samples.size;
        bench.nowMs += 300_001;
        await bench.metrics.sweep();
        expect(bench.metrics.budget).toMatchObject({ series: 0, bytes: 0 });
        expect(bench.text()).toBe("");
      }),
      fuzz(500),
    );
    expect(shown).toBeGreaterThan(1000);
  });

  it.skipIf(hasNoPromtool())("is what promtool can read", async () => {
    const some = fc.array(meetings, { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(some, async (requests) => {
        expect(promtoolProblem((await play(requests)).text())).toBeUndefined();
      }),
      { ...fuzz(20), numRuns: 20 },
    );
  });
});

function totalOf(counts: readonly string[]): string {
  return String(counts.reduce((total, count) => total + Number(count), 0));
}

function pointsIn(request: Request): number {
  let points = 0;
  JSON.stringify(request, (key, value: unknown) => {
    if (key === "dataPoints" && Array.isArray(value)) points += value.length;
    return value;
  });
  return points;
}
