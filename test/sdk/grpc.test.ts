import { afterAll, beforeAll, expect, test } from "vitest";
import { signals } from "../../collector/wire/batch.ts";
import { startCollector } from "../support/collector-process.ts";
import type { CollectorProcess } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import { appFile, runApp } from "./support/app.ts";

let collector: CollectorProcess;
beforeAll(async () => void (collector = await startCollector()));
afterAll(() => collector.kill("SIGTERM"));

test("OTEL_EXPORTER_OTLP_PROTOCOL=grpc brings all three signals to the collector as the app ends", async () => {
  const ended = await runApp(appFile("exit/main.cjs"), {
    args: ["natural"],
    env: {
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpGrpc,
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: "none",
    },
  });
  expect(ended).toMatchObject({ code: 4, stderr: "" });
  for (const signal of signals) {
    // One span, one log record, one metric of one data point.
    await until(`one of ${signal}`, async () => {
      return (await collector.metric("sonde_log_items_total", { signal })) === 1;
    });
  }
});
