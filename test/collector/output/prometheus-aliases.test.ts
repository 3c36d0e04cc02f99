// Metrics under other names, so that dashboards made for other libraries go on working.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../collector/config/config.ts";
import { aliasesOf } from "../../../collector/output/prometheus/alias-settings.ts";
import type { Metric } from "../../support/otlp.ts";
import {
  Bench,
  counter,
  delta,
  gauge,
  histogram,
  request,
  shop,
  sum,
  timed,
} from "../../support/prometheus-metrics.ts";
import { StateHome } from "../../support/state-home.ts";

const aliases = "prom-client";

const took = (counts: number[], time: number, more: object = {}, temporality = 2): Metric => ({
  ...histogram(
    "http.server.request.duration",
    { bounds: [0.1, 1], counts, total: counts.length },
    {
      temporality,
      start: 0,
      time,
      with: {
        "http.request.method": "GET",
        "http.route": "/cart",
        "http.response.status_code": 200,
        "url.scheme": "http",
        ...more,
      },
    },
  ),
  unit: "s",
});

const shownAs = (bench: Bench, name: string): Record<string, number> =>
  Object.fromEntries(Object.entries(bench.samples()).filter(([key]) => key.startsWith(name)));

describe("the names of prom-client", () => {
  it("are those of requests by method, endpoint and status, summed over all else", async () => {
    const bench = new Bench({ aliases });
    const other = { "url.scheme": "https" };
    await bench.deliver(request([took([1, 2, 3], 10), took([1, 0, 0], 10, other)]));
    await bench.deliver(request([took([2, 2, 3], 20), took([1, 0, 5], 20, other)]));
    const labels = 'endpoint="/cart",method="GET",status="200"';
    expect(shownAs(bench, "http_requests_total")).toEqual({
      [`http_requests_total{${labels}}`]: 13,
    });
    expect(shownAs(bench, "http_request_duration_seconds")).toEqual({
      [`http_request_duration_seconds_bucket{endpoint="/cart",le="0.1",method="GET",status="200"}`]: 3,
      [`http_request_duration_seconds_bucket{endpoint="/cart",le="1",method="GET",status="200"}`]: 5,
      [`http_request_duration_seconds_bucket{endpoint="/cart",le="+Inf",method="GET",status="200"}`]: 13,
      [`http_request_duration_seconds_sum{${labels}}`]: 6,
      [`http_request_duration_seconds_count{${labels}}`]: 13,
    });
    expect(bench.samples()).toHaveProperty(
      [
        'http_server_request_duration_seconds_count{http_request_method="GET",' +
          'http_response_status_code="200",http_route="/cart",url_scheme="https"}',
      ],
      6,
    );
    expect(bench.scrape().types.get("http_requests_total")).toBe("counter");
  });

  it("are those of the process, its two kinds of time alone and together", async () => {
    const bench = new Bench({ aliases });
    const cpu = (time: number, user: number, system: number): Metric => ({
      ...sum(
        "process.cpu.time",
        [
          { ...timed({ time, with: { "cpu.mode": "user" } }), asDouble: user },
          { ...timed({ time, with: { "cpu.mode": "system" } }), asDouble: system },
        ],
        { isMonotonic: true },
      ),
      unit: "s",
    });
    const uptime = { ...gauge("process.uptime", 3.4, { time: 10 }), unit: "s" };
    const memory = { ...sum("process.memory.usage", [{ ...timed(), asInt: "4096" }]), unit: "By" };
    await bench.deliver(request([cpu(10, 1.5, 0.25), uptime, memory]));
    await bench.deliver(request([cpu(20, 2.5, 0.5)]));
    expect(bench.samples()).toMatchObject({
      process_cpu_seconds_total: 3,
      process_cpu_user_seconds_total: 2.5,
      process_cpu_system_seconds_total: 0.5,
      process_resident_memory_bytes: 4096,
      process_start_time_seconds: 1_790_000_007,
    });
  });

  it("are those of Node's heap, by space and as a whole", async () => {
    const bench = new Bench({ aliases });
    const used = (name: string, value: number, time = 10): Metric =>
      gauge("v8js.memory.heap.used", value, { with: { "v8js.heap.space.name": name }, time });
    await bench.deliver(request([used("new_space", 5), used("old_space", 7)]));
    await bench.deliver(request([used("new_space", 2, 20), used("old_space", 7, 20)]));
    expect(shownAs(bench, "nodejs")).toEqual({
      nodejs_heap_size_used_bytes: 9,
      'nodejs_heap_space_size_used_bytes{space="new"}': 2,
      'nodejs_heap_space_size_used_bytes{space="old"}': 7,
    });
  });
});

