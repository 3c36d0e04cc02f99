// What the Prometheus output leaves out, and how it stays within its bounds.

import { describe, expect, it } from "vitest";
import { plainText } from "../../../collector/output/prometheus/negotiate.ts";
import {
  Bench,
  counter,
  cumulative,
  gauge,
  histogram,
  request,
  shop,
  timed,
} from "../../support/prometheus-metrics.ts";
import { accept as protobuf } from "../../support/prometheus-protobuf.ts";
import { parseScrape } from "../../support/prometheus-text.ts";

const delivered = { kind: "delivered" };

describe("series that end", () => {
  it("are not shown any more when nothing came for metric_expiration", async () => {
    const bench = new Bench({ metric_expiration: "1m" });
    await bench.deliver(request([gauge("old", 1), gauge("kept", 1)]));
    bench.nowMs += 60_000;
    await bench.deliver(request([gauge("kept", 2, { time: 20 })]));
    expect(bench.samples()).toEqual({ old: 1, kept: 2 });
    bench.nowMs += 1;
    expect(bench.samples()).toEqual({ kept: 2 });
    await bench.metrics.sweep();
    expect(bench.samples()).toEqual({ kept: 2 });
  });

  it("are kept for ever where metric_expiration is 0", async () => {
    const bench = new Bench({ metric_expiration: 0 });
    await bench.deliver(request([gauge("old", 1)]));
    bench.nowMs += 1e12;
    await bench.metrics.sweep();
    expect(bench.samples()).toEqual({ old: 1 });
  });

  it("end at once when the sender says so, and may begin again", async () => {
    const bench = new Bench();
    const x = { with: { a: "x" } };
    const y = { with: { a: "y" } };
    await bench.deliver(request([counter("c", 1, x), counter("c", 2, y)]));
    const noRecordedValue = counter("c", 0, { ...x, flags: 1, time: 20 });
    expect(await bench.deliver(request([noRecordedValue]))).toEqual(delivered);
    expect(bench.samples()).toEqual({ 'c_total{a="y"}': 2 });
    await bench.deliver(request([counter("c", 5, { ...x, time: 30 })]));
    expect(bench.samples()).toEqual({ 'c_total{a="x"}': 5, 'c_total{a="y"}': 2 });
  });

  it("begin again in the place that they had in the order of points", async () => {
    const bench = new Bench();
    await bench.deliver(three(10), three(20));
    await bench.deliver(request([gauge("g", 0, { with: { n: 2 }, flags: 1, time: 21 })]));
    await bench.deliver(three(30));
    expect(bench.samples()).toEqual({ 'g{n="1"}': 1, 'g{n="2"}': 2, 'g{n="3"}': 3 });
  });

  it("leave nothing behind: the name is free for another type, the room for others", async () => {
    const bench = new Bench();
    await bench.deliver(
      request([gauge("a", 1), histogram("h", { bounds: [1], counts: [1, 2], total: 3 })]),
    );
    expect(bench.metrics.budget.series).toBe(6); // with target_info
    bench.nowMs += 300_001;
    await bench.metrics.sweep();
    expect(bench.metrics.budget).toMatchObject({ series: 0, bytes: 0 });
    expect(bench.text()).toBe("");
    const other = histogram("a", { bounds: [], counts: [1], total: 1 });
    expect(await bench.deliver(request([other]))).toEqual(delivered);
  });

  it("begin anew when they come back", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 100, { start: 0, time: 60 })]));
    bench.nowMs += 300_001;
    await bench.metrics.sweep();
    await bench.deliver(request([counter("c", 3, { start: 0, time: 50 })]));
    expect(bench.samples()).toEqual({ c_total: 3 });
  });

  it("are written once though they end and begin again within a scrape", async () => {
    const bench = new Bench();
    const ended = many(0, 2000, 1);
    await bench.deliver(request(many(0, 2000)));
    const slices: string[] = [];
    for (const slice of bench.metrics.scrape(plainText)) {
      slices.push(String(slice));
      await bench.deliver(request(ended), request(many(0, 2000)));
    }
    expect(slices.length).toBeGreaterThan(1);
    parseScrape(slices.join(""));
  });
});

