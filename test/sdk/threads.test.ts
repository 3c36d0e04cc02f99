// Each thread and each process of a cluster is observed by itself, and none loses what it told last.

import { describe, expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import type { Ended } from "./support/app.ts";
import { launch } from "./support/launch.ts";
import { plainValue, startSink } from "./support/sink.ts";

const apps = "test/sdk/apps";
const files = ["main.cjs", "main.mjs"];
/** So that nothing is sent before the end. */
const late = { OTEL_BSP_SCHEDULE_DELAY: "30000" };

describe.each(files)("worker_threads: %s", (file) => {
  test.each([
    ["natural", "worker 0\n"],
    ["exit", "worker 3\n"],
  ])("a thread that ends by %s loses nothing", async (ending, told) => {
    const command = [process.execPath, `${apps}/threads/${file}`, ending];
    const app = await launch(command, { env: late });
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.output).toEqual({ stdout: told, stderr: "" });
    const found = await app.collector.spans({}, { count: 4 });
    expect(found.map(({ kind }) => kind).toSorted()).toEqual([
      "client",
      "client",
      "server",
      "server",
    ]);
    const instances = new Set(found.map(({ resource }) => resource["service.instance.id"]));
    expect(instances.size).toBe(2);
  });

  test("a thread that is terminated takes nobody else's spans along", async () => {
    const command = [process.execPath, `${apps}/threads/${file}`, "terminated"];
    const app = await launch(command, { env: late });
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.output).toEqual({ stdout: "worker 1\n", stderr: "" });
    await app.collector.spans({ kind: "server" });
  });
});

const endings = ["natural", "exit in the thread", "throw in the thread", "exit", "throw"];
const signals = ["SIGTERM", "SIGINT", "SIGTERM, handled"];
/** Nothing runs in the thread any more that could tell its metrics. */
const abrupt = ["terminate", "exit while the thread is busy"];

test.each([
  ...[...endings, ...signals, ...abrupt].map((ending) => [ending, "http/protobuf"] as const),
  ...["exit", "terminate"].map((ending) => [ending, "http/json"] as const),
])("what a thread has told last arrives once, and all ends as ever: %s (%s)", async (...args) => {
  const [ending, protocol] = args;
  const sink = await startSink();
  const file = appFile("threads/last.cjs");
  const env = {
    ...late,
    OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  };
  const [alone, ended] = await Promise.all([
    runApp(file, { args: [ending], preload: "none" }),
    runApp(file, { args: [ending], env }),
  ]);
  await sink.close();
  const visible = ({ code, signal, stdout }: Ended): object => ({ code, signal, stdout });
  expect(visible(ended)).toEqual(visible(alone));
  expect(ended.stderr.replaceAll(/^ +at .*\n/gm, "")).toBe(
    alone.stderr.replaceAll(/^ +at .*\n/gm, ""),
  );
  expect(sink.spans.map(({ name }) => name)).toEqual(["last"]);
  expect(sink.logs.map(({ body }) => plainValue(body))).toEqual(["last words"]);
  const counters = sink.metrics.filter(({ name }) => name === "endings");
  if (abrupt.includes(ending)) expect(counters).toEqual([]);
  else expect(counters.length).toBeGreaterThan(0);
});

test.each([
  ["main.cjs", "SIGTERM", "disconnects its workers"],
  ["main.mjs", "SIGTERM", "disconnects its workers"],
  ["main.cjs", "SIGUSR2", "kills them by cluster's means"],
  ["main.cjs", "SIGHUP", "sends them SIGTERM"],
] as const)(
  "cluster: each process is an instance and loses nothing: %s, %s %s",
  async (...args) => {
    const [file, signal] = args;
    const app = await launch([process.execPath, `${apps}/cluster/${file}`], { env: late });
    const url = await app.url();
    const pids = new Set<number>();
    let sent = 0;
    for (; pids.size < 2 && sent < 50; sent++) {
      pids.add(Number(await fetch(url).then((answer) => answer.text())));
    }
    app.child.kill(signal);
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.output.stderr).toBe("");
    const spans = await app.collector.spans({ kind: "server" }, { count: sent });
    expect(spans).toHaveLength(sent);
    expect(new Set(spans.map(({ resource }) => resource["process.pid"]))).toEqual(pids);
    expect(new Set(spans.map(({ resource }) => resource["service.instance.id"])).size).toBe(2);
  },
);
