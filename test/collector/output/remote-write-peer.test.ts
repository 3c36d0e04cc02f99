// Remote write into the real servers: what they answer is what was sent, exactly, over a restart of ours.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { encodeRequest, type Metric } from "../../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../../support/peers.ts";
import { post } from "../../support/post.ts";
import {
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  request,
  shop,
  spanId,
  sum,
  timed,
  traceId,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { expectAnswer } from "../../support/promql.ts";
import { until } from "../../support/until.ts";

const peers = (
  [
    ["prometheus", "1.0"],
    ["prometheus3", "1.0"],
    ["prometheus3", "2.0"],
    ["victoria-metrics", "1.0"],
  ] as const
).filter(([name]) => !cannotStart(name));

/** The last minute, in seconds from where the times of tests begin. */
const recent = Math.floor(Date.now() / 1000) - 60 - 1_790_000_000;

describe.each(peers)("%s, by remote write %s", (name, version) => {
  const isPrometheus = name !== "victoria-metrics";
  let peer: Peer;
  let collector: CollectorProcess;
  const dataDir = mkdtempSync(join(tmpdir(), "sonde-write-"));

  const start = (): Promise<CollectorProcess> =>
    startCollector({
      dataDir,
      env: {
        SONDE_REMOTE_WRITE_URL: `${peer.url}/api/v1/write`,
        SONDE_REMOTE_WRITE_VERSION: version,
        SONDE_REMOTE_WRITE_NATIVE_HISTOGRAMS: String(isPrometheus),
      },
    });

  beforeAll(async () => {
    peer = await startPeer(name);
    collector = await start();
  });

  afterAll(async () => {
    await collector?.kill("SIGKILL");
    await peer?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function send(metrics: Metric[]): Promise<void> {
    const bytes = encodeRequest("metrics", request(metrics, { ...shop, "host.name": "h" }));
    expect(await post(collector.otlpHttp, "metrics", bytes)).toBe(200);
  }

  const answers = (promql: string, is: Record<string, number>): Promise<void> =>
    expectAnswer(peer.url, promql, { by: "le", is, why: () => collector.stderr() });

  it("has sums of differences and buckets, exactly, through kill -9 and a restart", async () => {
    for (let round = 0; round < 20; round++) {
      if (round === 10) {
        await collector.kill("SIGKILL");
        collector = await start();
      }
      const time = recent + round;
      const point = { ...timed({ start: time - 1, time }), asInt: String(round) };
      await send([
        sum("orders", [point], { isMonotonic: true, temporality: delta }),
        histogram(
          "took",
          { bounds: [0.5], counts: [1, 2], total: 3.5 },
          { start: time - 1, time, temporality: delta },
        ),
      ]);
    }
    await answers("sum(orders_total)", { "": 190 });
    await answers("sum(took_bucket) by (le)", { 0.5: 20, "+Inf": 60 });
    await answers("sum(took_sum)", { "": 70 });
    await answers('count(target_info{host_name="h"})', { "": 1 });
    // Every step of it was written, so that nothing fell on the way.
    await answers("sum(resets(orders_total[10m]))", { "": 0 });
    expect(collector.stderr()).toBe("");
  });

  it("forgets a series at once that its sender has ended", async () => {
    await send([gauge("ended", 5, { time: recent })]);
    await answers("ended", { "": 5 });
    await send([gauge("ended", 0, { time: recent + 1, flags: 1 })]);
    await answers("ended", {});
  });

  it("has exponential histograms, as native ones where it knows these", async () => {
    const positive = { offset: 8, bucketCounts: ["2", "6"] };
    for (const time of [recent, recent + 1]) {
      await send([exponential(3, positive, { time, temporality: delta })]);
    }
    if (isPrometheus) {
      await answers("histogram_count(e)", { "": 18 });
      await answers("histogram_sum(e)", { "": 18 });
      // All of the two buckets lie above 2, the lower one up to 2 ^ (9/8).
      await answers("histogram_fraction(2, +Inf, e)", { "": 16 / 18 });
      await answers("histogram_fraction(0, 2, e) * 18", { "": 2 });
    } else await answers("sum(e_count)", { "": 18 });
    expect(collector.stderr()).toBe("");
  });

  it.runIf(isPrometheus)("leads from a number to a trace", async () => {
    const traced = counter("traced", 3, { time: recent });
    await send([withExemplars(traced, exemplar(2, recent))]);
    await answers("traced_total", { "": 3 });
    const [from, to] = [Date.now() / 1000 - 600, Date.now() / 1000 + 60];
    const where = `${peer.url}/api/v1/query_exemplars?query=traced_total&start=${from}&end=${to}`;
    const found = await until("the exemplar", async () => {
      const { data } = (await (await fetch(where)).json()) as { data: { exemplars: object[] }[] };
      return data[0]?.exemplars[0];
    });
    expect(found).toMatchObject({ labels: { trace_id: traceId, span_id: spanId }, value: "2" });
  });
});
