// Remote write into the real servers: what they answer is what was sent, exactly, over a restart of ours.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { encodeRequest, type Metric } from "../../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../../support/peers.ts";
import { post } from "../../support/post.ts";
import { delta, histogram, request, shop, sum, timed } from "../../support/prometheus-metrics.ts";
import { expectAnswer } from "../../support/promql.ts";

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
  let peer: Peer;
  let collector: CollectorProcess;
  const dataDir = mkdtempSync(join(tmpdir(), "sonde-write-"));

  const start = (): Promise<CollectorProcess> =>
    startCollector({
      dataDir,
      env: {
        SONDE_REMOTE_WRITE_URL: `${peer.url}/api/v1/write`,
        SONDE_REMOTE_WRITE_VERSION: version,
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
});
