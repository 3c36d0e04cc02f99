// A real Prometheus scrapes the collector as it is run, through a restart and kill -9, and another one
// federates from the first: what both answer are the sums that were sent, exactly.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { listenLocally } from "../../support/listen.ts";
import {
  hasNoPromtool,
  parsedByPython,
  promtoolProblem,
  pythonWithParser,
} from "../../support/metrics-checkers.ts";
import { encodeRequest } from "../../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../../support/peers.ts";
import { post } from "../../support/post.ts";
import {
  counter,
  delta,
  histogram,
  request,
  sum,
  timed,
} from "../../support/prometheus-metrics.ts";
import { expectAnswer, query } from "../../support/promql.ts";

const peers = (["prometheus", "prometheus3"] as const).filter((name) => !cannotStart(name));
const parser = pythonWithParser();
const isWithoutPromtool = hasNoPromtool();

describe.each(peers)("a %s that scrapes through restarts", (name) => {
  const home = mkdtempSync(join(tmpdir(), "sonde-restarts-"));
  let port = 0;
  let collector: CollectorProcess;
  let scraping: Peer;
  let federating: Peer;
  let round = 0;
  /** What was sent so far. */
  const sent = { orders: 0, visits: 0, took: 0 };

  const start = async (): Promise<void> => {
    const env = { SONDE_PROMETHEUS_PORT: String(port) };
    collector = await startCollector({ dataDir: join(home, "data"), env });
  };

  const startPrometheus = async (job: object): Promise<Peer> => {
    const config = join(home, `${port}.yml`);
    const scrape = {
      honor_labels: true,
      scrape_interval: "200ms",
      scrape_timeout: "200ms",
      ...job,
    };
    writeFileSync(config, JSON.stringify({ scrape_configs: [scrape] })); // JSON is YAML
    return await startPeer(name, { config });
  };

  beforeAll(async () => {
    port = await freePort();
    await start();
    scraping = await startPrometheus({
      job_name: "sonde",
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    });
    federating = await startPrometheus({
      job_name: "federate",
      metrics_path: "/federate",
      params: { "match[]": ['{job="shop"}'] },
      static_configs: [{ targets: [new URL(scraping.url).host] }],
    });
  });

  afterAll(async () => {
    await collector?.kill("SIGKILL");
    await federating?.stop();
    await scraping?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** Differences of two instances, and a sum that a third one has added up itself. */
  async function send(): Promise<void> {
    round++;
    const time = { start: round - 1, time: round };
    const orders = sum(
      "shop.orders",
      [{ ...timed({ ...time, with: { "http.route": "/cart" } }), asInt: String(round) }],
      { isMonotonic: true, temporality: delta },
    );
    const given = { bounds: [0.5], counts: [1, 2], total: 3.5 };
    const took = histogram("took", given, { ...time, temporality: delta });
    const visits = counter("visits", 10 * round, { time: round });
    for (const [instance, ...metrics] of [
      ["1", orders, took],
      ["2", orders, took],
      ["3", visits],
    ] as const) {
      const resource = { "service.name": "shop", "service.instance.id": instance };
      const bytes = encodeRequest("metrics", request(metrics, resource));
      expect(await post(collector.otlpHttp, "metrics", bytes)).toBe(200);
    }
    sent.orders += 2 * round;
    sent.took += 2;
    sent.visits = 10 * round;
  }

  async function expectSums({ url }: Peer): Promise<void> {
    const answers = (promql: string, is: Record<string, number>, by = ""): Promise<void> =>
      expectAnswer(url, promql, { by, is, why: () => collector.stderr() });
    const half = sent.orders / 2;
    await answers("sum by (instance) (shop_orders_total)", { 1: half, 2: half }, "instance");
    await answers(
      "sum by (http_route) (shop_orders_total)",
      { "/cart": sent.orders },
      "http_route",
    );
    await answers("visits_total", { 3: sent.visits }, "instance");
    const buckets = { 0.5: sent.took, "+Inf": 3 * sent.took };
    await answers("sum by (le) (took_bucket)", buckets, "le");
    await answers("sum(took_sum)", { "": 3.5 * sent.took });
  }

  it("has the sums that were sent, exactly, and saw nothing fall", async () => {
    for (const ending of ["SIGTERM", "SIGKILL", "SIGKILL", undefined] as const) {
      for (let count = 0; count < 3; count++) await send();
      await expectSums(scraping);
      await send(); // acknowledged, and perhaps not shown by then
      if (!ending) break;
      await collector.kill(ending);
      await start();
    }
    await expectSums(scraping);
    for (const counted of ["shop_orders_total", "visits_total", "took_bucket", "took_sum"]) {
      await expectAnswer(scraping.url, `sum(resets(${counted}[10m]))`, { is: { "": 0 } });
    }
    await expectAnswer(scraping.url, "count(shop_orders_total)", { is: { "": 2 } });
    expect(collector.stderr()).toBe("");
  });

  it("passes all of it on to one that federates, with the labels as they are", async () => {
    await expectSums(federating);
    const labelsAt = async ({ url }: Peer): Promise<string[]> =>
      (await query(url, "{job='shop'}")).map(({ metric }) => JSON.stringify(metric)).toSorted();
    expect(await labelsAt(federating)).toEqual(await labelsAt(scraping));
    await expectAnswer(federating.url, "count({exported_job!=''})", { is: {} });
  });

  const shown = async (accept: string): Promise<string> =>
    await (await fetch(collector.prometheus, { headers: { accept } })).text();

  it.skipIf(isWithoutPromtool)("is shown what promtool finds nothing wrong with", async () => {
    expect(promtoolProblem(await shown("text/plain"))).toBeUndefined();
  });

  it.skipIf(!parser)("is shown what the Python parser reads, with the same sums", async () => {
    const samples = parsedByPython(parser!, await shown("application/openmetrics-text"));
    const orders = samples.filter(([what]) => what === "shop_orders_total");
    expect(orders.map(([, value]) => Number(value))).toEqual([sent.orders / 2, sent.orders / 2]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenLocally(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
