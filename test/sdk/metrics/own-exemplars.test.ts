// Exemplars of histograms that an app makes, from what it records to what is exported.

import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Attributes, Context } from "@opentelemetry/api";
import { MeterProvider as SdkProvider } from "@opentelemetry/sdk-metrics";
import type { MetricData, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { Periodic } from "../../../sdk/metrics/periodic.ts";
import { MeterProvider } from "../../../sdk/metrics/provider.ts";
import { cumulativeForm } from "../../../sdk/metrics/reader.ts";
import type { ReaderForm } from "../../../sdk/metrics/reader.ts";
import type { Exemplar, Exemplary } from "../../../sdk/metrics/series.ts";
import type { Settings } from "../../../sdk/settings.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
let scopes = 0;

function start(filter: Settings["exemplarFilter"] = "trace_based", form: Partial<ReaderForm> = {}) {
  const exported: ScopeMetrics[][] = [];
  const reader = new Periodic({
    form: { ...cumulativeForm, ...form },
    own: { collectNow: () => [], collect: () => Promise.reject(new Error("not of ours")) },
    send: (metrics) => exported.push([...metrics]) > 0,
    intervalMs: 1e9,
    timeoutMs: 1000,
  });
  const provider = new MeterProvider({
    make: () => new SdkProvider({ readers: [reader] }),
    flush: () => reader.forceFlush(),
    stop: () => reader.shutdown(),
    exemplarFilter: filter,
  });
  const meter = provider.getMeter(`test ${scopes++}`);
  const histogram = meter.createHistogram("size", {
    advice: { explicitBucketBoundaries: [10, 20] },
  });
  const collect = async (): Promise<MetricData | undefined> => {
    await provider.forceFlush();
    return exported.splice(0).at(-1)?.at(-1)?.metrics.at(-1);
  };
  return { histogram, collect, provider };
}

function spanned(number: number, isSampled = true): Context {
  const spanId = number.toString(16).padStart(16, "0");
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: isSampled ? 1 : 0 });
}

/** By the attributes of the point. */
function exemplarsOf(metric: MetricData | undefined): Record<string, readonly Exemplar[]> {
  const points: readonly (Exemplary & { readonly attributes: Attributes })[] =
    metric?.dataPoints ?? [];
  return Object.fromEntries(
    points.map(({ attributes, exemplars = [] }) => [JSON.stringify(attributes), exemplars]),
  );
}

const told = (exemplars: readonly Exemplar[] = []) =>
  exemplars.map(({ value, span }) => `${value} ${Number(`0x${span?.spanId}`)}`);

test("the last of each bucket and each set of attributes that is in a trace is an example", async () => {
  const { histogram, collect } = start();
  histogram.record(1, { a: 1, b: "x" }, spanned(1));
  histogram.record(2, { b: "x", a: 1 }, spanned(2));
  histogram.record(3, { a: 1, b: "x" }, spanned(3, false));
  histogram.record(10, { a: 2 }, spanned(4));
  histogram.record(10.5, { a: 2 }, spanned(5));
  histogram.record(21, { a: 2 }, spanned(6));
  histogram.record(5);
  const exemplars = exemplarsOf(await collect());
  expect(told(exemplars['{"a":1,"b":"x"}'])).toEqual(["2 2"]);
  expect(told(exemplars['{"a":2}']).toSorted()).toEqual(["10 4", "10.5 5", "21 6"]);
  expect(exemplars["{}"]).toEqual([]);
  const [example] = exemplars['{"a":1,"b":"x"}'] ?? [];
  expect(example?.span).toMatchObject({ traceId });
  expect(Math.abs((example?.time[0] ?? 0) - Date.now() / 1000)).toBeLessThan(10);
});

test.each([
  ["always_on", ["1 1", "15 NaN"]],
  ["always_off", []],
] as const)("the filter %s", async (filter, expected) => {
  const { histogram, collect } = start(filter);
  histogram.record(1, {}, spanned(1, false));
  histogram.record(15, {}, ROOT_CONTEXT);
  expect(told(exemplarsOf(await collect())["{}"]).toSorted()).toEqual(expected);
});

test("a delta has examples of its own time only, a sum goes on having them", async () => {
  for (const [histograms, later] of [
    ["delta", ["2 2"]],
    ["cumulative", ["15 1", "2 2"]],
  ] as const) {
    const { histogram, collect } = start("trace_based", { histograms });
    histogram.record(15, {}, spanned(1));
    expect(told(exemplarsOf(await collect())["{}"])).toEqual(["15 1"]);
    histogram.record(2, {}, spanned(2));
    expect(told(exemplarsOf(await collect())["{}"]).toSorted()).toEqual(later);
  }
});

test("an exponential histogram has the newest sixteen of the last 128", async () => {
  const { histogram, collect } = start("trace_based", { isExponential: true });
  histogram.record(7, { old: true }, spanned(1));
  histogram.record(7, { old: false }, spanned(2));
  for (let count = 0; count < 127; count++) histogram.record(count, {}, spanned(3));
  const exemplars = exemplarsOf(await collect());
  expect(exemplars["{}"]).toHaveLength(16);
  expect(exemplars['{"old":true}']).toEqual([]);
  expect(told(exemplars['{"old":false}'])).toEqual(["7 2"]);
});

test("what is no recording leaves none, and throws nothing", async () => {
  const { histogram, collect } = start("always_on");
  const odd = [-1, Number.NaN, Infinity, "1", null, undefined, {}, 5n] as number[];
  for (const value of odd) histogram.record(value, {}, spanned(1));
  histogram.record(1, new Proxy({}, {}), 5 as unknown as Context);
  histogram.record(2, {}, spanned(1));
  expect(told(exemplarsOf(await collect())["{}"])).toEqual(["2 1"]);
});

test("after the end there are neither instruments nor exemplars", async () => {
  const { provider } = start();
  await provider.shutdown();
  const late = provider.getMeter("late").createHistogram("late");
  expect(() => late.record(1, {}, spanned(1))).not.toThrow();
});
