// What the Prometheus output makes of the points that it is given.

import { describe, expect, it } from "vitest";
import { attributes } from "../../support/otlp.ts";
import {
  at,
  Bench,
  counter,
  cumulative,
  delta,
  gauge,
  histogram,
  request,
  shop,
  sum,
  timed,
} from "../../support/prometheus-metrics.ts";

const delivered = { kind: "delivered" };

describe("the kinds of metrics", () => {
  it("shows a monotonic sum as a counter with the labels of its resource, scope and point", async () => {
    const bench = new Bench();
    const orders = {
      ...counter("shop.orders", 3, { with: { "http.route": "/cart" } }),
      unit: "{order}",
      description: "Orders placed.",
    };
    const scope = {
      name: "checkout",
      version: "1.2",
      attributes: attributes({ tier: "gold", name: "not shown" }),
    };
    const resource = { attributes: attributes({ ...shop, "service.namespace": "eu" }) };
    expect(
      await bench.deliver({
        resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [orders] }] }],
      }),
    ).toEqual(delivered);
    expect(bench.text()).toBe(
      "# HELP shop_orders_total Orders placed.\n" +
        "# TYPE shop_orders_total counter\n" +
        'shop_orders_total{job="eu/shop",instance="1",otel_scope_name="checkout",' +
        'otel_scope_version="1.2",otel_scope_tier="gold",http_route="/cart"} 3\n',
    );
  });

  it("shows other sums and gauges as gauges, integers included", async () => {
    const bench = new Bench();
    await bench.deliver(
      request([
        sum("queue.length", [{ ...timed(), asInt: "-7" }]),
        { ...gauge("cpu.use", 0.25), unit: "1" },
        sum("big", [{ ...timed(), asInt: "9223372036854775807" }]),
      ]),
    );
    expect(bench.samples()).toEqual({ queue_length: -7, cpu_use_ratio: 0.25, big: 2 ** 63 });
    expect(bench.scrape().types.get("queue_length")).toBe("gauge");
  });

  it("shows a histogram with buckets that hold what is below them", async () => {
    const bench = new Bench();
    const data = { bounds: [0.1, 1, 10], counts: [1, 0, 2, 4], total: 75.5 };
    await bench.deliver(request([{ ...histogram("duration", data), unit: "s" }]));
    expect(bench.samples()).toEqual({
      'duration_seconds_bucket{le="0.1"}': 1,
      'duration_seconds_bucket{le="1"}': 1,
      'duration_seconds_bucket{le="10"}': 3,
      'duration_seconds_bucket{le="+Inf"}': 7,
      duration_seconds_sum: 75.5,
      duration_seconds_count: 7,
    });
  });

  it("shows a histogram without buckets or sum by its count", async () => {
    const bench = new Bench();
    const dataPoints = [{ ...timed(), count: "5" }];
    await bench.deliver(
      request([{ name: "plain", histogram: { aggregationTemporality: cumulative, dataPoints } }]),
    );
    expect(bench.samples()).toEqual({ 'plain_bucket{le="+Inf"}': 5, plain_count: 5 });
  });

  it("shows a summary with its quantiles", async () => {
    const bench = new Bench();
    const quantileValues = [
      { quantile: 0.5, value: 2 },
      { quantile: 0.99, value: 9 },
    ];
    const dataPoints = [{ ...timed(), count: "4", sum: 10, quantileValues }];
    await bench.deliver(request([{ name: "old", summary: { dataPoints } }]));
    expect(bench.samples()).toEqual({
      'old{quantile="0.5"}': 2,
      'old{quantile="0.99"}': 9,
      old_sum: 10,
      old_count: 4,
    });
  });
});

