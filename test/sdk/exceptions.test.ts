// Exceptions as events of their spans, as log records, or as both; and their stacks, where code was transformed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import { plain, startSink } from "./support/sink.ts";

const told = {
  "exception.type": "TypeError",
  "exception.message": "no such order",
  "exception.stacktrace": expect.stringContaining("main.cjs"),
};

test.each([
  [{}, 1, 0],
  [{ OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN: "logs" }, 0, 1],
  [{ OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN: "logs/dup" }, 1, 1],
  // They would be lost.
  [{ OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN: "logs", OTEL_LOGS_EXPORTER: "none" }, 1, 0],
])("%j: %i events, %i log records", async (env, events, records) => {
  const sink = await startSink();
  const ended = await runApp(appFile("exceptions/main.cjs"), {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...env },
  });
  await sink.close();
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  const [span] = sink.spans;
  expect(span?.events ?? []).toHaveLength(events);
  for (const { name, timeUnixNano, attributes } of span?.events ?? []) {
    expect([name, timeUnixNano]).toEqual(["exception", "1770000000123000000"]);
    expect(plain(attributes)).toMatchObject(told);
  }
  expect(sink.logs).toHaveLength(records);
  for (const record of sink.logs) {
    expect(record).toMatchObject({
      eventName: "exception",
      severityNumber: 17,
      severityText: "ERROR",
      timeUnixNano: "1770000000123000000",
      traceId: span?.traceId,
      spanId: span?.spanId,
      scope: "shop",
      attributes: told,
    });
  }
});

test("with --enable-source-maps a stack is that of the source", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-maps-"));
  const outfile = join(folder, "app.cjs");
  await build({
    entryPoints: [appFile("exceptions/main.cjs")],
    outfile,
    bundle: true,
    minify: true,
    sourcemap: true,
    platform: "node",
  });
  const sink = await startSink();
  const ended = await runApp(outfile, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, NODE_OPTIONS: "--enable-source-maps" },
  });
  await sink.close();
  rmSync(folder, { recursive: true });
  expect(ended.code).toBe(0);
  const [event] = sink.spans[0]?.events ?? [];
  const stack = plain(event?.attributes)["exception.stacktrace"];
  expect(stack).toMatch(/exceptions\/main\.cjs:5:\d+/);
  expect(stack).not.toContain("app.cjs");
});
