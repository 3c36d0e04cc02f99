// What OpenTelemetry's own assembly does not know by itself it is given.

import { expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";

const reference = {
  SONDE_ENGINE: "opentelemetry",
  OTEL_TRACES_EXPORTER: "console",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
};

test("propagators of ours work under the reference engine", async () => {
  const env = { ...reference, OTEL_PROPAGATORS: "jaeger,xray" };
  const { stdout, stderr } = await runApp(appFile("trace/main.cjs"), { env });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/"uber-trace-id":"[0-9a-f]{32}:[0-9a-f]{16}:0:01"/);
  expect(stdout).toContain('"x-amzn-trace-id":"Root=1-');
});

test("a configuration file, which it does not read, is told", async () => {
  const env = { ...reference, OTEL_CONFIG_FILE: "/no/such.yaml" };
  const { stderr, code } = await runApp(appFile("trace/main.cjs"), { env });
  expect(code).toBe(0);
  expect(stderr).toBe(
    "sonde: OTEL_CONFIG_FILE: not read, since SONDE_ENGINE=opentelemetry reads variables alone\n",
  );
});
