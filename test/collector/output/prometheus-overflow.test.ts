// A metric with more series than it may have: those beyond are shown as one, whose sums stay exact.

import { describe, expect, it } from "vitest";
import type { Metric } from "../../support/otlp.ts";
import {
  Bench,
  counter,
  cumulative,
  delta,
  gauge,
  histogram,
  request,
  sum,
  timed,
} from "../../support/prometheus-metrics.ts";
import { StateHome } from "../../support/state-home.ts";

const delivered = { kind: "delivered" };
const limited = { max_series_per_metric: 3 };
const beyond = 'otel_metric_overflow="true"';

/** Of n = 0, 1, 2, …: the values of one metric. */
const many = (values: readonly number[], time: number, temporality = cumulative): Metric =>
  sum(
    "c",
    values.map((value, n) => ({
      ...timed({ start: temporality === delta ? time - 10 : 0, time, with: { n } }),
      asDouble: value,
    })),
    { isMonotonic: true, temporality },
  );

const total = (bench: Bench): number =>
  Object.values(bench.samples()).reduce((all, value) => all + value, 0);

describe("series beyond max_series_per_metric", () => {
  it.each([
    ["sums so far", cumulative, 210],
    ["differences", delta, 315],
  ])("are shown as one that has their sum, of %s", async (_what, temporality, expected) => {
    const bench = new Bench(limited);
    expect(await bench.deliver(request([many([1, 2, 4, 8, 16, 32], 10, temporality)]))).toEqual(
      delivered,
    );
    expect(bench.samples()).toEqual({
      'c_total{n="0"}': 1,
      'c_total{n="1"}': 2,
      'c_total{n="2"}': 4,
      [`c_total{${beyond}}`]: 56,
    });
    const more = [10, 20, 30, 40, 50, 60].map((value) => value + (temporality === delta ? 2 : 0));
    const all = request([many(more, 20, temporality)]);
    expect(await bench.deliver(all)).toEqual(delivered);
    await bench.deliver(all); // once more, which adds nothing
    expect(total(bench)).toBe(temporality === delta ? 63 + 222 : expected);
    expect(bench.leftOut).toEqual([
      expect.stringContaining("more than 3 series (max_series_per_metric)"),
    ]);
  });

  it("are not reached by as many as are allowed", async () => {
    const bench = new Bench(limited);
    await bench.deliver(request([many([1, 2, 4], 10)]));
    expect(Object.keys(bench.samples())).toHaveLength(3);
    expect(bench.leftOut).toEqual([]);
  });

  it("do not make the sum fall when one of them begins anew or ends", async () => {
    const bench = new Bench(limited);
    await bench.deliver(request([many([1, 2, 4, 8, 16], 10)]));
    const anew = counter("c", 3, { start: 15, time: 20, with: { n: 3 } });
    const ended = counter("c", 0, { time: 20, flags: 1, with: { n: 4 } });
    await bench.deliver(request([anew, ended]));
    expect(bench.samples()[`c_total{${beyond}}`]).toBe(27);
  });

  it("have their buckets added up", async () => {
    const bench = new Bench({ max_series_per_metric: 1 });
    const one = (n: number, time: number, counts: number[]): Metric =>
      histogram("h", { bounds: [1], counts, total: 1.5 * time }, { time, with: { n } });
    await bench.deliver(request([one(0, 10, [1, 1]), one(1, 10, [2, 3]), one(2, 10, [4, 5])]));
    await bench.deliver(request([one(1, 20, [3, 3]), one(2, 20, [4, 9])]));
    expect(bench.samples()).toMatchObject({
      [`h_bucket{le="1",${beyond}}`]: 7,
      [`h_bucket{le="+Inf",${beyond}}`]: 19,
      [`h_sum{${beyond}}`]: 60,
    });
  });

  it("of levels come to what there is, and of what is measured the last is shown", async () => {
    const bench = new Bench({ max_series_per_metric: 1 });
    const level = (value: number, n: number, options = {}): Metric =>
      sum("l", [{ ...timed({ with: { n }, ...options }), asDouble: value }]);
    await bench.deliver(
      request([level(1, 0), level(5, 1), level(7, 2), gauge("g", 1, { with: { n: 1 } })]),
    );
    await bench.deliver(
      request([
        level(3, 1, { time: 20 }),
        level(0, 2, { time: 20, flags: 1 }),
        gauge("g", 9, { with: { n: 2 } }),
      ]),
    );
    expect(bench.samples()).toMatchObject({ [`l{${beyond}}`]: 3, [`g{${beyond}}`]: 9 });
  });

  it("go together with those that an SDK has put together itself", async () => {
    const bench = new Bench(limited);
    const own = (value: number, time: number): Metric =>
      counter("c", value, { time, with: { "otel.metric.overflow": true } });
    await bench.deliver(request([own(100, 10), many([1, 2, 4, 8], 10)]));
    await bench.deliver(request([own(150, 20), many([1, 2, 4, 9], 20)]));
    expect(bench.samples()[`c_total{${beyond}}`]).toBe(163);
  });

  it("are left out and counted where there are eight times as many", async () => {
    const bench = new Bench(limited);
    const outcome = await bench.deliver(request([many(Array(30).fill(1), 10)]));
    expect(outcome).toMatchObject({ kind: "rejected", reason: "too_large", items: 3 });
    expect(bench.samples()[`c_total{${beyond}}`]).toBe(24);
  });

  it("end, and leave nothing behind", async () => {
    const bench = new Bench(limited);
    await bench.deliver(request([many([1, 2, 4, 8, 16], 10)]));
    bench.nowMs += 300_001;
    await bench.metrics.sweep();
    expect(bench.metrics.budget).toMatchObject({ series: 0, bytes: 0 });
  });

  it("are remembered over a restart", async () => {
    await using home = new StateHome();
    let settled = 0;
    const life = (): Promise<Bench> => home.moveIn(new Bench(limited), { settled: () => settled });
    const first = await life();
    await first.deliver(request([many([1, 2, 4, 8, 16], 10)]));
    settled = 5;
    await first.metrics.close();
    const second = await life();
    expect(second.text()).toBe(first.text());
    expect(second.metrics.budget).toEqual(first.metrics.budget);
    await second.deliver(request([many([1, 2, 4, 9, 18], 20)]));
    expect(second.samples()[`c_total{${beyond}}`]).toBe(27);
  });
});
