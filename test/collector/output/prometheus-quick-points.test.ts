// Points that are read many at once, held against those that are read one by one.

import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { Metric } from "../../../collector/output/prometheus/metric.ts";
import { QuickPoints } from "../../../collector/output/prometheus/quick-points.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { fuzz } from "../../support/otlp-arbitrary.ts";
import {
  attributes,
  encodeRequest,
  type Exemplar,
  type HistogramDataPoint,
  type Metric as MetricShape,
  type NumberDataPoint,
  type Request,
} from "../../support/otlp.ts";
import { metricsIn, PointReading } from "../../support/point-reading.ts";
import { at, Bench } from "../../support/prometheus-metrics.ts";

const bounds = [0.5, 1, 2.5];

const requestOf = (metric: MetricShape): Request => ({
  resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", ...metric }] }] }],
});
const sums = (points: NumberDataPoint[]): Request =>
  requestOf({ sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: points } });
const gauges = (points: NumberDataPoint[]): Request => requestOf({ gauge: { dataPoints: points } });
const histograms = (points: HistogramDataPoint[]): Request =>
  requestOf({ histogram: { aggregationTemporality: 1, dataPoints: points } });

const times = { startTimeUnixNano: at(1), timeUnixNano: at(2) };
/** One has none. */
const named = (name: string, times = 1): Required<Pick<NumberDataPoint, "attributes">> => {
  const one = name === "none" ? [] : attributes({ name, more: 1 });
  return { attributes: Array.from({ length: times }, () => one).flat() };
};
const names = ["none", "", "a", "b".repeat(12), "c".repeat(13), "d".repeat(200)];
const usualSums = names.map((name) => ({ ...times, ...named(name), asInt: "7" }));
const usualHistograms = names.map((name) => ({
  ...times,
  ...named(name),
  count: "6",
  sum: 4.5,
  min: 0.1,
  max: 3,
  bucketCounts: ["1", "2", "3", "0"],
  explicitBounds: bounds,
}));

/** By a stream that knows the order of the first metric. */
class Reading {
  readonly #points: PointReading;

  constructor(usual: Request) {
    this.#points = new PointReading(metricIn(encodeRequest("metrics", usual)));
  }

  read(bytes: Uint8Array): unknown[] {
    return this.#points.read(metricIn(bytes));
  }

  readOneByOne(bytes: Uint8Array): unknown[] {
    return this.#points.readOneByOne(metricIn(bytes));
  }
}

const metricIn = (bytes: Uint8Array): Metric => metricsIn(bytes)[0]!;

/** How many points are read many at once. */
function quickly(work: () => void): number {
  const calls = vi.spyOn(QuickPoints.prototype, "take");
  work();
  const { length } = calls.mock.calls;
  calls.mockRestore();
  return length;
}

const kinds = [
  { kind: "sums", usual: sums(usualSums), make: sums },
  { kind: "gauges", usual: gauges(usualSums), make: gauges },
  { kind: "histograms", usual: histograms(usualHistograms), make: histograms },
] as const;

describe("in the order that is known", () => {
  test.each(kinds)("$kind are read at once", ({ usual }) => {
    const reading = new Reading(usual);
    const bytes = encodeRequest("metrics", usual);
    expect(quickly(() => void reading.read(bytes))).toBe(names.length);
    expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
  });

  test("all but one that has an exemplar", () => {
    const reading = new Reading(sums(usualSums));
    const withExemplar = { ...usualSums[2]!, exemplars: [{ asInt: "1", timeUnixNano: at(1) }] };
    const bytes = encodeRequest("metrics", sums(usualSums.with(2, withExemplar)));
    expect(quickly(() => void reading.read(bytes))).toBe(names.length - 1);
    expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
  });

  test("more than fit into the memory for it", () => {
    const points = Array.from({ length: 3000 }, (_, index) => ({
      ...usualHistograms[0]!,
      ...named(`${index}${"x".repeat(300)}`),
    }));
    const reading = new Reading(histograms(points));
    const bytes = encodeRequest("metrics", histograms(points));
    expect(quickly(() => void reading.read(bytes))).toBeGreaterThan(2900);
    expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
  });
});

test("attributes that are longer than the memory for them harm nobody", () => {
  const empty = { key: "x".repeat(250_000), value: { stringValue: "" } };
  const usual = usualSums.with(1, { ...usualSums[1]!, attributes: [empty] });
  const reading = new Reading(sums(usual));
  const bytes = encodeRequest("metrics", sums(usual));
  expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
  expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
  expect(quickly(() => void reading.read(bytes))).toBe(0);
});

