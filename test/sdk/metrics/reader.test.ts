import { expect, test } from "vitest";
import { exponentialPoint, histogramPoint } from "../../../sdk/metrics/kinds.ts";
import { cumulativeForm, laterThan, Reader } from "../../../sdk/metrics/reader.ts";
import { Series } from "../../../sdk/metrics/series.ts";

const instrument = { name: "duration", description: "", unit: "s" };

test("growth that is collected at once is told for later and later moments, none of them left out", () => {
  const reader = new Reader({ ...cumulativeForm, histograms: "delta", counters: "delta" });
  const series = new Series({});
  const points = Array.from({ length: 50 }, () => {
    series.add(1);
    const [metric] = reader.collect(() => reader.histogram(instrument, [series]));
    return metric!.dataPoints[0]!;
  });
  const nanos = ([seconds, rest]: readonly [number, number]): bigint =>
    BigInt(seconds) * 1_000_000_000n + BigInt(rest);
  for (const [index, { startTime, endTime }] of points.entries()) {
    expect(nanos(endTime) > nanos(startTime)).toBe(true);
    if (index > 0) expect(startTime).toEqual(points[index - 1]!.endTime);
  }
});

test("a clock that is set back by less than a second is not followed, by more it is", () => {
  expect(laterThan(0, 5000)).toBe(5000);
  expect(laterThan(5000, 5001)).toBe(5001);
  expect(laterThan(5000, 5000)).toBe(5000.001);
  expect(laterThan(5000, 4001)).toBe(5000.001);
  expect(laterThan(5000, 4000)).toBe(4000);
});

test("growth that is kept in both kinds of buckets is told in both, once", () => {
  const form = { ...cumulativeForm, histograms: "delta", counters: "delta" } as const;
  const reader = new Reader(form, true);
  const series = new Series({}, { bounds: undefined, maxSize: 160 });
  const counts = () =>
    reader
      .collect(() => reader.histogram(instrument, [series]))
      .map(({ dataPointType, dataPoints }) => [
        dataPointType,
        ...dataPoints.map(({ value }) => (value as { readonly count: number }).count),
      ]);
  series.add(1);
  series.add(2);
  expect(counts()).toEqual([
    [histogramPoint, 2],
    [exponentialPoint, 2],
  ]);
  expect(counts()).toEqual([]);
  series.add(3);
  expect(counts()).toEqual([
    [histogramPoint, 1],
    [exponentialPoint, 1],
  ]);
});