/** Of collectDefaultMetrics() of prom-client 15.1.3 on Linux, by what stands behind `process_` and `nodejs_`. */
const defaults = {
  process:
    "cpu_user_seconds_total cpu_system_seconds_total cpu_seconds_total start_time_seconds " +
    "resident_memory_bytes virtual_memory_bytes heap_bytes open_fds max_fds",
  nodejs:
    "eventloop_lag_seconds eventloop_lag_min_seconds eventloop_lag_max_seconds " +
    "eventloop_lag_mean_seconds eventloop_lag_stddev_seconds eventloop_lag_p50_seconds " +
    "eventloop_lag_p90_seconds eventloop_lag_p99_seconds active_resources active_resources_total " +
    "active_handles active_handles_total active_requests active_requests_total " +
    "heap_size_total_bytes heap_size_used_bytes external_memory_bytes heap_space_size_total_bytes " +
    "heap_space_size_used_bytes heap_space_size_available_bytes version_info gc_duration_seconds",
};

it("each default metric of prom-client is offered, or said to be missing", () => {
  const offered = aliasesOf({ aliases, aliased_metrics: [] }).map(({ name }) => name);
  const names = Object.entries(defaults).flatMap(([first, rest]) =>
    rest.split(" ").map((one) => `${first}_${one}`),
  );
  const missing = names.filter((name) => ![...offered, "nodejs_version_info"].includes(name));
  expect(missing).toEqual([
    "process_heap_bytes",
    "process_max_fds",
    "nodejs_active_handles",
    "nodejs_active_handles_total",
    "nodejs_active_requests",
    "nodejs_active_requests_total",
    "nodejs_external_memory_bytes",
  ]);
  const docs = readFileSync(new URL("../../../docs/prometheus.md", import.meta.url), "utf8");
  for (const name of missing) expect(docs).toContain(`\`${name}\``);
});

