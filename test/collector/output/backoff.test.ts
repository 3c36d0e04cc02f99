import { expect, test } from "vitest";
import { Backoff } from "../../../collector/output/backoff.ts";

const at = (random: number): Backoff =>
  new Backoff({ firstMs: 500, mostMs: 30_000, random: () => random });

test("the limit doubles up to the longest, and begins anew after a success", () => {
  const backoff = at(1);
  const waits = Array.from({ length: 9 }, () => backoff.nextMs());
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  for (let tries = 0; tries < 5000; tries++) backoff.nextMs();
  expect(backoff.nextMs()).toBe(30_000);
  backoff.reset();
  expect(backoff.nextMs()).toBe(500);
});

test("each wait is anywhere below its limit", () => {
  expect(at(0).nextMs()).toBe(0);
  expect(at(0.25).nextMs()).toBe(125);
});

test("what the destination asks for is waited, and a little more at random", () => {
  expect(at(0).nextMs(7000)).toBe(7000);
  expect(at(1).nextMs(7000)).toBe(7500);
  expect(at(1).nextMs(0)).toBe(500);
  const long = at(1);
  for (let tries = 0; tries < 20; tries++) long.nextMs();
  expect(long.nextMs(1000)).toBe(1500);
});
