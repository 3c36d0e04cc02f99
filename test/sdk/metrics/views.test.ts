// Views of a configuration file: on what the app measures, and on what the SDK itself does.

import type { ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { afterAll, describe, expect, test } from "vitest";
import type { OwnMetrics } from "../../../sdk/metrics/own.ts";
import { exponentialPoint, histogramPoint } from "../../../sdk/metrics/kinds.ts";
import { cumulativeForm, Reader } from "../../../sdk/metrics/reader.ts";
import type { ReaderForm } from "../../../sdk/metrics/reader.ts";
import { Series } from "../../../sdk/metrics/series.ts";
import { keepingByView, withViews } from "../../../sdk/metrics/views.ts";
import { appFile, runApp } from "../support/app.ts";
import { fileOf, head, read } from "../support/config-file.ts";
import { plain, startSink } from "../support/sink.ts";

const sink = await startSink();
afterAll(() => sink.close());

interface ReaderOptions {
  readonly more?: string;
  readonly args?: readonly string[];
}

async function metricsBy(views: string, { more = "", args = [] }: ReaderOptions = {}) {
  const file = fileOf(`${head}
resource: { attributes: [{ name: service.name, value: viewed }] }
meter_provider:
  readers:
    - periodic:
        exporter: { otlp_http: { endpoint: "${sink.url}/v1/metrics"${more} } }
  views:
${views}
`);
  sink.metrics.length = 0;
  const env = { OTEL_CONFIG_FILE: file };
  const ended = await runApp(appFile("views/main.cjs"), { env, args });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return sink.metrics;
}

type Metrics = Awaited<ReturnType<typeof metricsBy>>;

function named(metrics: Metrics, name: string) {
  return metrics.findLast((metric) => metric.name === name);
}

describe.each([[[]], [["exit"]]])("%j", (args) => {
  test("metrics of both are left out, named and described anew", async () => {
    const metrics = await metricsBy(
      `
    - { selector: { instrument_name: debug.* }, stream: { aggregation: { drop } } }
    - { selector: { meter_name: sonde/runtime }, stream: { aggregation: { drop } } }
    - { selector: { instrument_name: "process.*", instrument_type: gauge }, stream: { aggregation: { drop } } }
    - { selector: { instrument_name: orders }, stream: { name: shop.orders, description: All of them. } }
    - { selector: { instrument_name: http.client.request.duration }, stream: { name: calls, description: What is called. } }`,
      { args },
    );
    const names = new Set(metrics.map(({ name }) => name));
    for (const gone of ["debug.calls", "nodejs.eventloop.utilization", "orders", "process.uptime"])
      expect(names).not.toContain(gone);
    for (const left of ["process.cpu.time", "http.server.request.duration", "basket.size"])
      expect(names).toContain(left);
    expect(named(metrics, "shop.orders")).toMatchObject({
      description: "All of them.",
      scope: "shop",
    });
    expect(named(metrics, "calls")).toMatchObject({ description: "What is called.", unit: "s" });
  });

  test("attributes are left out, and what differs in them alone is added up", async () => {
    const metrics = await metricsBy(
      `
    - { selector: { instrument_name: orders }, stream: { attribute_keys: { included: [ten*] } } }
    - { selector: { instrument_name: http.server.* }, stream: { attribute_keys: { included: ["http.*"], excluded: ["*.status_code"] } } }
    - { selector: { instrument_name: process.cpu.time }, stream: { attribute_keys: { included: [] } } }`,
      { args },
    );
    const sums = named(metrics, "orders")?.sum?.dataPoints?.map((point) => [
      plain(point.attributes),
      Number(point.asInt ?? point.asDouble),
    ]);
    expect(sums).toEqual([
      [{ tenant: "a" }, 3],
      [{ tenant: "b" }, 4],
    ]);
    const [duration, ...others] =
      named(metrics, "http.server.request.duration")?.histogram?.dataPoints ?? [];
    expect(others).toEqual([]);
    expect(plain(duration?.attributes)).toEqual({ "http.request.method": "GET" });
    expect(Number(duration?.count)).toBe(3);
    const counts = (duration?.bucketCounts ?? []).map(Number);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
    expect(named(metrics, "process.cpu.time")?.sum?.dataPoints).toHaveLength(1);
  });

  test("histograms have the buckets that they are given", async () => {
    const metrics = await metricsBy(
      `
    - { selector: { instrument_name: basket.size }, stream: { aggregation: { explicit_bucket_histogram: { boundaries: [5, 6, 8] } } } }
    - { selector: { instrument_name: http.*.request.duration }, stream: { aggregation: { explicit_bucket_histogram: { boundaries: [0.000001, 60] } } } }`,
      { args },
    );
    const [basket] = named(metrics, "basket.size")?.histogram?.dataPoints ?? [];
    expect([basket?.explicitBounds, basket?.bucketCounts?.map(Number)]).toEqual([
      [5, 6, 8],
      [0, 0, 1, 0],
    ]);
    for (const side of ["server", "client"]) {
      const { histogram } = named(metrics, `http.${side}.request.duration`) ?? {};
      for (const { explicitBounds, bucketCounts, count } of histogram?.dataPoints ?? []) {
        expect(explicitBounds).toEqual([0.000_001, 60]);
        expect(bucketCounts?.map(Number)).toEqual([0, Number(count), 0]);
      }
    }
  });
});

describe.each([[[]], [["exit"]]])("%j", (args) => {
  const small = (options: string) =>
    `stream: { aggregation: { base2_exponential_bucket_histogram: { ${options} } } }`;

  test("single histograms are exponential, within the limits of their views", async () => {
    const metrics = await metricsBy(
      `
    - { selector: { instrument_name: basket.size }, ${small("max_scale: 1, record_min_max: false")} }
    - { selector: { instrument_name: http.server.request.duration }, ${small("max_size: 2")} }
    - { selector: { instrument_name: http.server.request.duration }, stream: { name: as.ever } }
    - { selector: { meter_name: sonde/runtime, instrument_type: histogram }, ${small("max_scale: -10")} }`,
      { args },
    );
    const [basket] = named(metrics, "basket.size")?.exponentialHistogram?.dataPoints ?? [];
    expect(basket).toMatchObject({ scale: 1, positive: { offset: 5 } }); // 2 ** 2.5 < 7 <= 2 ** 3
    expect([Number(basket?.count), basket?.min, basket?.max]).toEqual([1, undefined, undefined]);
    const { exponentialHistogram, histogram } = named(metrics, "http.server.request.duration")!;
    expect(histogram).toBeUndefined();
    const counts = exponentialHistogram?.dataPoints?.map(({ positive }) =>
      positive?.bucketCounts?.map(Number),
    );
    expect(counts?.flat().reduce((sum = 0, count = 0) => sum + count)).toBe(3);
    for (const of of counts ?? []) expect(of?.length).toBeLessThanOrEqual(2);
    expect(named(metrics, "as.ever")?.histogram?.dataPoints).toHaveLength(2);
    expect(named(metrics, "http.client.request.duration")?.histogram).toBeDefined();
    const gc = named(metrics, "v8js.gc.duration");
    expect(gc?.histogram).toBeUndefined();
    for (const { scale } of gc?.exponentialHistogram?.dataPoints ?? []) expect(scale).toBe(-10);
  });

  test("single histograms have fixed buckets where exponential ones are the default", async () => {
    const fixed = "stream: { aggregation: { explicit_bucket_histogram } }";
    const more = ", default_histogram_aggregation: base2_exponential_bucket_histogram";
    const views = `
    - { selector: { instrument_name: http.server.request.duration }, ${fixed} }
    - { selector: { instrument_name: basket.size }, ${fixed} }
    - { selector: { instrument_name: basket.size }, stream: { name: basket.finely } }
    - { selector: { meter_name: shop, instrument_name: orders }, stream: { name: sold } }`;
    const metrics = await metricsBy(views, { more, args });
    for (const name of ["basket.size", "http.server.request.duration"]) {
      expect(named(metrics, name)?.histogram?.dataPoints?.length).toBeGreaterThan(0);
      expect(named(metrics, name)?.exponentialHistogram).toBeUndefined();
    }
    for (const name of ["basket.finely", "http.client.request.duration"]) {
      expect(named(metrics, name)?.exponentialHistogram?.dataPoints?.length).toBeGreaterThan(0);
    }
    expect(named(metrics, "sold")?.sum?.dataPoints).toHaveLength(3);
  });
});

test("exponential histograms and growth are added up, too", async () => {
  const metrics = await metricsBy(
    `
    - { selector: { instrument_name: "http.server.*" }, stream: { attribute_keys: { included: [url.scheme] } } }
    - { selector: { unit: "{item}" }, stream: { aggregation: { explicit_bucket_histogram: { record_min_max: false } } } }`,
    {
      more: ", temporality_preference: delta, default_histogram_aggregation: base2_exponential_bucket_histogram",
    },
  );
  const { exponentialHistogram } = named(metrics, "http.server.request.duration") ?? {};
  expect(exponentialHistogram?.aggregationTemporality).toBe(1);
  const [point, ...others] = exponentialHistogram?.dataPoints ?? [];
  expect(others).toEqual([]);
  expect(plain(point?.attributes)).toEqual({ "url.scheme": "http" });
  expect(Number(point?.count)).toBe(3);
  const counts = (point?.positive?.bucketCounts ?? []).map(Number);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
  // On the scale that is told, the sum lies between the buckets' lower and upper ends.
  const base = 2 ** (2 ** -(point?.scale ?? 0));
  const offset = point?.positive?.offset ?? 0;
  const least = counts.reduce((sum, count, at) => sum + count * base ** (offset + at), 0);
  expect(point?.sum).toBeGreaterThan(least);
  expect(point?.sum).toBeLessThanOrEqual(least * base);
  const [basket] = named(metrics, "basket.size")?.histogram?.dataPoints ?? [];
  expect(basket?.explicitBounds?.slice(0, 3)).toEqual([0, 5, 10]);
  expect(basket?.max).toBeUndefined();
});

test("exponential histograms of two scales are added up on the coarser, gauges stand for the last", async () => {
  const point = (way: string, value: unknown) => ({ attributes: { way, kept: 1 }, value });
  const histogram = (scale: number, offset: number, bucketCounts: number[]) => ({
    count: bucketCounts.reduce((sum, count) => sum + count),
    sum: 1,
    scale,
    zeroCount: 1,
    positive: { offset, bucketCounts },
    negative: { offset: 0, bucketCounts: [] },
  });
  const dataPoints = [
    point("in", histogram(3, -6, [1, 0, 2, 0, 0, 4])), // up to -1
    point("out", histogram(1, 0, [8])),
  ];
  const metrics = [
    { descriptor: { name: "a", unit: "" }, dataPointType: 1, dataPoints },
    {
      descriptor: { name: "b", unit: "" },
      dataPointType: 2,
      dataPoints: [point("in", 1), point("out", 2)],
    },
  ];
  const { settings } = read(`${head}
meter_provider:
  readers: []
  views: [{ selector: { instrument_name: "?" }, stream: { attribute_keys: { excluded: [way] } } }]
`);
  const scopeMetrics = [{ scope: { name: "own" }, metrics }] as unknown as ScopeMetrics[]; // what is read of it
  const own = { collectNow: () => scopeMetrics } as unknown as OwnMetrics;
  const exponentialForm = { ...cumulativeForm, isExponential: true };
  const [scope] = withViews(own, settings.views, exponentialForm).collectNow();
  expect(scope?.metrics.map(({ dataPoints }) => dataPoints)).toMatchObject([
    [
      {
        attributes: { kept: 1 },
        value: {
          count: 15,
          sum: 2,
          scale: 1,
          zeroCount: 2,
          // -6 and -4 by 2 ** 2 are -2 and -1, and -1 is -1.
          positive: { offset: -2, bucketCounts: [1, 6, 8] },
        },
      },
    ],
    [{ attributes: { kept: 1 }, value: 2 }],
  ]);
});

test("Prometheus is told in fixed buckets what a view makes exponential", () => {
  const { settings } = read(`${head}
meter_provider:
  readers: []
  views: [{ selector: { unit: s }, stream: { aggregation: { base2_exponential_bucket_histogram } } }]
`);
  const keeping = keepingByView(settings)("http.server.request.duration", "sonde/http");
  expect(keeping).toEqual({ bounds: undefined, maxSize: 160 });
  const series = new Series({}, keeping);
  series.add(1);
  const instrument = { name: "http.server.request.duration", description: "", unit: "s" };
  const typesFor = (form: ReaderForm) => {
    const reader = new Reader(form, true);
    const collectNow = () => {
      const metrics = [...reader.collect(() => reader.histogram(instrument, [series]))];
      return [{ scope: { name: "sonde/http" }, metrics }];
    };
    const own = { collectNow } as unknown as OwnMetrics; // all that is asked of it
    const [scope] = withViews(own, settings.views, form).collectNow();
    return scope?.metrics.map(({ dataPointType }) => dataPointType);
  };
  expect(typesFor(cumulativeForm)).toEqual([exponentialPoint]);
  expect(typesFor({ ...cumulativeForm, isText: true })).toEqual([histogramPoint]);
});

test("what Prometheus has no room for is told", () => {
  const aggregation = "aggregation: { base2_exponential_bucket_histogram }";
  const { complaints } = read(`${head}
meter_provider:
  readers: [{ pull: { exporter: { prometheus/development } } }]
  views: [{ selector: { instrument_name: a }, stream: { ${aggregation} } }]
`);
  expect(complaints).toEqual([expect.stringContaining("aggregation: Prometheus is not told")]);
});

describe("a mistake in a view switches the SDK off, and is told with its place", () => {
  test.each([
    ["{ selector: { instrument_nam: a } }", "instrument_nam", "did you mean instrument_name?"],
    ["{ selector: {} }", "instrument_name", "is missing, as is all else to choose by"],
    ["{ stream: {} }", "selector", "is missing"],
    ["{ selector: { instrument_type: histogramm } }", "instrument_type", "did you mean histogram?"],
    ["{ selector: { unit: s }, stream: { name: b } }", "stream.name", "one name for many"],
    ["{ selector: { instrument_name: a* }, stream: { name: b } }", "stream.name", "one name for"],
    [
      "{ selector: { unit: s }, stream: { aggregation: { dropp: } } }",
      "dropp",
      "did you mean drop",
    ],
    [
      "{ selector: { unit: s }, stream: { aggregation: { explicit_bucket_histogram: { boundaries: [1, 1] } } } }",
      "boundaries",
      '"1" is not a number greater than the one before it',
    ],
    ...["max_scale: 21", "max_scale: -11", "max_size: 1"].map((limit) => [
      `{ selector: { unit: s }, stream: { aggregation: { base2_exponential_bucket_histogram: { ${limit} } } } }`,
      limit.split(":", 1)[0]!,
      limit.endsWith("21") ? "21 is too fine, at most 20 is allowed" : "is not a whole number",
    ]),
    [
      "{ selector: { unit: s }, stream: { attribute_keys: { included: [1] } } }",
      "included",
      "is not text",
    ],
  ])("%s", (view, key, what) => {
    const { settings, complaints } = read(
      `${head}meter_provider: { readers: [], views: [${view}] }\n`,
    );
    expect(settings.isDisabled).toBe(true);
    expect(complaints).toEqual([expect.stringContaining("otel.yaml:2 meter_provider.views[0].")]);
    expect(complaints[0]).toContain(key);
    expect(complaints[0]).toContain(what);
  });
});