describe("the version of Node", () => {
  const node = { "process.runtime.name": "nodejs", "process.runtime.version": "24.1.0" };
  const up = (time = 10): Metric => gauge("process.uptime", time, { time });
  const shown = (bench: Bench): string[] => Object.keys(shownAs(bench, "nodejs_version_info"));
  const labels = 'major="24",minor="1",patch="0",version="v24.1.0"';

  it("is that of the sender's resource, as prom-client has it", async () => {
    const bench = new Bench({ aliases });
    await bench.deliver(request([up()], { ...shop, ...node }));
    expect(bench.text()).toContain(
      "# TYPE nodejs_version_info gauge\n" +
        `nodejs_version_info{job="shop",instance="1",${labels}} 1\n`,
    );
  });

  it.each([
    ["the runtime has no name", { ...node, "process.runtime.name": "" }, []],
    [
      "the SDK is one for Node and does not name the runtime",
      { "telemetry.sdk.language": "nodejs", "process.runtime.version": "v22.0.1-rc.1" },
      ['nodejs_version_info{major="22",minor="0",patch="1",version="v22.0.1-rc.1"}'],
    ],
    [
      "the runtime is another",
      { ...node, "process.runtime.name": "bun", "telemetry.sdk.language": "nodejs" },
      [],
    ],
    ["the version is none", { ...node, "process.runtime.version": "lts" }, []],
    ["there is no version", { "process.runtime.name": "nodejs" }, []],
  ])("is told as far as it is known: %s", async (_why, resource, expected) => {
    const bench = new Bench({ aliases });
    await bench.deliver(request([up()], { ...shop, ...resource }));
    expect(shown(bench)).toEqual(expected);
  });

  it("is shown of each instance, and only where it is asked for", async () => {
    const bench = new Bench({ aliases });
    const other = { ...shop, ...node, "service.instance.id": "2" };
    const { resourceMetrics: some } = request([up()], { ...shop, ...node });
    const { resourceMetrics: others } = request([up()], other);
    await bench.deliver({ resourceMetrics: [...some!, ...others!] });
    expect(shown(bench)).toEqual([
      `nodejs_version_info{${labels}}`,
      `nodejs_version_info{instance="2",${labels}}`,
    ]);
    const without = new Bench();
    await without.deliver(request([up()], { ...shop, ...node }));
    expect(shown(without)).toEqual([]);
  });

  it("is only the latest of an instance, also across a restart", async () => {
    await using home = new StateHome();
    let settled = 0;
    const life = (): Promise<Bench> =>
      home.moveIn(new Bench({ aliases }), { settled: () => settled });
    const first = await life();
    await first.deliver(request([up()], { ...shop, ...node }));
    settled = 1;
    await first.deliver(request([up(20)], { ...shop, ...node }));
    settled = 2;
    const second = await life();
    expect(second.text()).toBe(first.text());
    const newer = { ...node, "process.runtime.version": "26.0.3" };
    await second.deliver(request([up(30)], { ...shop, ...newer }));
    expect(shown(second)).toEqual([
      'nodejs_version_info{major="26",minor="0",patch="3",version="v26.0.3"}',
    ]);
  });

  it("stays as long as its sender sends, and leaves nothing behind", async () => {
    const bench = new Bench({ aliases });
    for (const time of [10, 20, 30]) {
      await bench.deliver(request([up(time)], { ...shop, ...node }));
      bench.nowMs += 200_000;
      await bench.metrics.sweep();
      expect(shown(bench)).toHaveLength(1);
    }
    bench.nowMs += 200_000;
    expect(shown(bench)).toEqual([]);
    await bench.metrics.sweep();
    expect(bench.metrics.budget).toMatchObject({ series: 0, bytes: 0 });
    await bench.deliver(request([up(40)], { ...shop, ...node }));
    expect(shown(bench)).toHaveLength(1);
  });

  it("is left out and told of once where its sender has a metric of that name", async () => {
    const bench = new Bench({ aliases });
    const own = gauge("nodejs_version_info", 1, { with: { version: "v1" } });
    for (let times = 0; times < 2; times++) {
      expect(await bench.deliver(request([own, up()], { ...shop, ...node }))).toEqual({
        kind: "delivered",
      });
    }
    expect(shown(bench)).toEqual(['nodejs_version_info{version="v1"}']);
    expect(bench.leftOut).toEqual([
      "nodejs_version_info: nodejs_version_info is taken by the metric nodejs_version_info",
    ]);
  });
});

