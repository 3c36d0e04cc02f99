import { afterEach, beforeEach, expect, test } from "vitest";
import { signals } from "../../collector/wire/batch.ts";
import { startCollector } from "../support/collector-process.ts";
import type { CollectorProcess } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import { appFile, runApp } from "./support/app.ts";

let collector: CollectorProcess;
beforeEach(async () => void (collector = await startCollector()));
afterEach(() => collector.kill("SIGTERM"));

test.each([
  ["natural", { code: 4, stderr: "" }],
  ["exit", { code: 3, stderr: "" }],
  ["throw", { code: 1 }],
  ["sigterm", { signal: "SIGTERM", stderr: "" }],
  ["sigterm-handled", { code: 7, stderr: "" }],
])("all three signals arrive over gRPC when an app ends by %s", async (ending, expected) => {
  const ended = await runApp(appFile("exit/main.cjs"), {
    args: [ending],
    env: {
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpGrpc,
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: "none",
      SONDE_PROCESS_METRICS: "false",
    },
  });
  expect(ended).toMatchObject(expected);
  for (const signal of signals) {
    // One span, one log record, one metric of one data point.
    await until(`one of ${signal}`, async () => {
      return (await collector.metric("sonde_log_items_total", { signal })) === 1;
    });
  }
});
