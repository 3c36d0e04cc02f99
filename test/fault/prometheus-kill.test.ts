// kill -9 of the real process while differences come in: what /metrics shows in the end is the sum of what
// was sent, exactly, and no counter falls on the way there.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { encodeRequest } from "../support/otlp.ts";
import { post } from "../support/post.ts";
import { delta, histogram, request, sum, timed } from "../support/prometheus-metrics.ts";
import { parseScrape } from "../support/prometheus-text.ts";
import { until } from "../support/until.ts";

const rounds = Number(process.env["SONDE_TEST_PROMETHEUS_KILL_ROUNDS"] ?? 6);
const senders = 3;

let collector: CollectorProcess | undefined;
const dataDir = mkdtempSync(join(tmpdir(), "sonde-sums-"));

afterEach(async () => {
  await collector?.kill("SIGKILL");
  rmSync(dataDir, { recursive: true, force: true });
});

test(
  `sums are exact after ${rounds} rounds of kill -9`,
  { timeout: 60_000 + rounds * 20_000 },
  async () => {
    let isOver = false;
    collector = await startCollector({ dataDir });
    const sending = Array.from({ length: senders }, (_, sender) =>
      send(
        sender,
        () => collector,
        () => isOver,
      ),
    );
    let before = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      await sleep(200 + Math.random() * 800);
      before = await seen(collector, before);
      await collector.kill("SIGKILL");
      const next = await startCollector({ dataDir });
      expect(next.stderr()).toBe("");
      before = await seen(next, before);
      collector = next;
    }
    isOver = true;
    const sent = await Promise.all(sending);
    const { prometheus } = collector;
    for (const [sender, count] of sent.entries()) {
      expect(count).toBeGreaterThan(rounds);
      // 1 + 2 + … + count
      await until(`all of sender ${sender}`, async () => {
        const { samples } = parseScrape(await (await fetch(prometheus)).text());
        const labels = `{instance="${sender}",job="shop"}`;
        const shown = ["d_total", "h_count", "h_sum"].map((name) => samples.get(name + labels));
        return (
          JSON.stringify(shown) ===
          JSON.stringify([(count * (count + 1)) / 2, count * 3, count * 1.5])
        );
      });
    }
    await seen(collector, before);
  },
);

/** Each difference until it is acknowledged, however often; gives how many there were. */
async function send(
  sender: number,
  to: () => CollectorProcess | undefined,
  isOver: () => boolean,
): Promise<number> {
  const resource = { "service.name": "shop", "service.instance.id": String(sender) };
  let time = 0;
  while (!isOver()) {
    time++;
    const point = { ...timed({ start: time - 1, time }), asInt: String(time) };
    const metrics = [
      sum("d", [point], { isMonotonic: true, temporality: delta }),
      histogram(
        "h",
        { bounds: [1], counts: [2, 1], total: 1.5 },
        { start: time - 1, time, temporality: delta },
      ),
    ];
    const bytes = encodeRequest("metrics", request(metrics, resource));
    for (;;) {
      const status = await post(to()?.otlpHttp ?? "", "metrics", bytes).catch(() => 0);
      if (status === 200) break;
      await sleep(10);
    }
  }
  return time;
}

/** What is shown, after looking whether any of it is less than before. */
async function seen(
  { prometheus }: CollectorProcess,
  before: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const { samples } = parseScrape(await (await fetch(prometheus)).text());
  for (const [series, value] of before) {
    expect(samples.get(series) ?? 0, series).toBeGreaterThanOrEqual(value);
  }
  return new Map(samples);
}