describe("a scrape", () => {
  it.each(["text/plain", "application/openmetrics-text", protobuf])(
    "as %s is written in small slices, be it of many senders or many names",
    async (accept) => {
      const bench = new Bench();
      const names = Array.from({ length: 5000 }, (_, number) => gauge(`g_${number}`, 1));
      const senders = Array.from({ length: 2000 }, (_, number) =>
        request([gauge("g", 1)], {
          "service.instance.id": `${number}`,
          "host.name": "h".repeat(100),
        }),
      );
      await bench.deliver(request(names), ...senders);
      const pieces = bench.bytes(accept);
      expect(pieces.length).toBeGreaterThan(8);
      expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(80_000);
      // Each thousands of names are a turn, before anything is written.
      expect(pieces.slice(0, 3).map(({ length }) => length === 0)).toEqual([true, true, false]);
    },
  );
});

describe("limits", () => {
  it("of max_series leave new series out and keep those that are there", async () => {
    const bench = new Bench({ max_series: 11 }); // ten and target_info
    expect(await bench.deliver(request(many(0, 10)))).toEqual(delivered);
    const outcome = await bench.deliver(request([...many(8, 13), counter("c", 1)]));
    expect(outcome).toMatchObject({ kind: "rejected", reason: "too_large", items: 4 });
    expect("detail" in outcome && outcome.detail).toContain("11 (max_series)");
    expect(Object.keys(bench.samples())).toHaveLength(10);
    await bench.deliver(request([gauge("g", 7, { with: { n: 3 }, time: 20 })]));
    expect(bench.samples()['g{n="3"}']).toBe(7);
  });

  it("of max_series count every line of a histogram", async () => {
    const five = histogram("h", { bounds: [1, 2], counts: [0, 0, 0], total: 0 });
    expect(await new Bench({ max_series: 6 }).deliver(request([five]))).toEqual(delivered);
    expect(await new Bench({ max_series: 5 }).deliver(request([five]))).toMatchObject({ items: 1 });
  });

  it("hold for a histogram that gets more buckets", async () => {
    const bench = new Bench({ max_series: 6 });
    await bench.deliver(request([histogram("h", { bounds: [1, 2], counts: [1, 0, 0], total: 0 })]));
    const more = { bounds: [1, 2, 3], counts: [1, 1, 0, 0], total: 0 };
    const outcome = await bench.deliver(request([histogram("h", more, { time: 20 })]));
    expect(outcome).toMatchObject({ reason: "too_large", items: 1 });
    expect(bench.samples()["h_count"]).toBe(1);
  });

  it("of max_bytes leave new series out", async () => {
    const bench = new Bench({ max_bytes: "64KiB" });
    const large = Array.from({ length: 100 }, (_, index) =>
      gauge("g", 1, { with: { n: `${index}${"x".repeat(1000)}` } }),
    );
    expect(await bench.deliver(request(large))).toMatchObject({ reason: "too_large" });
    expect(Object.keys(bench.samples()).length).toBeGreaterThan(10);
    expect(bench.text().length).toBeLessThan(65_536);
  });

  it("hold for senders of nothing but new resources, scopes and names", async () => {
    const bench = new Bench({ max_bytes: 65_536 });
    for (let n = 0; n < 100; n++) {
      const resource = { "service.name": `${n}`, "service.instance.id": "1" };
      await bench.deliver(request([gauge(`g${n}`, 1)], resource));
    }
    expect(bench.metrics.budget.bytes).toBeLessThanOrEqual(65_536);
    expect(bench.scrape().samples.size).toBeLessThan(40);
  });
});

const three = (time: number) => request([1, 2, 3].map((n) => gauge("g", n, { with: { n }, time })));

const many = (from: number, upTo: number, flags = 0) =>
  Array.from({ length: upTo - from }, (_, index) =>
    gauge("g", 1, { with: { n: from + index }, flags }),
  );

const sendersNamed =
  'a: a as a histogram of job="shop",instance="1" conflicts with the gauge a_count of job="shop",instance="1"';

