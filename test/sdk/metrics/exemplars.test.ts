// Exemplars lead from a duration to a trace: through the whole way out, as they stand on the wire.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Exemplar, HistogramDataPoint } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";
import { appFile, startApp } from "../support/app.ts";
import { freePort } from "../support/http.ts";
import { startSink } from "../support/sink.ts";
import type { Sink } from "../support/sink.ts";

let sink: Sink;
beforeEach(async () => void (sink = await startSink()));
afterEach(() => sink.close());

const start = (env: Record<string, string>) =>
  startApp(appFile("http/main.cjs"), {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_LOGS_EXPORTER: "none", ...env },
  });

const server = "http.server.request.duration";

async function exemplarsOf(env: Record<string, string>): Promise<readonly Exemplar[]> {
  const app = start(env);
  await (await fetch(await app.url())).text();
  const { stderr } = await app.stop();
  expect(stderr).toBe("");
  const metric = sink.metrics.findLast(({ name }) => name === server);
  const { histogram, exponentialHistogram } = metric ?? {};
  const points = histogram?.dataPoints ?? exponentialHistogram?.dataPoints ?? [];
  expect(points).toHaveLength(1);
  return points[0]?.exemplars ?? [];
}

const exponential = {
  OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: "base2_exponential_bucket_histogram",
};

describe("over OTLP", () => {
  test.each([
    ["protobuf", {}],
    ["JSON", { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }],
    ["an exponential histogram", exponential],
  ])("an exemplar has the ids of the request's span: %s", async (_, env) => {
    const [exemplar, ...others] = await exemplarsOf(env);
    expect(others).toEqual([]);
    const span = sink.spans.find(({ kind }) => kind === 2);
    expect(exemplar).toMatchObject({ traceId: span?.traceId, spanId: span?.spanId });
    expect(exemplar?.asDouble).toBeGreaterThan(0);
    const tookNano = BigInt(exemplar?.timeUnixNano ?? 0) - BigInt(span?.endTimeUnixNano ?? 0);
    expect(Number(tookNano < 0n ? -tookNano : tookNano)).toBeLessThan(1e9);
  });

  test.each([
    ["trace_based", "always_off", 0],
    ["always_on", "always_off", 1],
    ["always_off", "always_on", 0],
  ])("the filter %s with the sampler %s", async (filter, sampler, count) => {
    const env = { OTEL_METRICS_EXEMPLAR_FILTER: filter, OTEL_TRACES_SAMPLER: sampler };
    expect(await exemplarsOf(env)).toHaveLength(count);
  });
});

test("exponential histograms and deltas are made of all requests, by variable", async () => {
  const app = start({
    ...exponential,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
    OTEL_METRIC_EXPORT_INTERVAL: "50",
  });
  const url = await app.url();
  for (let count = 0; count < 3; count++) {
    await (await fetch(url)).text();
    await until("it has come", () => points().length > count);
  }
  await app.stop();
  expect(points().map(({ count }) => Number(count))).toEqual([1, 1, 1]);
  const metric = sink.metrics.find(({ name }) => name === server);
  expect(metric?.exponentialHistogram?.aggregationTemporality).toBe(1);

  function points(): readonly HistogramDataPoint[] {
    return sink.metrics
      .filter(({ name }) => name === server)
      .flatMap(({ exponentialHistogram }) => exponentialHistogram?.dataPoints ?? []);
  }
});

describe("for Prometheus", () => {
  interface Scrape {
    readonly type: string | null;
    readonly text: string;
  }

  /** One app, asked in all of these ways. */
  const asking = async (...ways: readonly string[]): Promise<readonly Scrape[]> => {
    const port = await freePort();
    const app = start({
      OTEL_METRICS_EXPORTER: "prometheus",
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
    });
    await (await fetch(await app.url())).text();
    const scrapes: Scrape[] = [];
    for (const accept of ways) {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } });
      scrapes.push({ type: answer.headers.get("content-type"), text: await answer.text() });
    }
    const { stderr } = await app.stop();
    expect(stderr).toBe("");
    return scrapes;
  };
  const nothing: Scrape = { type: null, text: "" };
  // What Prometheus 3 sends.
  const openMetrics =
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.1";

  test("who asks for OpenMetrics gets exemplars", async () => {
    const [{ type, text } = nothing] = await asking(openMetrics);
    expect(type).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    const span = sink.spans.find(({ kind }) => kind === 2);
    const ids = `# {trace_id="${span?.traceId}",span_id="${span?.spanId}"} `;
    const lines = text.split("\n");
    const samples = lines.filter((line) => line.includes("} 1 # {trace_id="));
    expect(samples).toHaveLength(1);
    expect(samples[0]).toContain(ids);
    expect(samples[0]).toMatch(/^http_server_request_duration_bucket\{.*,le="[\d.]+"\} 1 # /);
    expect(samples[0]).toMatch(/ \d+\.\d{3}$/);
    expect(lines.filter((line) => line === "# EOF")).toHaveLength(1);
    expect(text.endsWith("\n# EOF\n")).toBe(true);
  });

  test("the series have the same names and labels as in the older format", async () => {
    const [newer = nothing, older = nothing] = await asking(openMetrics, "text/plain");
    expect(older.type).toBe("text/plain");
    expect(older.text).not.toContain("trace_id");
    expect(seriesIn(newer.text)).toEqual(seriesIn(older.text));
    expect(seriesIn(newer.text).length).toBeGreaterThan(30);
  });

  /**
   * Without those of garbage collections, of which there may be one between two scrapes, and of delays,
   * of which there may be none.
   */
  function seriesIn(text: string): readonly string[] {
    return text
      .split("\n")
      .filter(
        (line) => line !== "" && !/^(#|target_info|v8js_gc|nodejs_eventloop_delay)/.test(line),
      )
      .map((line) => line.replace(/ # .*/, "").replace(/ \S+$/, ""))
      .toSorted();
  }
});
