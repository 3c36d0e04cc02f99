// What is told of Node, the process and the machine, by a process that does nothing but live.

import { afterEach, beforeEach, expect, test } from "vitest";
import { hostInstruments } from "../../../sdk/metrics/host.ts";
import { processInstruments } from "../../../sdk/metrics/process.ts";
import type { Instrument } from "../../../sdk/metrics/reader.ts";
import { runtimeInstruments } from "../../../sdk/metrics/runtime.ts";
import type { Metric } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";
import { appFile, runApp, startApp } from "../support/app.ts";
import { plain, startSink } from "../support/sink.ts";
import type { Sink } from "../support/sink.ts";

let sink: Sink;
beforeEach(async () => void (sink = await startSink()));
afterEach(() => sink.close());

const env = (more: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
  OTEL_METRIC_EXPORT_INTERVAL: "200",
  ...more,
});

const namesOf = (instruments: Readonly<Record<string, Instrument>>): string[] =>
  Object.values(instruments).map(({ name }) => name);

const receivedOf = (scope: string) => [
  ...new Set(
    sink.metrics.filter((metric) => metric.scope === `sonde/${scope}`).map(({ name = "" }) => name),
  ),
];

const last = (name: string): Metric | undefined =>
  sink.metrics.findLast((metric) => metric.name === name);

const valuesOf = (metric: Metric | undefined): Record<string, number> => {
  const points = metric?.sum?.dataPoints ?? metric?.gauge?.dataPoints ?? [];
  return Object.fromEntries(
    points.map((point) => [
      Object.values(plain(point.attributes)).join(" "),
      Number(point.asInt ?? point.asDouble),
    ]),
  );
};

const isOnLinux = process.platform === "linux";

test("all of the runtime and of the process is told, with values that can be", async () => {
  const app = startApp(appFile("http/main.cjs"), { env: env({ NODE_OPTIONS: "--expose-gc" }) });
  await app.url();
  const wanted = [...namesOf(runtimeInstruments), ...namesOf(processInstruments)];
  // A process that does nothing collects nothing either, but this one has just started.
  await until("all has come twice", () => {
    const times = sink.metrics.filter(({ name }) => name === "process.cpu.utilization").length;
    const told = new Set(sink.metrics.map(({ name }) => name));
    return times > 2 && wanted.filter((name) => !told.has(name)).length === 0;
  });
  const { stderr } = await app.stop();
  expect(stderr).toBe("");
  expect(receivedOf("runtime").toSorted()).toEqual(namesOf(runtimeInstruments).toSorted());
  expect(receivedOf("process").toSorted()).toEqual(namesOf(processInstruments).toSorted());
  expect(receivedOf("host")).toEqual([]);
  const cpu = valuesOf(last("process.cpu.time"));
  expect(Object.keys(cpu)).toEqual(["user", "system"]);
  expect(cpu["user"]).toBeGreaterThan(0.01);
  expect(cpu["user"]).toBeLessThan(60);
  expect(valuesOf(last("process.memory.usage"))[""]).toBeGreaterThan(2e7);
  expect(valuesOf(last("process.uptime"))[""]).toBeGreaterThan(0.1);
  expect(valuesOf(last("nodejs.eventloop.utilization"))[""]).toBeLessThanOrEqual(1);
  expect(valuesOf(last("nodejs.eventloop.delay.p50"))[""]).toBeGreaterThan(0.01);
  expect(valuesOf(last("v8js.memory.heap.used"))).toHaveProperty("old_space");
  if (isOnLinux) {
    const files = valuesOf(last("process.unix.file_descriptor.count"))[""];
    expect(files).toBeGreaterThan(5);
    expect(files).toBeLessThan(200);
  }
  for (const name of ["process.cpu.utilization", "nodejs.eventloop.time"]) {
    for (const value of Object.values(valuesOf(last(name))))
      expect(value).toBeGreaterThanOrEqual(0);
  }
});

test("the machine is told of if that is asked for, in few series", async () => {
  const app = startApp(appFile("http/main.cjs"), { env: env({ SONDE_HOST_METRICS: "true" }) });
  await app.url();
  await until("it has come twice", () => {
    return sink.metrics.filter(({ name }) => name === "system.cpu.utilization").length > 1;
  });
  await app.stop();
  const optional = new Set(["system.disk.io", "system.network.io"]); // where there is neither
  const names = (all: readonly string[]) => all.filter((name) => !optional.has(name)).toSorted();
  expect(names(receivedOf("host"))).toEqual(names(namesOf(hostInstruments)));
  const shares = Object.values(valuesOf(last("system.cpu.utilization")));
  const sum = shares.reduce((all, share) => all + share, 0);
  expect(sum === 0 || Math.abs(sum - 1) < 0.01).toBe(true);
  const memory = valuesOf(last("system.memory.usage"));
  const limit = valuesOf(last("system.memory.limit"))[""];
  expect((memory["used"] ?? 0) + (memory["free"] ?? 0)).toBe(limit);
  for (const metric of sink.metrics.filter(({ scope }) => scope === "sonde/host")) {
    const points = metric.sum?.dataPoints ?? metric.gauge?.dataPoints ?? [];
    expect(points.length, metric.name).toBeLessThanOrEqual(32);
  }
});

test("each can be switched off", async () => {
  const off = {
    OTEL_NODE_DISABLED_INSTRUMENTATIONS: "runtime-node",
    SONDE_PROCESS_METRICS: "false",
  };
  const app = startApp(appFile("http/main.cjs"), { env: env(off) });
  await (await fetch(await app.url())).text();
  await until("another has come", () => sink.metrics.length > 0);
  await app.stop();
  expect(new Set(sink.metrics.map(({ scope }) => scope))).toEqual(new Set(["sonde/http"]));
});

test("deltas add up to the sum", async () => {
  const delta = { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta" };
  const app = startApp(appFile("http/main.cjs"), { env: env(delta) });
  await app.url();
  const all = () => sink.metrics.filter(({ name }) => name === "process.cpu.time");
  await until("some have come", () => all().length > 3);
  await app.stop();
  expect(all().map(({ sum }) => sum?.aggregationTemporality)).not.toContain(2);
  const points = all().map(({ sum }) => sum?.dataPoints?.[0]);
  for (const [index, point] of points.entries()) {
    expect(Number(point?.asDouble)).toBeGreaterThanOrEqual(0);
    if (index === 0) continue;
    expect(point?.startTimeUnixNano).toBe(points[index - 1]?.timeUnixNano);
  }
  const user = points.reduce((sum, point) => sum + Number(point?.asDouble), 0);
  expect(user).toBeLessThan(60);
  expect(user).toBeGreaterThan(Number(points[0]?.asDouble));
});

test("nothing of it keeps a process from ending", async () => {
  const more = { SONDE_HOST_METRICS: "true" };
  const { code, stderr, tookMs } = await runApp(appFile("plain/console.cjs"), { env: env(more) });
  expect([code, stderr.includes("sonde:")]).toEqual([0, false]);
  expect(tookMs).toBeLessThan(20_000);
});