describe("differences", () => {
  it("of sums are added up", async () => {
    const bench = new Bench();
    expect(await bench.deliver(added(3, 10), added(4, 20))).toEqual(delivered);
    await bench.deliver(added(5, 40));
    expect(bench.samples()).toEqual({ orders_total: 12 });
  });

  it("that come twice are added once", async () => {
    const bench = new Bench();
    await bench.deliver(added(3, 10), added(3, 10));
    expect(bench.samples()).toEqual({ orders_total: 3 });
  });

  it("that come too late are counted as left out", async () => {
    const bench = new Bench();
    await bench.deliver(added(3, 20));
    expect(await bench.deliver(added(4, 10))).toMatchObject({
      kind: "rejected",
      reason: "bad_data",
      items: 1,
      detail: expect.stringContaining("orders: ") as string,
    });
    expect(bench.samples()).toEqual({ orders_total: 3 });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("of %d are left out", async (value) => {
    const bench = new Bench();
    await bench.deliver(added(3, 10));
    expect(await bench.deliver(added(value, 20))).toMatchObject({ kind: "rejected", items: 1 });
    expect(bench.samples()).toEqual({ orders_total: 3 });
  });

  it("of histograms are added up, and begin anew with other buckets", async () => {
    const bench = new Bench();
    const some = { bounds: [1, 2], counts: [1, 2, 3], total: 10 };
    const options = { temporality: delta };
    await bench.deliver(request([histogram("h", some, { ...options, time: 10 })]));
    await bench.deliver(request([histogram("h", some, { ...options, time: 20 })]));
    expect(bench.samples()).toEqual({
      'h_bucket{le="1"}': 2,
      'h_bucket{le="2"}': 6,
      'h_bucket{le="+Inf"}': 12,
      h_sum: 20,
      h_count: 12,
    });
    const others = { bounds: [5], counts: [1, 0], total: 3 };
    await bench.deliver(request([histogram("h", others, { ...options, time: 30 })]));
    expect(bench.samples()).toEqual({
      'h_bucket{le="5"}': 1,
      'h_bucket{le="+Inf"}': 1,
      h_sum: 3,
      h_count: 1,
    });
  });

  it("that are not said to be differences or sums so far are left out", async () => {
    const bench = new Bench();
    const points = [{ ...timed(), asInt: "1" }];
    const outcome = await bench.deliver(request([sum("s", points, { temporality: 0 })]));
    expect(outcome).toMatchObject({ kind: "rejected", items: 1 });
  });
});

describe("the order of points", () => {
  it("does not matter: the latest counts", async () => {
    const bench = new Bench();
    await bench.deliver(request([gauge("g", 2, { time: 20 })]));
    expect(await bench.deliver(request([gauge("g", 1, { time: 10 })]))).toEqual(delivered);
    expect(bench.samples()).toEqual({ g: 2 });
    await bench.deliver(request([gauge("g", 3, { time: 21 })]));
    expect(bench.samples()).toEqual({ g: 3 });
  });

  it("is that of the starts after a restart, so that a late point of the former life is left out", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 100, { start: 0, time: 60 })]));
    await bench.deliver(request([counter("c", 2, { start: 50, time: 55 })]));
    expect(bench.samples()).toEqual({ c_total: 2 });
    const late = request([counter("c", 101, { start: 0, time: 61 })]);
    expect(await bench.deliver(late)).toMatchObject({
      kind: "rejected",
      items: 1,
      detail: expect.stringContaining("service.instance.id") as string,
    });
    expect(bench.samples()).toEqual({ c_total: 2 });
  });

  it("is forgotten after a silence, since a clock may have been set back", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 9, { start: 500, time: 600 })]));
    bench.nowMs += 149_999;
    const earlier = request([counter("c", 1, { start: 100, time: 200 })]);
    expect(await bench.deliver(earlier)).toMatchObject({ kind: "rejected" });
    bench.nowMs += 1;
    expect(await bench.deliver(earlier)).toEqual(delivered);
    expect(bench.samples()).toEqual({ c_total: 1 });
  });

  it("of attributes makes no other series", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 1, { with: { a: "x", b: "y" } })]));
    await bench.deliver(request([counter("c", 2, { with: { b: "y", a: "x" }, time: 20 })]));
    expect(bench.samples()).toEqual({ 'c_total{a="x",b="y"}': 2 });
  });
});