describe("nothing is read as something else", () => {
  test.each(kinds)("of $kind, whatever byte there is", ({ usual }) => {
    const reading = new Reading(usual);
    const bytes = Buffer.from(encodeRequest("metrics", usual));
    const [longest] = names.toSorted((one, other) => other.length - one.length);
    const inLongest = bytes.indexOf(longest!) + 20;
    for (let place = 0; place < bytes.length; place++) {
      if (place === inLongest) place += longest!.length - 40; // all alike
      const before = bytes[place]!;
      for (const value of [0, 1, 8, before ^ 0x80, before ^ 3, before + 1, 0x3a, 0x4a, 0xff]) {
        bytes[place] = value;
        const checked = validate("metrics", bytes);
        if (checked.kind !== "valid" || checked.batch.items !== names.length) continue;
        const given = checked.batch.bytes;
        try {
          expect(reading.read(given)).toEqual(reading.readOneByOne(given));
        } catch (error) {
          throw new Error(`${value} at ${place}`, { cause: error });
        }
      }
      bytes[place] = before;
    }
  });

  const number = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    fc.constantFrom("0", "1", "9007199254740993", "18446744073709551615"),
  );
  const common = {
    startTimeUnixNano: number,
    timeUnixNano: number,
    flags: fc.constantFrom(0, 0, 0, 1, 2),
    exemplars: fc.constantFrom<Exemplar[][]>([], [], [], [{ asInt: "1", timeUnixNano: at(1) }]),
  };
  const value = fc.oneof(
    fc.double().map((asDouble) => ({ asDouble })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((one) => ({ asInt: String(one) })),
    fc.constant({}),
  );
  const order = fc.array(fc.constantFrom(...names), { maxLength: 12 });
  const times = fc.constantFrom(1, 1, 1, 1, 0, 2);

  test("of any numbers, in any order", () => {
    const reading = new Reading(sums(usualSums));
    const point = fc.record({ times, common: fc.record(common), value });
    fc.assert(
      fc.property(order, fc.array(point, { minLength: 12, maxLength: 12 }), (found, points) => {
        const given = found.map((name, index) => {
          const one = points[index]!;
          return { ...named(name, one.times), ...one.common, ...one.value };
        });
        const bytes = encodeRequest("metrics", sums(given));
        expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
      }),
      fuzz(2000),
    );
  });

  test("of any histograms, in any order", () => {
    const reading = new Reading(histograms(usualHistograms));
    const point = fc.record({
      times,
      common: fc.record(common),
      bucketCounts: fc.oneof(
        fc.constant<string[]>(["1", "0", "0", "5"]),
        fc.array(number, { minLength: 4, maxLength: 4 }),
        fc.array(number, { maxLength: 5 }),
      ),
      explicitBounds: fc.constantFrom(bounds, bounds, bounds, [0.5, 1, 2], [], [0.5, 1]),
      sum: fc.option(fc.double(), { nil: undefined }),
    });
    fc.assert(
      fc.property(order, fc.array(point, { minLength: 12, maxLength: 12 }), (found, points) => {
        const given = found.map((name, index) => {
          const { times, common, bucketCounts, explicitBounds, sum } = points[index]!;
          const count = bucketCounts.reduce((total, one) => total + BigInt(one), 0n);
          const more = { bucketCounts, explicitBounds, ...(sum === undefined ? {} : { sum }) };
          return { ...named(name, times), ...common, ...more, count: String(count % 2n ** 64n) };
        });
        const bytes = encodeRequest("metrics", histograms(given));
        expect(reading.read(bytes)).toEqual(reading.readOneByOne(bytes));
      }),
      fuzz(2000),
    );
  });
});

describe("when the order changes", () => {
  /** Few orders, so that each comes again: of series that begin, end, and stand in several requests. */
  const orders = [
    ["a", "b", "c", "d", "e", "f"],
    ["a", "b", "x", "c", "d", "e", "f"],
    ["f", "e", "d", "c", "b", "a"],
    ["g", "h", "i", "j"],
    ["a", "b", "c", "d", "g", "h", "i", "j"],
    ["b", "c", "d", "e", "f"],
  ];
  const round = fc.record({
    order: fc.constantFrom(...orders),
    ended: fc.constantFrom("", "", "", "", "a", "d", "i"),
    isSilent: fc.constantFrom(false, false, false, false, true),
  });

  test("each series has the value that was sent for it last", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 40 }), async (rounds) => {
        const bench = new Bench({ metric_expiration: "1m" });
        const shown = new Map<string, number>();
        for (const [index, { order, ended, isSilent }] of rounds.entries()) {
          bench.nowMs += isSilent ? 61_000 : 1000;
          if (isSilent) shown.clear();
          if (isSilent && index % 2 === 0) await bench.metrics.sweep();
          const points = order.map((name, place) => ({
            attributes: attributes({ name }),
            timeUnixNano: at(index + 1),
            ...(name === ended ? { flags: 1 } : { asInt: String(index * 100 + place) }),
          }));
          await bench.deliver(gauges(points));
          order.forEach((name, place) => {
            if (name === ended) shown.delete(name);
            else shown.set(name, index * 100 + place);
          });
          const expected = [...shown].map(([name, value]) => [`m{name="${name}"}`, value]);
          expect(bench.samples()).toEqual(Object.fromEntries(expected));
        }
      }),
      fuzz(150),
    );
  });
});
