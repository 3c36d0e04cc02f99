import { afterEach, expect, test, vi } from "vitest";
import { anchorFor, hrTimeOf, monotonicMs, readTime } from "../../../sdk/trace/clock.ts";

afterEach(() => vi.useRealTimers());

test("every form of a time is the same time", () => {
  const ms = 1_770_000_000_123;
  const expected = [1_770_000_000, 123_000_000];
  for (const time of [ms, new Date(ms), [1_770_000_000, 123_000_000]]) {
    expect(readTime(time, 0)).toEqual(expected);
  }
  expect(readTime([1_770_000_000.5, 700_000_000], 0)).toEqual([1_770_000_001, 200_000_000]);
  expect(readTime([1_770_000_001, -877_000_000], 0)).toEqual(expected);
  expect(readTime([1_769_999_999, 1_123_000_000], 0)).toEqual(expected);
});

test("a small number is a time of performance.now()", () => {
  expect(readTime(5, 1_770_000_000_000)).toEqual([1_770_000_000, 5_000_000]);
  const soon = performance.now() + 60_000;
  expect(readTime(soon, 1_770_000_000_000)?.[0]).toBeLessThan(10_000);
});

test.each([
  ["NaN", Number.NaN],
  ["infinity", Infinity],
  ["an invalid date", new Date(Number.NaN)],
  ["a time before 1970", [-1, 0]],
  ["half a time", [1]],
  ["numbers that are none", [Number.NaN, 0]],
  ["a time beyond 64 bits", [2 ** 60, 0]],
  ["a text", "2026-01-01"],
  ["nothing", null],
])("%s is no time", (_, time) => {
  expect(readTime(time, 0)).toBeUndefined();
});

test("seconds and nanoseconds never say a whole second in nanoseconds", () => {
  expect(hrTimeOf(1_770_000_001_000 - 1 / 4096)).toEqual([1_770_000_000, 999_999_756]);
  expect(hrTimeOf(999.999_999_9)).toEqual([1, 0]);
});

test("a root has the wall clock's time, a child its parent's, also after the clocks were set or stood still", () => {
  const now = monotonicMs();
  const before = anchorFor(now);
  expect(Math.abs(before + now - Date.now())).toBeLessThan(20);
  // As if the parent had begun when the wall clock was off by as much.
  expect(anchorFor(now, before - 500)).toBe(before - 500);
  expect(Math.abs(anchorFor(now, before - 60_000) - before)).toBeLessThan(20);
});

test("clocks that a test replaces are not ours", () => {
  vi.useFakeTimers({ now: 0 });
  const now = monotonicMs();
  expect(anchorFor(now) + now).toBeGreaterThan(1_700_000_000_000);
});
