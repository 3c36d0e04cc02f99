import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Sampler } from "../../../sdk/sampling/sampler.ts";
import { bucketOf, samplerOf } from "../../../sdk/sampling/strategy.ts";

const sampled = (sampler: Sampler, operation = "GET"): boolean => {
  let isKept = true;
  sampler({
    name: operation,
    trace: [0, 0, 0, 0xffff_fffe],
    hasParent: false,
    isParentRemote: false,
    isParentSampled: false,
    drop: () => (isKept = false),
  });
  return isKept;
};

const made = (strategy: object): Sampler => {
  const sampler = samplerOf(JSON.stringify(strategy));
  if (typeof sampler === "string") throw new Error(sampler);
  return sampler;
};

describe("a strategy", () => {
  test.each([
    [{ strategyType: "PROBABILISTIC", probabilisticSampling: { samplingRate: 1 } }, true],
    [{ strategyType: 0, probabilisticSampling: { samplingRate: 0 } }, false],
    [{ probabilisticSampling: { samplingRate: 1 } }, true],
    [{ strategyType: "RATE_LIMITING", rateLimitingSampling: { maxTracesPerSecond: 0 } }, false],
    [{ strategyType: 1, rateLimitingSampling: { maxTracesPerSecond: 5 } }, true],
    [{ operationSampling: { defaultSamplingProbability: 1 } }, true],
    [{ operationSampling: { defaultSamplingProbability: 0 } }, false],
  ])("%o is understood", (strategy, expected) => {
    expect(sampled(made(strategy))).toBe(expected);
  });

  test.each([
    "",
    "[]",
    "null",
    "nonsense",
    "{}",
    '{"strategyType":"RATE_LIMITING"}',
    '{"strategyType":"SOMETHING"}',
    '{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":-1}}',
    '{"probabilisticSampling":{"samplingRate":1.01}}',
    '{"probabilisticSampling":{"samplingRate":"1"}}',
    '{"operationSampling":{"defaultSamplingProbability":2}}',
  ])("%s is none, and says what it lacks", (text) => {
    expect(samplerOf(text)).toMatch(/^answers /);
  });

  test("may be anything without harm", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const sampler = samplerOf(text);
        if (typeof sampler === "string") expect(sampler.length).toBeLessThan(100);
        else sampled(sampler);
      }),
    );
  });
});

test("a share of its own for an operation, the default for the others", () => {
  const sampler = made({
    operationSampling: {
      defaultSamplingProbability: 0,
      perOperationStrategies: [
        { operation: "GET /a", probabilisticSampling: { samplingRate: 1 } },
        { operation: "GET /b", probabilisticSampling: { samplingRate: "no" } },
        null,
      ],
    },
  });
  expect(["GET /a", "GET /b", "GET /c"].map((name) => sampled(sampler, name))).toEqual([
    true,
    false,
    false,
  ]);
});

test("the guaranteed number a second is reached where the share is nothing, and not exceeded", () => {
  const sampler = made({
    operationSampling: { defaultSamplingProbability: 0, defaultLowerBoundTracesPerSecond: 2 },
  });
  const answers = Array.from({ length: 5 }, () => sampled(sampler));
  expect(answers).toEqual([true, true, false, false, false]);
  // Names without end find no more room, and are not kept.
  const others = Array.from({ length: 3000 }, (_, index) => sampled(sampler, `op ${index}`));
  expect(others.filter(Boolean)).toHaveLength(1999);
});

test("a rate holds over time, a burst is at most a second's worth", () => {
  let now = 0;
  const takes = bucketOf(2, () => now);
  const burst = () => Array.from({ length: 5 }, () => takes()).filter(Boolean).length;
  expect(burst()).toBe(2);
  now += 500;
  expect(burst()).toBe(1);
  now += 499;
  expect(burst()).toBe(0);
  now += 1;
  expect(burst()).toBe(1);
  now += 60_000;
  expect(burst()).toBe(2);
});

test("a rate below one a second still takes one", () => {
  let now = 0;
  const takes = bucketOf(0.5, () => now);
  expect([takes(), takes()]).toEqual([true, false]);
  now += 1999;
  expect(takes()).toBe(false);
  now += 1;
  expect(takes()).toBe(true);
});