describe("an alias", () => {
  const orders = {
    metric: "shop.orders",
    name: "orders",
    labels: { kind: "order.kind" },
    where: { region: "eu" },
  };
  const order = (kind: string, value: number, options = {}) =>
    counter("shop.orders", value, {
      with: { "order.kind": kind, region: "eu", n: value % 2 },
      ...options,
    });

  it("has the labels that it says and only the points that it is of", async () => {
    const bench = new Bench({ aliased_metrics: [orders] });
    const elsewhere = counter("shop.orders", 100, { with: { "order.kind": "a", region: "us" } });
    await bench.deliver(request([order("a", 2), order("a", 3), order("b", 4), elsewhere]));
    expect(shownAs(bench, "orders{")).toEqual({ 'orders{kind="a"}': 5, 'orders{kind="b"}': 4 });
  });

  it("does not fall when a source begins anew or ends", async () => {
    const bench = new Bench({ aliased_metrics: [orders] });
    await bench.deliver(request([order("a", 10), order("a", 5)]));
    await bench.deliver(request([order("a", 2, { start: 15, time: 20 })]));
    expect(shownAs(bench, "orders{")).toEqual({ 'orders{kind="a"}': 17 });
    bench.nowMs += 200_000;
    await bench.deliver(request([order("a", 4, { start: 15, time: 30 })]));
    bench.nowMs += 200_000;
    await bench.metrics.sweep();
    await bench.deliver(request([order("a", 6, { start: 15, time: 40 })]));
    expect(shownAs(bench, "orders{")).toEqual({ 'orders{kind="a"}': 21 });
  });

  it("is exact for differences, too", async () => {
    const bench = new Bench({ aliases });
    for (const time of [10, 20, 20, 30])
      await bench.deliver(request([took([1, 1, 0], time, {}, delta)]));
    const labels = 'endpoint="/cart",method="GET",status="200"';
    expect(bench.samples()[`http_requests_total{${labels}}`]).toBe(6);
  });

  it("comes back with its source after both have ended, and leaves nothing behind", async () => {
    const bench = new Bench({ aliases });
    for (const time of [10, 20]) {
      await bench.deliver(request([took([1, 1, 0], time)]));
      expect(Object.keys(shownAs(bench, "http_requests_total"))).toHaveLength(1);
      bench.nowMs += 300_001;
      await bench.metrics.sweep();
      expect(bench.metrics.budget).toMatchObject({ series: 0, bytes: 0 });
    }
  });

  it("goes on after a restart from where it was", async () => {
    await using home = new StateHome();
    let settled = 0;
    const life = (): Promise<Bench> =>
      home.moveIn(new Bench({ aliases }), { settled: () => settled });
    const first = await life();
    await first.deliver(request([took([1, 1, 0], 10)]));
    settled = 1;
    await first.deliver(request([took([2, 1, 0], 20)]));
    settled = 2;
    const second = await life();
    expect(second.text()).toBe(first.text());
    await second.deliver(request([took([4, 1, 0], 30)]));
    const labels = 'endpoint="/cart",method="GET",status="200"';
    expect(second.samples()[`http_requests_total{${labels}}`]).toBe(5);
  });

  it("is left out and told of where another metric has its name, and spoils nothing", async () => {
    const bench = new Bench({ aliases });
    const real = gauge("http.requests.total", 1);
    await bench.deliver(request([real]));
    const resource = { ...shop, "service.instance.id": "2" };
    expect(await bench.deliver(request([took([1, 0, 0], 10)], resource))).toEqual({
      kind: "delivered",
    });
    expect(bench.leftOut).toEqual([
      "http_requests_total: http_requests_total as a counter conflicts with the gauge http_requests_total " +
        'of job="shop",instance="1"',
    ]);
    expect(shownAs(bench, "http_request")).toHaveProperty("http_requests_total", 1);
    expect(Object.keys(bench.samples()).filter((key) => key.includes("_duration_"))).toHaveLength(
      10,
    );
  });
});

describe("the settings", () => {
  it.each([
    [
      { aliases: "prom-cleint" },
      'aliases: "prom-cleint" is none of the known: prom-client; did you mean "prom-client"?',
    ],
    [{ aliases: ["nothing"] }, "aliases: a list is none of the known: prom-client"],
    [
      { aliased_metrics: [{ metric: "a", name: "b", lables: {} }] },
      'has no setting lables; did you mean "labels"?',
    ],
    [{ aliased_metrics: [{ metric: "a", name: "a.b" }] }, '"a.b" is not a name for Prometheus'],
    [
      { aliased_metrics: [{ metric: "a", name: "b", labels: { le: "x" } }] },
      "is not the name of a label",
    ],
    [{ aliased_metrics: [{ metric: "a" }] }, "name: is missing"],
  ])("%j is an error that helps", async (given, message) => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-config-"));
    const file = join(folder, "sonde.yaml");
    writeFileSync(file, JSON.stringify({ outputs: { prometheus: given } }));
    await expect(loadConfig({ file, env: {}, cwd: folder })).rejects.toThrow(message);
    rmSync(folder, { recursive: true });
  });

  it("take the names of prom-client from the environment", async () => {
    const { config } = await loadConfig({ env: { SONDE_PROMETHEUS_ALIASES: "prom-client" } });
    const [output] = config.outputs;
    expect(output?.type === "prometheus" && output.settings.aliases).toBe("prom-client");
  });
});