describe("several senders", () => {
  it("have their own series by service.instance.id", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 1)], { ...shop, "service.instance.id": "a" }));
    await bench.deliver(request([counter("c", 2)], { ...shop, "service.instance.id": "b" }));
    expect([...bench.scrape().samples]).toEqual([
      ['c_total{instance="a",job="shop"}', 1],
      ['c_total{instance="b",job="shop"}', 2],
    ]);
  });

  it("that do not say which they are are told apart by whatever else they say", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 1)], from(17)));
    await bench.deliver(request([counter("c", 2)], from(18)));
    await bench.deliver(request([counter("c", 3, { time: 20 })], from(17)));
    const found = [...bench.scrape().samples].filter(([key]) => key.startsWith("c_total"));
    expect(found.map(([, value]) => value).toSorted((a, b) => a - b)).toEqual([2, 3]);
    for (const [key] of found) expect(key).toMatch(/instance="web-1-[0-9a-f]{12}"/);
  });

  it("are described once each by target_info", async () => {
    const bench = new Bench();
    const resource = { ...shop, "host.name": "web-1", job: "mine", "service.version": "1" };
    await bench.deliver(request([counter("c", 1)], resource));
    await bench.deliver(
      request([counter("c", 2, { time: 20 })], { ...resource, "service.version": "2" }),
    );
    expect([...bench.scrape().samples.keys()].filter((key) => key.startsWith("target"))).toEqual([
      'target_info{exported_job="mine",host_name="web-1",instance="1",job="shop",service_version="2"}',
    ]);
  });

  it("without a resource or scope are taken too", async () => {
    const bench = new Bench();
    await bench.deliver({ resourceMetrics: [{ scopeMetrics: [{ metrics: [counter("c", 1)] }] }] });
    expect(bench.text()).toBe("# TYPE c_total counter\nc_total 1\n");
  });
});

describe("attributes", () => {
  it("each tell series apart, the first as well as the last", async () => {
    const bench = new Bench();
    const pairs = [
      { a: "1", b: "1" },
      { a: "2", b: "1" },
      { a: "1", b: "2" },
    ];
    await bench.deliver(request(pairs.map((pair, index) => gauge("g", index, { with: pair }))));
    expect(Object.values(bench.samples())).toEqual([0, 1, 2]);
  });

  it("whose keys become one label share it, in order of the keys", async () => {
    expect(await labelsOf({ "a.b": "2", a_b: "3", "a-b": "1" })).toBe('g{a_b="1;2;3"}');
  });

  it("that are empty are no labels, as Prometheus sees it", async () => {
    expect(await labelsOf({ a: "", b: "x" })).toBe('g{b="x"}');
  });

  it("do not take the place of the labels of the target, scope or bucket", async () => {
    const bench = new Bench();
    const own = { job: "j", instance: "i", le: "0", "otel.scope.name": "s" };
    await bench.deliver(
      request([histogram("h", { bounds: [], counts: [1], total: 1 }, { with: own })]),
    );
    expect(Object.keys(bench.samples())).toContain(
      'h_count{exported_instance="i",exported_job="j",exported_le="0",exported_otel_scope_name="s"}',
    );
  });

  it("of other types are written as JSON has them", async () => {
    expect(await labelsOf({ n: 3, f: 0.5, b: true, l: ["a", 1, [false]] })).toBe(
      String.raw`g{b="true",f="0.5",l="[\"a\",1,[false]]",n="3"}`,
    );
    const bench = new Bench();
    const value = {
      kvlistValue: { values: [{ key: "k", value: { bytesValue: "AQI=" } }, { key: "none" }] },
    };
    const point = { timeUnixNano: at(1), attributes: [{ key: "m", value }], asInt: "1" };
    await bench.deliver(request([{ name: "g", gauge: { dataPoints: [point] } }]));
    expect(Object.keys(bench.samples())).toEqual([
      String.raw`g{m="{\"k\":\"AQI=\",\"none\":null}"}`,
    ]);
  });
});

const added = (value: number, time: number) =>
  request([
    sum("orders", [{ ...timed({ start: time - 10, time }), asDouble: value }], {
      isMonotonic: true,
      temporality: delta,
    }),
  ]);

const from = (pid: number) => ({
  "service.name": "shop",
  "host.name": "web-1",
  "process.pid": pid,
});

const labelsOf = async (given: Parameters<typeof attributes>[0]): Promise<string> => {
  const bench = new Bench();
  await bench.deliver(request([gauge("g", 1, { with: given })]));
  return Object.keys(bench.samples())[0]!;
};
