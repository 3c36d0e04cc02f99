// A process as a step of a trace that began elsewhere.

import { afterEach, describe, expect, test } from "vitest";
import { appFile, runApp, startApp } from "../support/app.ts";
import { until } from "../../support/until.ts";
import { startSink } from "../support/sink.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const quiet = { OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };

interface Printed {
  readonly headers: Readonly<Record<string, string>>;
  readonly isRecording: boolean;
}

async function run(
  env: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Printed & { readonly stderr: string }> {
  const args = [JSON.stringify(headers)];
  const ended = await runApp(appFile("trace/main.cjs"), { args, env: { ...quiet, ...env } });
  expect(ended.code).toBe(0);
  return { ...(JSON.parse(ended.stdout) as Printed), stderr: ended.stderr };
}

describe("TRACEPARENT, TRACESTATE and BAGGAGE", () => {
  test("make what the process does by itself part of that trace", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    const { headers } = await run({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      TRACEPARENT: `00-${traceId}-${spanId}-01`,
      TRACESTATE: "vendor=1",
      BAGGAGE: "build=7",
    });
    expect(headers).toMatchObject({ tracestate: "vendor=1", baggage: "build=7" });
    expect(headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const [span] = sink.spans;
    expect(span).toMatchObject({ traceId, parentSpanId: spanId });
  });

  test("are read in the format that is asked for", async () => {
    const { headers } = await run({
      OTEL_TRACES_EXPORTER: "none",
      OTEL_PROPAGATORS: "b3",
      B3: `${traceId}-${spanId}-1`,
      TRACEPARENT: `00-${"1".repeat(32)}-${spanId}-01`,
    });
    expect(headers["b3"]).toContain(traceId);
  });

  test("that make no sense are ignored", async () => {
    const env = { OTEL_TRACES_EXPORTER: "none", TRACEPARENT: `00-${"0".repeat(32)}-${spanId}-01` };
    expect(await run(env)).toEqual({ headers: {}, isRecording: false, stderr: "" });
  });

  test("leave requests that come in to the traces of their senders", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    const app = startApp(appFile("plain/main.cjs"), {
      env: {
        ...quiet,
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_BSP_SCHEDULE_DELAY: "20",
        TRACEPARENT: `00-${traceId}-${spanId}-01`,
      },
    });
    await fetch(await app.url());
    await until("it has come so far", () => sink.spans.length > 0);
    await app.stop();
    expect(sink.spans[0]?.traceId).not.toBe(traceId);
  });
});

test("OTEL_SDK_DISABLED=true records nothing, is silent and still passes a trace on", async () => {
  const traceparent = `00-${traceId}-${spanId}-01`;
  const env = {
    OTEL_SDK_DISABLED: "true",
    OTEL_TRACES_SAMPLR: "typo",
    OTEL_PROPAGATORS: "tracecontext,b3",
  };
  expect(await run(env, { traceparent })).toEqual({
    headers: { traceparent, b3: `${traceId}-${spanId}-1` },
    isRecording: false,
    stderr: "",
  });
});