describe("conflicts", () => {
  it("of types leave the later metric out and name both", async () => {
    const bench = new Bench();
    await bench.deliver(request([gauge("a.count", 1)]));
    const both = [histogram("a", { bounds: [], counts: [1], total: 1 }), gauge("b", 2)];
    expect(await bench.deliver(request(both))).toEqual({
      kind: "rejected",
      reason: "bad_data",
      items: 1,
      detail: sendersNamed,
      which: [
        {
          position: 0,
          index: 0,
          items: 1,
          reason: "bad_data",
          detail: sendersNamed,
        },
      ],
    });
    expect(bench.samples()).toEqual({ a_count: 1, b: 2 });
  });

  it("of a family's type are found between senders too", async () => {
    const bench = new Bench();
    await bench.deliver(request([gauge("a.total", 1)]));
    const outcome = await bench.deliver(
      request([counter("a", 5)], { ...shop, "service.instance.id": "2" }),
    );
    expect(outcome).toMatchObject({
      items: 1,
      detail:
        'a: a_total as a counter of job="shop",instance="2" conflicts with the gauge a_total of job="shop",instance="1"',
    });
    expect(bench.samples()).toEqual({ a_total: 1 });
  });

  it("of two metrics of one scope that become one name leave the later out", async () => {
    const bench = new Bench();
    expect(await bench.deliver(request([counter("a.b", 1), counter("a_b", 2)]))).toMatchObject({
      items: 1,
      detail: "a_b: a_b_total is taken by the metric a.b of the same scope",
    });
    expect(bench.samples()).toEqual({ a_b_total: 1 });
  });

  it("of descriptions keep the first", async () => {
    const bench = new Bench();
    await bench.deliver(request([{ ...gauge("g", 1), description: "one" }]));
    await bench.deliver(
      request([{ ...gauge("g", 1), description: "two" }], { ...shop, "service.instance.id": "2" }),
    );
    expect(bench.scrape().help.get("g")).toBe("one");
  });

  it("with target_info leave the metric out", async () => {
    const bench = new Bench();
    await bench.deliver(request([gauge("target.info", 5)], { ...shop, "host.name": "h" }));
    expect([...bench.scrape().samples.values()]).toEqual([1]);
  });
});

describe("points that are not in order", () => {
  const point = timed();
  const histogramOf = (more: object) => ({
    name: "h",
    histogram: { aggregationTemporality: cumulative, dataPoints: [{ ...point, ...more }] },
  });

  it.each([
    ["no value", { name: "g", gauge: { dataPoints: [point] } }],
    ["no name", gauge("", 1)],
    [
      "a count per bucket missing",
      histogramOf({ count: "1", bucketCounts: ["1"], explicitBounds: [1] }),
    ],
    ["a count that is not that of its buckets", histogramOf({ count: "2", bucketCounts: ["1"] })],
    [
      "bounds out of order",
      histogramOf({ count: "3", bucketCounts: ["1", "1", "1"], explicitBounds: [2, 1] }),
    ],
    [
      "a bound that is no number",
      histogramOf({ count: "2", bucketCounts: ["1", "1"], explicitBounds: [Number.NaN] }),
    ],
    [
      "1001 bounds",
      histogramOf({
        count: "0",
        bucketCounts: Array(1002).fill("0"),
        explicitBounds: Array.from({ length: 1001 }, (_, index) => index),
      }),
    ],
    ["labels as long as a document", gauge("g", 1, { with: { text: "x".repeat(8192) } })],
    ["a name as long as a document", gauge("x".repeat(1001), 1)],
    [
      "a quantile twice",
      {
        name: "q",
        summary: { dataPoints: [{ ...point, quantileValues: [{ quantile: 1 }, { quantile: 1 }] }] },
      },
    ],
  ])("with %s are left out and counted, the others taken", async (_what, metric) => {
    const bench = new Bench();
    const outcome = await bench.deliver(request([metric, gauge("fine", 1)]));
    expect(outcome).toMatchObject({ kind: "rejected", items: 1 });
    expect(bench.samples()).toEqual({ fine: 1 });
  });

  it("are told of in few words, however many there are", async () => {
    const bench = new Bench();
    const metrics = Array.from({ length: 500 }, (_, index) => ({
      name: `g.${index}.${"x".repeat(500)}`,
      gauge: { dataPoints: [point, point] },
    }));
    const outcome = await bench.deliver(request(metrics));
    expect(outcome).toMatchObject({ kind: "rejected", items: 1000 });
    expect("detail" in outcome && outcome.detail.length).toBeLessThan(600);
  });
});
