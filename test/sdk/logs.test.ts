import { afterAll, expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import { plainValue, startSink } from "./support/sink.ts";
import { decodeRequest } from "../support/otlp.ts";
import type { Request } from "../support/otlp.ts";
import { fromJson } from "../../collector/wire/from-json.ts";

const sink = await startSink();
afterAll(() => sink.close());

test("what is written against the API for logs before it was part of the API is sent too", async () => {
  await runApp(appFile("exit/old-logs.cjs"), { env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url } });
  expect(sink.logs.map(({ body, scope }) => [plainValue(body), scope])).toEqual([["old", "old"]]);
});

test("the console exporter prints each span and record at once, as a line of OTLP/JSON", async () => {
  const { stdout, stderr } = await runApp(appFile("exit/main.cjs"), {
    args: ["natural"],
    env: {
      OTEL_TRACES_EXPORTER: "console",
      OTEL_LOGS_EXPORTER: "console",
      OTEL_METRICS_EXPORTER: "none",
    },
  });
  const [record, span, ...others] = stdout.trim().split("\n");
  expect([stderr, others]).toEqual(["", []]);
  const logs = JSON.parse(record ?? "") as Request;
  expect(logs.resourceLogs?.[0]?.scopeLogs?.[0]?.logRecords?.[0]?.body?.stringValue).toBe(
    "last words",
  );
  const { bytes } = fromJson("traces", Buffer.from(span ?? ""));
  const traces = decodeRequest("traces", bytes);
  expect(traces.resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[0]?.name).toBe("last");
});
