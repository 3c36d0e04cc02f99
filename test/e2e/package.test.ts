// What a user installs: the package is packed, installed into an empty folder, and used from there.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanEnv } from "../support/collector-process.ts";
import { decodeRequest, sampleBatch } from "../support/otlp.ts";
import { post } from "../support/post.ts";
import { startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sonde-package-"));
const app = join(folder, "app");

/** Runs to its end and must succeed. npm needs the whole environment: proxies, registries, caches. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

beforeAll(() => {
  run("npm", ["pack", "--pack-destination", folder], root);
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{ "private": true }');
  const { version } = packageJson();
  run("npm", ["install", join(folder, `sonde-${version}.tgz`)], app);
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function packageJson(): { version: string } {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
}

test("npx sonde --version", () => {
  expect(run("npx", ["sonde", "--version"], app)).toBe(`${packageJson().version}\n`);
});

test("npx sonde takes a span and keeps it", async () => {
  const env = cleanEnv({
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_PROMETHEUS_PORT: "0",
    SONDE_WEB_PORT: "0",
  });
  const child = spawn(join(app, "node_modules", ".bin", "sonde"), { cwd: app, env, stdio: "pipe" });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  try {
    const url = await until("it listens", () => /OTLP\/HTTP on (\S+)/.exec(output)?.[1]);
    const { bytes } = sampleBatch("traces", { items: 1 });
    const status = await until("it takes a span", () => post(url, "traces", bytes));
    expect(status).toBe(200);
    expect(output).not.toMatch(/error|warning/i);
  } finally {
    child.kill("SIGTERM");
  }
  await until("it has ended", () => child.exitCode !== null || undefined);
  expect(child.exitCode).toBe(0);
});

test.each(["--require", "--import"])("node %s sonde/register observes an app", async (flag) => {
  const sink = await startSink();
  writeFileSync(
    join(app, "app.js"),
    `const http = require("node:http");
     const server = http.createServer((request, response) => response.end("hello"));
     server.listen(0, async () => {
       await (await fetch("http://127.0.0.1:" + server.address().port + "/")).text();
       server.close();
     });`,
  );
  const env = cleanEnv({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_SERVICE_NAME: "packed" });
  const child = spawn(process.execPath, [flag, "sonde/register", "app.js"], { cwd: app, env });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await until("it has ended", () => child.exitCode !== null || undefined);
  expect(stderr).toBe("");
  const spans = sink.requests
    .filter(({ signal }) => signal === "traces")
    .flatMap(({ bytes }) => decodeRequest("traces", bytes).resourceSpans ?? [])
    .flatMap(({ scopeSpans = [] }) => scopeSpans.flatMap(({ spans = [] }) => spans));
  expect(spans.map(({ name, kind }) => `${name} ${kind}`).toSorted()).toEqual(["GET 2", "GET 3"]);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  await sink.close();
});

/** Says what it had loaded when it listened, calls itself once and ends. */
const counting = `
  const http = require("node:http");
  const server = http.createServer((request, response) => response.end("hello"));
  server.listen(0, () => {
    console.log(JSON.stringify(Object.keys(require("node:module")._cache)));
    http.get({ port: server.address().port, agent: false }, (answer) => {
      answer.resume().on("end", () => server.close());
    });
  });`;

async function runCounting(env: Readonly<Record<string, string>>) {
  const sink = await startSink();
  writeFileSync(join(app, "counting.js"), counting);
  const child = spawn(process.execPath, ["--require", "sonde/register", "counting.js"], {
    cwd: app,
    env: cleanEnv({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none", ...env }),
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await until("it has ended", () => child.exitCode !== null || undefined);
  await sink.close();
  const loaded = JSON.parse(stdout.split("\n")[0] ?? "") as string[];
  return { loaded, stderr, requests: sink.requests.filter(({ signal }) => signal === "traces") };
}

test("what is loaded at start is one file of ours", async () => {
  const { loaded } = await runCounting({ OTEL_METRICS_EXPORTER: "otlp" });
  const files = loaded.map((file) => file.split(/[/\\]node_modules[/\\]/).at(-1));
  expect(files.slice(0, -1)).toEqual(["sonde/dist/sdk/register.cjs", "sonde/dist/sdk/sonde.cjs"]);
});

test("an app's own instruments and its helpers are in the package", async () => {
  const sink = await startSink();
  writeFileSync(
    join(app, "measuring.js"),
    `const { metrics } = require("sonde");
     metrics.increment("orders", 3);
     metrics.timing("render", 12);`,
  );
  const child = spawn(process.execPath, ["--require", "sonde/register", "measuring.js"], {
    cwd: app,
    env: cleanEnv({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }),
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await until("it has ended", () => child.exitCode !== null || undefined);
  expect(stderr).toBe("");
  const told = sink.requests
    .filter(({ signal }) => signal === "metrics")
    .flatMap(({ bytes }) => decodeRequest("metrics", bytes).resourceMetrics ?? [])
    .flatMap(({ scopeMetrics = [] }) => scopeMetrics.flatMap(({ metrics = [] }) => metrics));
  const names = told.map(({ name }) => name);
  for (const name of ["orders", "render", "process.uptime", "v8js.memory.heap.used"])
    expect(names).toContain(name);
  await sink.close();
});

// In files of their own from source, in a few files here.
test.each([
  { OTEL_METRICS_EXPORTER: "prometheus", OTEL_EXPORTER_PROMETHEUS_PORT: "0" },
  { OTEL_PROPAGATORS: "jaeger,xray,ottrace" },
  { OTEL_TRACES_SAMPLER: "jaeger_remote", OTEL_TRACES_SAMPLER_ARG: "initialSamplingRate=1" },
  { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" },
  { OTEL_CONFIG_FILE: "telemetry.yaml" },
  { SONDE_ENGINE: "opentelemetry" },
])("what few ask for is in the package: %o", async (env) => {
  writeFileSync(
    join(app, "telemetry.yaml"),
    `file_format: "1.0"
tracer_provider:
  processors:
    - batch: { exporter: { otlp_http: { endpoint: "\${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces" } } }
`,
  );
  const { requests, stderr } = await runCounting(env);
  expect(stderr.replace(/^sonde: (sampling strategies|OTEL_CONFIG_FILE): .*\n/, "")).toBe("");
  expect(requests).toHaveLength(1);
});

test("npx sonde run observes an app, and npx sonde doctor says so", async () => {
  const sink = await startSink();
  writeFileSync(
    join(app, "app.js"),
    `const { createServer, get } = require("node:http");
     const server = createServer((request, response) => response.end("hello"));
     server.listen(0, () => get({ port: server.address().port, agent: false }, (answer) => {
       answer.resume().on("end", () => server.close());
     }));`,
  );
  const env = cleanEnv({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none" });
  const sonde = async (...args: readonly string[]) => {
    const child = spawn(join(app, "node_modules", ".bin", "sonde"), args, { cwd: app, env });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await until("it has ended", () => child.exitCode !== null || undefined);
    return { output, code: child.exitCode };
  };
  expect(await sonde("run", "--", "node", "app.js")).toEqual({ output: "", code: 0 });
  expect(sink.requests.map(({ signal }) => signal)).toContain("traces");
  const examined = await sonde("doctor", "--", "sonde", "run", "--", "node", "app.js");
  expect(examined.output).toMatch(/\nTest span +✓ .* accepted\n\nAll is well\.\n$/);
  expect(examined.code).toBe(0);
  await sink.close();
});
