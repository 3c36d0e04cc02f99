// docs/metrics.md says what the code does.

import { readFileSync } from "node:fs";
import { DataPointType } from "@opentelemetry/sdk-metrics";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { healthMetrics } from "../../../sdk/health.ts";
import { metrics } from "../../../sdk/index.ts";
import { queueInstruments } from "../../../sdk/instrument/queues.ts";
import { countWebSockets, socketInstruments } from "../../../sdk/instrument/sockets.ts";
import { clientDurations, serverDurations } from "../../../sdk/metrics/durations.ts";
import { hostInstruments } from "../../../sdk/metrics/host.ts";
import { httpInstruments, ownMetricsFor } from "../../../sdk/metrics/own.ts";
import { processInstruments } from "../../../sdk/metrics/process.ts";
import { runtimeInstruments } from "../../../sdk/metrics/runtime.ts";
import { instrumentationNames, readSettings } from "../../../sdk/settings.ts";
import { variables } from "../../../sdk/variables.ts";
import { until } from "../../support/until.ts";

const text = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");

const rows = text
  .split("\n")
  .filter((line) => /^\| `[a-z0-9]+\./.test(line))
  .map((line) => {
    const [, name = "", unit = "", kind = ""] = line.split("|").map((cell) => cell.trim());
    return { name: name.replaceAll("`", ""), unit: unit.replaceAll("`", ""), kind };
  });

const instruments = [
  httpInstruments,
  runtimeInstruments,
  processInstruments,
  hostInstruments,
  socketInstruments,
  queueInstruments,
  healthMetrics,
].flatMap((group) => Object.values<{ readonly name: string; readonly unit: string }>(group));

test("it has every metric with its unit, each once, and no other", () => {
  expect(rows.map(({ name, unit }) => ({ name, unit }))).toEqual(
    expect.arrayContaining(instruments.map(({ name, unit }) => ({ name, unit }))),
  );
  expect(rows.map(({ name }) => name).toSorted()).toEqual(
    instruments.map(({ name }) => name).toSorted(),
  );
});

test("the kinds are those of what is told", async () => {
  const { settings } = readSettings({
    SONDE_HOST_METRICS: "true",
    SONDE_HTTP_ACTIVE_REQUESTS: "true",
  });
  for (const durations of [serverDurations, clientDurations]) {
    const family = durations.family("GET", "http", "1.1");
    durations.add(family, "", 200, {}).add(0.1);
  }
  countWebSockets(WebSocket);
  const own = ownMetricsFor(settings);
  const told = await until("the event loop's delay has been measured", () => {
    const all = own.collectNow().flatMap(({ metrics }) => metrics);
    return all.some(({ descriptor }) => descriptor.name.includes("delay")) ? all : undefined;
  });
  expect(told.length).toBeGreaterThan(30);
  for (const metric of told) {
    const { name } = metric.descriptor;
    const row = rows.find((row) => row.name === name);
    expect({ name, kind: row?.kind }).toEqual({ name, kind: kindOf(metric) });
  }
});

function kindOf(metric: MetricData): string {
  if (metric.dataPointType === DataPointType.GAUGE) return "gauge";
  if (metric.dataPointType !== DataPointType.SUM) return "histogram";
  return metric.isMonotonic ? "counter" : "level";
}

test("the settings and helpers that it names are there", () => {
  for (const [name = ""] of text.matchAll(/\b(OTEL|SONDE)_[A-Z_]+/g)) {
    expect(variables.has(name), name).toBe(true);
  }
  const names: readonly string[] = instrumentationNames;
  for (const [, list = ""] of text.matchAll(/DISABLED_INSTRUMENTATIONS=([a-z.,-]+)/g)) {
    for (const name of list.split(",")) expect(names).toContain(name);
  }
  for (const name of Object.keys(metrics)) expect(text).toContain(`metrics.${name}(`);
});
