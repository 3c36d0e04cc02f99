// SDKs that are not ours, through the collector and on to the Go collector, over HTTP and gRPC.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { cannotStart, type Peer, sendFrom, startPeer } from "../support/peers.ts";
import { until } from "../support/until.ts";

describe.skipIf(cannotStart("python", "otelcol"))("the Python SDK to the Go collector", () => {
  let otelcol: Peer;
  let collector: CollectorProcess;

  beforeAll(async () => {
    otelcol = await startPeer("otelcol");
  });
  afterAll(() => otelcol?.stop());

  test.each(["http", "grpc"] as const)("over %s, both in and out", async (protocol) => {
    const target =
      protocol === "http"
        ? otelcol.address["otlp_http"]
        : otelcol.address["otlp_grpc"]?.replace("http:", "grpc:");
    collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: target ?? "" } });
    try {
      const endpoint =
        protocol === "http" ? collector.otlpHttp : collector.otlpGrpc.replace("grpc:", "http:");
      const before = receivedBy(otelcol);
      await sendFrom("python", { endpoint, protocol, count: 10 });
      const receiver = `otlp_${protocol}`;
      for (const signal of ["traces", "metrics", "logs"]) {
        const accepted = { receiver, signal, outcome: "accepted" };
        expect(await collector.metric("sonde_receiver_items_total", accepted)).toBeGreaterThan(0);
      }
      await until("all is delivered", async () => {
        return (await collector.metric("sonde_output_waiting_items", { output: "otlp" })) === 0;
      });
      const spans = await collector.metric("sonde_log_items_total", { signal: "traces" });
      await until("the Go collector has written it down", () => {
        return receivedBy(otelcol) - before === spans || undefined;
      });
      expect(
        await collector.metric("sonde_output_items_total", { output: "otlp", outcome: "rejected" }),
      ).toBe(0);
    } finally {
      await collector.kill("SIGTERM");
    }
  });
});

/** Spans, each of which has an id in the lines of OTLP/JSON that it writes. */
function receivedBy(otelcol: Peer): number {
  const written = readFileSync(otelcol.address["received"] ?? "", "utf8");
  return written.match(/"startTimeUnixNano":"\d+","endTimeUnixNano"/g)?.length ?? 0;
}
