// Exponential histograms, which the text format can only show as ordinary ones.

import { describe, expect, it } from "vitest";
import { Bench, cumulative, delta, request, timed } from "../../support/prometheus-metrics.ts";

const delivered = { kind: "delivered" };

describe("exponential histograms", () => {
  const values = [-3.3, -0.4, 0, 0, 0.0011, 0.13, 0.14, 1.9, 2.1, 55, 56, 57, 1234.5];

  it.each([-3, 0, 1, 2, 3, 8, 9])(
    "of scale %d have the right count at each bound",
    async (scale) => {
      const bench = new Bench();
      expect(await bench.deliver(request([exponential(values, scale)]))).toEqual(delivered);
      expect(check(bench, values)).toBeGreaterThan(4);
    },
  );

  it("have the same buckets whatever the fine scale is, few of them", async () => {
    const keys = new Set<string>();
    for (const scale of [2, 5, 9]) {
      const bench = new Bench();
      await bench.deliver(request([exponential(values, scale)]));
      keys.add(Object.keys(bench.samples()).join());
      expect(check(bench, values)).toBeLessThan(110);
    }
    expect(keys.size).toBe(1);
  });

  it("add up where they are differences, wherever their buckets lie", async () => {
    const bench = new Bench();
    await bench.deliver(request([exponential([1.5, 3], 8, delta, 10)]));
    await bench.deliver(request([exponential([-2.5, 100, 3.1], 3, delta, 20)]));
    check(bench, [1.5, 3, -2.5, 100, 3.1]);
  });

  it.each([
    ["a scale that no sender has", { scale: 21 }],
    ["a count that its buckets do not add up to", { count: "4" }],
  ])("with %s are left out and counted", async (_what, wrong) => {
    const bench = new Bench();
    const metric = exponential([1, 2, 3], 3);
    Object.assign(metric.exponentialHistogram.dataPoints[0]!, wrong);
    expect(await bench.deliver(request([metric]))).toMatchObject({ kind: "rejected", items: 1 });
    expect(bench.text()).toBe("");
  });

  it("keep to the numbers that there are at the ends of their range", async () => {
    const bench = new Bench();
    const point = {
      ...timed(),
      count: "8",
      scale: 0,
      positive: { offset: 1021, bucketCounts: ["1", "1", "1"] },
      negative: { offset: 1021, bucketCounts: ["1", "1", "1"] },
      zeroCount: "2",
    };
    const exponentialHistogram = { aggregationTemporality: cumulative, dataPoints: [point] };
    await bench.deliver(request([{ name: "e", exponentialHistogram }]));
    expect(bench.samples()["e_count"]).toBe(8);
  });
});

/** What an SDK would count of the values at this scale. */
function exponential(
  values: readonly number[],
  scale: number,
  temporality = cumulative,
  time = 10,
) {
  const indexOf = (value: number): number => Math.ceil(Math.log2(Math.abs(value)) * 2 ** scale) - 1;
  const run = (some: readonly number[]) => {
    if (some.length === 0) return {};
    const offset = Math.min(...some.map(indexOf));
    const counts = Array<number>(Math.max(...some.map(indexOf)) - offset + 1).fill(0);
    for (const value of some) counts[indexOf(value) - offset]! += 1;
    return { offset, bucketCounts: counts.map(String) };
  };
  const point = {
    ...timed({ time }),
    count: String(values.length),
    sum: values.reduce((all, value) => all + value, 0),
    scale,
    zeroCount: String(values.filter((value) => value === 0).length),
    positive: run(values.filter((value) => value > 0)),
    negative: run(values.filter((value) => value < 0)),
  };
  return {
    name: "e",
    exponentialHistogram: { aggregationTemporality: temporality, dataPoints: [point] },
  };
}

/** That each bucket says how many of the values are at most its bound; bounds lie beside the values. */
function check(bench: Bench, values: readonly number[]): number {
  let buckets = 0;
  for (const [key, count] of Object.entries(bench.samples())) {
    const [, le] = /le="(.*)"/.exec(key) ?? [];
    if (le === undefined) continue;
    buckets++;
    const bound = Number(le.replace("Inf", "Infinity"));
    expect(count, key).toBe(values.filter((value) => value <= bound).length);
  }
  expect(bench.samples()["e_count"]).toBe(values.length);
  return buckets;
}
