// Four cluster workers, three threads and the primary at our collector: what each of them told adds up to
// what happened, in the file output and for Prometheus, with sums and with deltas.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCollector } from "../../support/collector-process.ts";
import type { HistogramDataPoint, NumberDataPoint, Request } from "../../support/otlp.ts";
import { parseScrape } from "../../support/prometheus-text.ts";
import { until } from "../../support/until.ts";
import { appFile, runApp } from "../support/app.ts";
import { plain } from "../support/sink.ts";

const shares = [1, 2, 3, 4, 5, 10, 20, 30];
const total = shares.reduce((sum, share) => sum + share, 0);
const expected = {
  orders: 2 * total,
  "http.client.request.duration": total,
  "http.server.request.duration": total,
};

interface Told {
  readonly instance: string;
  readonly name: string;
  /** Of one instance. */
  readonly series: string;
  readonly at: string;
  readonly isDelta: boolean;
  readonly value: number;
}

/** Every point that was written. */
function toldIn(file: string): readonly Told[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const requests = lines.map((line) => JSON.parse(line) as Request); // OTLP/JSON has this shape
  return requests.flatMap(({ resourceMetrics = [] }) =>
    resourceMetrics.flatMap(({ resource, scopeMetrics = [] }) => {
      const instance = String(plain(resource?.attributes)["service.instance.id"]);
      return scopeMetrics.flatMap(({ metrics = [] }) =>
        metrics.flatMap(({ name = "", sum, histogram }) => {
          const points: readonly (NumberDataPoint & HistogramDataPoint)[] =
            sum?.dataPoints ?? histogram?.dataPoints ?? [];
          const isDelta = (sum ?? histogram)?.aggregationTemporality === 1;
          return points.map(({ attributes, timeUnixNano = "", ...point }): Told => {
            const series = `${instance} ${name} ${JSON.stringify(attributes)}`;
            const value = Number(point.count ?? point.asInt ?? point.asDouble);
            return { instance, name, series, at: timeUnixNano, isDelta, value };
          });
        }),
      );
    }),
  );
}

test.each(["cumulative", "delta"])("the sums are right: %s", async (temporality) => {
  const collector = await startCollector({
    env: { SONDE_FILE_PATH: "told.jsonl" },
  });
  try {
    const ended = await runApp(appFile("sums/main.cjs"), {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttp,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
        OTEL_METRIC_EXPORT_INTERVAL: "100",
        OTEL_TRACES_EXPORTER: "none",
      },
    });
    expect([ended.code, ended.stdout, ended.stderr]).toEqual([0, "", ""]);
    await until("all outputs have taken all", async () => {
      const waiting = await collector.metric("sonde_output_waiting_items");
      return waiting === 0;
    });
    const told = toldIn(join(collector.dataDir, "told.jsonl"));
    const sumOf = (name: string): number => {
      const points = told.filter((point) => point.name === name);
      const last = new Map(points.map((point) => [point.series, point.value]));
      const values = points.some(({ isDelta }) => isDelta)
        ? points.map(({ value }) => value)
        : [...last.values()];
      return values.reduce((sum, value) => sum + value, 0);
    };
    const sums = Object.keys(expected).map((name) => [name, sumOf(name)]);
    expect(Object.fromEntries(sums)).toEqual(expected);

    const instancesOf = (name: string) =>
      new Set(told.filter((point) => point.name === name).map(({ instance }) => instance));
    expect(instancesOf("orders").size).toBe(shares.length);
    // A process's threads would tell what the process takes once more.
    expect(instancesOf("process.cpu.time").size).toBe(5);
    const moments = told.map(({ series, at }) => `${series} ${at}`);
    expect(new Set(moments).size).toBe(moments.length);

    const scraped = parseScrape(await (await fetch(collector.prometheus)).text());
    const scrapedSum = (sample: string): number =>
      [...scraped.samples]
        .filter(([key]) => key.startsWith(`${sample}{`))
        .reduce((sum, [, value]) => sum + value, 0);
    expect(scrapedSum("orders_total")).toBe(expected.orders);
    expect(scrapedSum("http_server_request_duration_seconds_count")).toBe(total);
    expect(scrapedSum("http_client_request_duration_seconds_count")).toBe(total);
  } finally {
    await collector.kill("SIGTERM");
  }
});
