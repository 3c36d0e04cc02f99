import { expect, test } from "vitest";
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
