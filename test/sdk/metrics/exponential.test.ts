import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Exponential, fitted } from "../../../sdk/metrics/exponential.ts";

const duration = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.double({ min: 1e-9, max: 1, noNaN: true }),
  fc.constantFrom(0, 1, 2, 0.5, Number.MIN_VALUE, Number.MAX_VALUE),
);

test("whatever is recorded, each value is counted once, in a bucket around it, of at most 160", () => {
  fc.assert(
    fc.property(fc.array(duration, { maxLength: 60 }), (values) => {
      const histogram = new Exponential();
      for (const value of values) histogram.record(value);
      const { scale, offset, counts, zeroCount } = histogram;
      expect(counts.length).toBeLessThanOrEqual(160);
      expect(counts.reduce((sum, count) => sum + count, zeroCount)).toBe(values.length);
      const places = values.filter((value) => value > 0).map((value) => Math.log2(value));
      for (const [at, count] of counts.entries()) {
        const [low, high] = [(offset + at) / 2 ** scale, (offset + at + 1) / 2 ** scale];
        // The logarithm is a double too, so that a value on a bound may be on either side of it.
        const inside = places.filter((place) => place > low - 1e-9 && place <= high + 1e-9);
        expect(inside.length).toBeGreaterThanOrEqual(count);
      }
    }),
    { numRuns: 300 },
  );
});

test("what has come since is what is recorded in between, at any change of scale", () => {
  fc.assert(
    fc.property(fc.array(duration, { maxLength: 30 }), fc.array(duration), (before, after) => {
      const histogram = new Exponential();
      for (const value of before) histogram.record(value);
      const given = histogram.since(undefined);
      for (const value of after) histogram.record(value);
      const { counts, zeroCount } = histogram.since(given);
      expect(Math.min(0, ...counts)).toBe(0);
      expect(counts.reduce((sum, count) => sum + count, zeroCount)).toBe(after.length);
    }),
    { numRuns: 300 },
  );
});

test("fitted into limits it is what would have been counted under them", () => {
  const sizes = fc.integer({ min: 2, max: 200 });
  fc.assert(
    fc.property(fc.array(duration, { maxLength: 60 }), sizes, sizes, (values, one, other) => {
      const [maxSize, most] = [Math.min(one, other), Math.max(one, other)];
      const counted = (size: number) => {
        const histogram = new Exponential(size);
        for (const value of values) histogram.record(value);
        const { scale, zeroCount, offset, counts } = histogram;
        const negative = { offset: 0, bucketCounts: [] };
        const positive = { offset, bucketCounts: counts };
        return { scale, zeroCount, positive, negative, count: values.length };
      };
      const small = fitted(counted(most), { maxSize, maxScale: 20 });
      expect(small).toEqual(counted(maxSize));
      const coarse = fitted(small, { maxSize, maxScale: -10 });
      expect(coarse.scale).toBeLessThanOrEqual(-10);
      const sum = coarse.positive.bucketCounts.reduce((all, count) => all + count, 0);
      expect(sum + coarse.zeroCount).toBe(values.length);
    }),
    { numRuns: 300 },
  );
});
