// kill -9 of the real process under load: what was acknowledged must arrive after a restart, whether
// the destination was up or down when it happened, and the books must balance.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { decodeRequest, encodeRequest, type Request } from "../support/otlp.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const rounds = Number(process.env["SONDE_TEST_KILL_ROUNDS"] ?? 15);
const senders = 4;

let sink: Sink;
let collector: CollectorProcess | undefined;
const dataDir = mkdtempSync(join(tmpdir(), "sonde-kill-"));

afterEach(async () => {
  await collector?.kill("SIGKILL");
  await sink.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const requestNamed = (name: string): Request => ({
  resourceSpans: [
    {
      scopeSpans: [
        { spans: [{ traceId: "ab".repeat(16), spanId: "cd".repeat(8), name, kind: 1 }] },
      ],
    },
  ],
});

/** Sends spans, each of a name of its own, until the collector is gone. */
async function sendUntilDeath(
  url: string,
  prefix: string,
  acknowledged: Set<string>,
): Promise<void> {
  for (let index = 0; ; index++) {
    const name = `${prefix}-${index}`;
    try {
      const response = await fetch(`${url}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/x-protobuf" },
        body: Buffer.from(encodeRequest("traces", requestNamed(name))),
      });
      if (response.status !== 200) throw new Error(`${response.status}`);
      acknowledged.add(name);
    } catch {
      return;
    }
  }
}

test(
  `nothing acknowledged is lost in ${rounds} rounds of kill -9`,
  { timeout: 300_000 },
  async () => {
    sink = await startSink();
    const acknowledged = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const isDown = round % 3 === 1;
      sink.misbehave = isDown ? (response) => !!response.writeHead(503).end() : undefined;
      collector = await startCollector({ dataDir, env: { SONDE_OTLP_ENDPOINT: sink.url } });
      const { otlpHttp } = collector;
      const sending = Array.from({ length: senders }, (_, sender) =>
        sendUntilDeath(otlpHttp, `${round}-${sender}`, acknowledged),
      );
      const enough = acknowledged.size + 20 + ((round * 37) % 150);
      await until("some are acknowledged", () => acknowledged.size >= enough);
      await collector.kill("SIGKILL");
      await Promise.all(sending);
    }

    sink.misbehave = undefined;
    collector = await startCollector({ dataDir, env: { SONDE_OTLP_ENDPOINT: sink.url } });
    const running = collector;
    await until("everything is delivered", async () => {
      const waiting = await running.metric("sonde_output_waiting_items", { output: "otlp" });
      return waiting === 0;
    });

    const arrived = new Map<string, number>();
    for (const { bytes } of sink.requests) {
      for (const group of decodeRequest("traces", bytes).resourceSpans ?? []) {
        for (const { spans = [] } of group.scopeSpans ?? []) {
          for (const { name = "" } of spans) arrived.set(name, (arrived.get(name) ?? 0) + 1);
        }
      }
    }
    const lost = [...acknowledged].filter((name) => !arrived.has(name));
    const duplicates = [...arrived.values()].filter((count) => count > 1).length;
    process.stdout.write(
      `kill -9: ${rounds} rounds, ${acknowledged.size} acknowledged, ${lost.length} lost, ` +
        `${duplicates} delivered more than once\n`,
    );
    expect(lost).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(rounds * 20);

    const taken = await running.metric("sonde_log_items_total", { signal: "traces" });
    const done = await running.metric("sonde_output_items_total", {
      output: "otlp",
      signal: "traces",
    });
    expect(done).toBe(taken);
    expect(taken).toBeGreaterThanOrEqual(acknowledged.size);
  },
);
