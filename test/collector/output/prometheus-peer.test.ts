// The Prometheus output, scraped by a real Prometheus.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Output } from "../../../collector/output/output.ts";
import { open } from "../../../collector/output/prometheus/prometheus.ts";
import { settings } from "../../../collector/output/prometheus/settings.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { attributes, encodeRequest, type Metric } from "../../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../../support/peers.ts";
import {
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  request,
  spanId,
  sum,
  timed,
  traceId,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { expectAnswer } from "../../support/promql.ts";
import { until } from "../../support/until.ts";

/** Version 2 asks for OpenMetrics or, since these watch native histograms, protobuf; version 3 for any names. */
const peers = (["prometheus", "prometheus3"] as const).filter((name) => !cannotStart(name));

describe.each(peers)("a %s that scrapes", (name) => {
  let output: Output;
  let prometheus: Peer;
  let home = "";

  beforeAll(async () => {
    let url = "";
    output = await open(settings.parse({ port: 0 }), {
      name: "prometheus",
      logId: "log",
      incidents: new Incidents(),
      host: "127.0.0.1",
      ready: (_what, where) => (url = where),
    });
    home = mkdtempSync(join(tmpdir(), "sonde-scrape-"));
    const config = join(home, "prometheus.yml");
    const job = {
      job_name: "sonde",
      honor_labels: true,
      scrape_interval: "200ms",
      scrape_timeout: "200ms",
      static_configs: [{ targets: [new URL(url).host] }],
    };
    writeFileSync(config, JSON.stringify({ scrape_configs: [job] })); // JSON is YAML
    prometheus = await startPeer(name, { config });
  });

  afterAll(async () => {
    await prometheus?.stop();
    await output?.close();
    if (home) rmSync(home, { recursive: true, force: true });
  });

  /** Of an instance of the shop. */
  async function send(instance: string, ...metrics: Metric[]): Promise<void> {
    const resource = {
      "service.name": "shop",
      "service.instance.id": instance,
      "host.name": `host-${instance}`,
    };
    const checked = validate("metrics", encodeRequest("metrics", request(metrics, resource)));
    if (checked.kind !== "valid") throw new Error(checked.problem.why);
    const { batch } = checked;
    const entries = [{ position: 0, atMs: 0, batch }];
    const delivery = { signal: "metrics", entries, items: batch.items, bytes: 1 } as const;
    expect(await output.deliver(delivery, new AbortController().signal)).toEqual({
      kind: "delivered",
    });
  }

  const answers = (promql: string, by: string, is: Record<string, number>): Promise<void> =>
    expectAnswer(prometheus.url, promql, { by, is });

  it("answers with the sums that two instances sent", async () => {
    await send("1", orders(1, "/cart", 10), orders(10, "/pay", 10));
    await send("2", orders(100, "/cart", 11), orders(1000, "/pay", 11));
    await send("1", orders(2, "/cart", 20), orders(20, "/pay", 20));
    await answers("sum(shop_orders_total) by (http_route)", "http_route", {
      "/cart": 102,
      "/pay": 1020,
    });
    await answers("sum(shop_orders_total) by (instance)", "instance", { 1: 22, 2: 1100 });
    await answers("sum(shop_orders_total) by (job)", "job", { shop: 1122 });
    await answers("up", "job", { sonde: 1 });
  });

  it("adds up differences as they come", async () => {
    await send("1", visits(3, 10), visits(4, 11));
    await send("2", visits(50, 10));
    await answers("visits_total", "instance", { 1: 7, 2: 50 });
    await send("1", visits(5, 12));
    await answers("visits_total", "instance", { 1: 12, 2: 50 });
  });

  it("computes quantiles of histograms over both instances", async () => {
    await send("1", duration([5, 0, 0, 0]));
    await send("2", duration([4, 0, 1, 0]));
    const buckets = "sum(http_server_request_duration_seconds_bucket) by (le)";
    await answers(buckets, "le", { 0.1: 9, "1.0": 9, "10.0": 10, "+Inf": 10 });
    await answers(`histogram_quantile(0.95, ${buckets})`, "", { "": 5.5 });
    await answers("sum(http_server_request_duration_seconds_count)", "", { "": 10 });
  });

  it("computes quantiles of exponential histograms, whose fine buckets it has", async () => {
    await send("1", exponential(3, { offset: 8, bucketCounts: ["8"] }));
    await send("2", exponential(4, { offset: 16, bucketCounts: ["2", "6"] }));
    await answers("histogram_count(sum(e))", "", { "": 18 });
    await answers("sum(histogram_sum(e)) by (instance)", "instance", { 1: 9, 2: 9 });
    await answers("count(e_bucket)", "", {});
  });

  it("leads from a number to a trace", async () => {
    await send(
      "1",
      withExemplars(counter("traced", 3), { ...exemplar(2), timeUnixNano: nowNanoseconds() }),
    );
    await answers("traced_total", "instance", { 1: 3 });
    const query = `query=traced_total&start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 60}`;
    const found = await until("the exemplar", async () => {
      const answer = await fetch(`${prometheus.url}/api/v1/query_exemplars?${query}`);
      const { data } = (await answer.json()) as { data: { exemplars: object[] }[] };
      return data[0]?.exemplars[0];
    });
    expect(found).toMatchObject({ labels: { trace_id: traceId, span_id: spanId }, value: "2" });
  });

  it("joins with target_info", async () => {
    await send("1", gauge("load", 0.5));
    const joined = "load * on (job, instance) group_left(host_name) target_info";
    await answers(joined, "host_name", { "host-1": 0.5 });
  });

  it("reads every text that a label can be", async () => {
    const texts = ['"', "\\", "\n", "\\n", "a\0b", "}", "é💡", "\r\t", "\u2028", "#", " "];
    const dataPoints = texts.map((text, index) => ({
      ...timed(),
      asInt: String(index),
      attributes: attributes({ text }),
    }));
    await send("1", { name: "odd", gauge: { dataPoints }, description: texts.join("") });
    const expected = Object.fromEntries(texts.map((text, index) => [text, index]));
    await answers("odd", "text", expected);
    await answers("up", "job", { sonde: 1 });
  });

  it("forgets a series that its sender has ended", async () => {
    await send("1", gauge("ended", 1));
    await answers("ended", "instance", { 1: 1 });
    await send("1", gauge("ended", 1, { flags: 1, time: 20 }));
    await answers("ended", "instance", {});
  });
});

const nowNanoseconds = (): string => String(BigInt(Date.now()) * 1_000_000n);

const orders = (value: number, route: string, time: number) =>
  counter("shop.orders", value, { with: { "http.route": route }, time });

const visits = (value: number, time: number) =>
  sum("visits", [{ ...timed({ start: time - 1, time }), asInt: String(value) }], {
    isMonotonic: true,
    temporality: delta,
  });

const duration = (counts: number[]) => ({
  ...histogram("http.server.request.duration", { bounds: [0.1, 1, 10], counts, total: 7 }),
  unit: "s",
});
