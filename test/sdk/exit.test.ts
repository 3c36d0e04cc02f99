import { describe, expect, test } from "vitest";
import { plainValue, startSink } from "./support/sink.ts";
import { appFile, runApp } from "./support/app.ts";
import type { Ended } from "./support/app.ts";

// Ways for an app to end with something left in it.
const endings: readonly [ending: string, files: readonly string[]][] = [
  ["natural", ["main.cjs", "main.mjs"]],
  ["before-exit", ["main.cjs", "main.mjs"]],
  ["before-exit-works", ["main.cjs"]],
  ["exit", ["main.cjs", "main.mjs"]],
  ["throw", ["main.cjs"]],
  ["reject", ["main.cjs"]],
  ["sigterm", ["main.cjs"]],
  ["sigint", ["main.mjs"]],
  ["sigterm-handled", ["main.cjs"]],
  ["sigterm-ignored", ["main.cjs"]],
];

describe.each(endings.flatMap(([ending, files]) => files.map((file) => ({ ending, file }))))(
  "an app that ends by $ending ($file)",
  ({ ending, file }) => {
    test("ends as without the SDK, and what was waiting is sent once", async () => {
      const sink = await startSink();
      // By name, since looking it up takes turns of the event loop of its own.
      const url = sink.url.replace("127.0.0.1", "localhost");
      const options = { args: [ending], env: { OTEL_EXPORTER_OTLP_ENDPOINT: url } };
      const [alone, ended] = await Promise.all([
        runApp(appFile(`exit/${file}`), { ...options, preload: "none" }),
        runApp(appFile(`exit/${file}`), options),
      ]);
      await sink.close();
      expect(visible(ended)).toEqual(visible(alone));
      expect(sink.spans.map(({ name }) => name)).toEqual(["last"]);
      expect(sink.logs.map(({ body }) => plainValue(body))).toEqual(["last words"]);
      expect(sink.metrics.map(({ name }) => name)).toContain("endings");
    });
  },
);

test.each(["cumulative", "delta"])(
  "process.exit() right after a request keeps its span and its duration (%s)",
  async (temporality) => {
    const sink = await startSink();
    const ended = await runApp(appFile("exit/main.cjs"), {
      args: ["http-exit"],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
      },
    });
    await sink.close();
    expect(ended.code).toBe(5);
    expect(sink.spans.filter(({ kind }) => kind === 2)).toHaveLength(1);
    const durations = sink.metrics.find(({ name }) => name === "http.server.request.duration");
    expect(durations?.histogram?.dataPoints?.map(({ count }) => Number(count))).toEqual([1]);
  },
);

test("the last send takes headers and protocol along", async () => {
  const sink = await startSink();
  await runApp(appFile("exit/main.cjs"), {
    args: ["exit"],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b",
    },
  });
  await sink.close();
  expect(sink.spans).toHaveLength(1);
  expect(sink.requests.map(({ headers }) => headers["api-key"])).toEqual(["a b", "a b", "a b"]);
});

test.each(["natural", "sigterm"])("OpenTelemetry's own engine keeps all at %s", async (ending) => {
  const sink = await startSink();
  const options = { args: [ending], env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url } };
  const env = { ...options.env, SONDE_ENGINE: "opentelemetry" };
  const [alone, ended] = await Promise.all([
    runApp(appFile("exit/main.cjs"), { ...options, preload: "none" }),
    runApp(appFile("exit/main.cjs"), { ...options, env }),
  ]);
  await sink.close();
  expect(visible(ended)).toEqual(visible(alone));
  expect(sink.spans.map(({ name }) => name)).toEqual(["last"]);
  expect(sink.logs.map(({ body }) => plainValue(body))).toEqual(["last words"]);
  expect(sink.metrics.map(({ name }) => name)).toContain("endings");
});

/** Of a stack the app's frames; Node has others of its own between them when modules are watched. */
function visible({ code, signal, stdout, stderr }: Ended): object {
  const withoutNode = stderr.replaceAll(/^ +at (.* \()?node:.*\n/gm, "");
  return { code, signal, stdout, stderr: withoutNode };
}
