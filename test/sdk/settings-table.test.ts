// Every variable with a limit or a choice, from both sides of it.

import { describe, expect, test } from "vitest";
import { readSettings } from "../../sdk/settings.ts";
import type { Settings } from "../../sdk/settings.ts";

const longestMs = 2_147_483_647;

type Row = readonly [
  name: string,
  pick: (settings: Settings) => unknown,
  /** Value → what the setting becomes. */
  right: Readonly<Record<string, unknown>>,
  /** Told, and as good as absent. */
  wrong: readonly string[],
];

const notWhole = ["-1", "1.5", "1e3", "0x10", "five", "5s", "2147483648", "NaN", "Infinity"];

const rows: readonly Row[] = [
  [
    "OTEL_SDK_DISABLED",
    (s) => s.isDisabled,
    { true: true, TRUE: true, false: false },
    ["1", "yes"],
  ],
  ["OTEL_LOG_LEVEL", (s) => s.logLevel, { none: "none", WARN: "warn", all: "all" }, ["warning"]],
  [
    "OTEL_PROPAGATORS",
    (s) => s.propagators,
    {
      "b3,tracecontext,b3": ["b3", "tracecontext"],
      "B3MULTI, jaeger,xray,ottrace": ["b3multi", "jaeger", "xray", "ottrace"],
      none: [],
    },
    ["w3c", ","],
  ],
  [
    "OTEL_TRACES_SAMPLER",
    (s) => s.sampler,
    { always_on: "always_on", PARENTBASED_TRACEIDRATIO: "parentbased_traceidratio" },
    ["sometimes", "xray"],
  ],
  ...(["traces", "metrics", "logs"] as const).map((signal): Row => [
    `OTEL_${signal.toUpperCase()}_EXPORTER`,
    (s) => s[signal].exporters,
    {
      otlp: ["otlp"],
      "console,otlp,console": ["console", "otlp"],
      "OTLP/stdout": ["otlp/stdout"],
      none: [],
    },
    ["zipkin", "otpl"],
  ]),
  ["OTEL_METRICS_EXPORTER", (s) => s.metrics.exporters, { prometheus: ["prometheus"] }, ["prom"]],
  ["OTEL_TRACES_EXPORTER", (s) => s.traces.exporters, {}, ["prometheus"]],
  ...["", "TRACES_"].flatMap((signal): readonly Row[] => [
    [
      `OTEL_EXPORTER_OTLP_${signal}PROTOCOL`,
      (s) => s.traces.otlp.protocol,
      { grpc: "grpc", "HTTP/JSON": "http/json", "http/protobuf": "http/protobuf" },
      ["http", "protobuf"],
    ],
    [
      `OTEL_EXPORTER_OTLP_${signal}COMPRESSION`,
      (s) => s.traces.otlp.compression,
      { gzip: "gzip", none: "none" },
      ["zstd", "true"],
    ],
    [
      `OTEL_EXPORTER_OTLP_${signal}TIMEOUT`,
      (s) => s.traces.otlp.timeoutMs,
      { "0": longestMs, "1": 1, "2147483647": longestMs },
      notWhole,
    ],
  ]),
  ...(
    [
      ["BSP", "spanBatch"],
      ["BLRP", "logBatch"],
    ] as const
  ).flatMap(([prefix, batch]): readonly Row[] => [
    [`OTEL_${prefix}_SCHEDULE_DELAY`, (s) => s[batch].delayMs, { "0": 0, "7": 7 }, notWhole],
    [
      `OTEL_${prefix}_EXPORT_TIMEOUT`,
      (s) => s[batch].timeoutMs,
      { "0": longestMs, "7": 7 },
      notWhole,
    ],
    [
      `OTEL_${prefix}_MAX_QUEUE_SIZE`,
      (s) => s[batch].maxQueue,
      { "1": 1, "2147483647": longestMs },
      [...notWhole, "0"],
    ],
    [
      `OTEL_${prefix}_MAX_EXPORT_BATCH_SIZE`,
      (s) => s[batch].maxBatch,
      { "1": 1, "2048": 2048, "2049": 2048 },
      [...notWhole, "0"],
    ],
  ]),
  [
    "OTEL_METRIC_EXPORT_INTERVAL",
    (s) => s.metricIntervalMs,
    { "1": 1, "2147483647": longestMs },
    [...notWhole, "0"],
  ],
  [
    "OTEL_METRIC_EXPORT_TIMEOUT",
    (s) => s.metricTimeoutMs,
    { "0": 60_000, "1": 1, "60000": 60_000, "60001": 60_000 },
    notWhole,
  ],
  ...(
    [
      ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "spanAttributeLength"],
      ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "spanAttributes"],
      ["OTEL_SPAN_EVENT_COUNT_LIMIT", "spanEvents"],
      ["OTEL_SPAN_LINK_COUNT_LIMIT", "spanLinks"],
      ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "eventAttributes"],
      ["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "linkAttributes"],
      ["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "logAttributeLength"],
      ["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "logAttributes"],
      ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "spanAttributeLength"],
      ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "logAttributeLength"],
      ["OTEL_ATTRIBUTE_COUNT_LIMIT", "spanAttributes"],
      ["OTEL_ATTRIBUTE_COUNT_LIMIT", "logAttributes"],
    ] as const
  ).map(([name, limit]): Row => [
    name,
    (s) => s.limits[limit],
    { "0": 0, "2147483647": longestMs },
    notWhole,
  ]),
  [
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    (s) => s.temporality,
    { delta: "delta", LowMemory: "lowmemory", cumulative: "cumulative" },
    ["low_memory"],
  ],
  [
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    (s) => s.histogramAggregation,
    { BASE2_exponential_bucket_histogram: "base2_exponential_bucket_histogram" },
    ["exponential"],
  ],
  [
    "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN",
    (s) => s.exceptionSignal,
    { logs: "logs", "LOGS/dup": "logs/dup" },
    ["events", "log"],
  ],
  [
    "OTEL_METRICS_EXEMPLAR_FILTER",
    (s) => s.exemplarFilter,
    { always_off: "always_off", ALWAYS_ON: "always_on", trace_based: "trace_based" },
    ["never"],
  ],
  [
    "OTEL_EXPORTER_PROMETHEUS_PORT",
    (s) => s.prometheusPort,
    { "0": 0, "65535": 65_535 },
    ["-1", "65536", "http"],
  ],
  ["OTEL_EXPORTER_PROMETHEUS_HOST", (s) => s.prometheusHost, { "0.0.0.0": "0.0.0.0" }, []],
  [
    "OTEL_NODE_RESOURCE_DETECTORS",
    (s) => s.detectors,
    { "env,host": ["env", "host"], "Container,os,os": ["container", "os"], none: [] },
    ["hots", "aws"],
  ],
  [
    "OTEL_NODE_ENABLED_INSTRUMENTATIONS",
    (s) => [...s.instrumentations],
    { "pg, http": ["pg", "http"], none: [] },
    ["htpp", "cassandra-driver"],
  ],
  [
    "OTEL_NODE_DISABLED_INSTRUMENTATIONS",
    (s) => s.instrumentations.has("http"),
    { http: false, "HTTP,fs,dns,net": false, none: true, "fs,dns": true },
    ["htpp"],
  ],
  [
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
    (s) => [...s.knownMethods],
    { "GET,PURGE": ["GET", "PURGE"] },
    [],
  ],
  [
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    (s) => [...s.semconv],
    { "http/dup,database": ["http/dup", "database"], gen_ai_latest_experimental: [] },
    ["databases"],
  ],
  ["OTEL_SERVICE_NAME", (s) => s.serviceName, { "a b": "a b", " shop ": "shop" }, []],
];

describe.each(rows)("%s", (name, pick, right, wrong) => {
  const defaults = pick(readSettings({}).settings);

  test.each(Object.entries(right))("=%s is understood, in silence", (value, expected) => {
    const { settings, complaints } = readSettings({ [name]: value });
    expect(complaints).toEqual([]);
    expect(pick(settings)).toEqual(expected);
  });

  test.each(wrong.filter((value) => value !== ","))("=%s is told in one line", (value) => {
    const { settings, complaints } = readSettings({ [name]: value });
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(name);
    expect(complaints[0]).toContain(value);
    expect(pick(settings)).toEqual(defaults);
  });

  test("empty and blank are as good as not set", () => {
    for (const value of ["", "  ", "\t"]) {
      expect(readSettings({ [name]: value })).toEqual(readSettings({}));
    }
  });
});

test("what is set for a signal wins over what is set for all", () => {
  const { settings } = readSettings({
    OTEL_EXPORTER_OTLP_TIMEOUT: "1",
    OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "2",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: "none",
    OTEL_ATTRIBUTE_COUNT_LIMIT: "5",
    OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT: "6",
  });
  expect(settings.traces.otlp).toMatchObject({
    timeoutMs: 1,
    protocol: "grpc",
    compression: "gzip",
  });
  expect(settings.logs.otlp).toMatchObject({
    timeoutMs: 2,
    protocol: "http/json",
    compression: "none",
  });
  expect(settings.limits).toMatchObject({ spanAttributes: 5, logAttributes: 6, spanEvents: 128 });
});

describe("the sampler's argument", () => {
  const ratio = (value: string) =>
    readSettings({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: value });

  test.each(["0", "1", "0.5", "1.0", ".25", "1e-3"])("%s is a ratio", (value) => {
    expect(ratio(value)).toMatchObject({
      settings: {
        samplerRatio: Number(value),
        samplerTree: { kind: "ratio", ratio: Number(value) },
      },
      complaints: [],
    });
  });

  test.each(["-0.1", "1.01", "half", "0x1", "NaN", "1,0"])("%s is none, and 1 it is", (value) => {
    const { settings, complaints } = ratio(value);
    expect(settings.samplerRatio).toBe(1);
    expect(complaints).toEqual([
      `OTEL_TRACES_SAMPLER_ARG: "${value}" is not between 0 and 1, 1 it is`,
    ]);
  });

  test("is not looked at by samplers that have none", () => {
    expect(
      readSettings({ OTEL_TRACES_SAMPLER: "always_on", OTEL_TRACES_SAMPLER_ARG: "?" }).complaints,
    ).toEqual([]);
  });

  test("of jaeger_remote is the server, how often it is asked and what holds before", () => {
    const { settings, complaints } = readSettings({
      OTEL_TRACES_SAMPLER: "parentbased_jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG:
        "endpoint=http://jaeger:5778/,pollingIntervalMs=5000,initialSamplingRate=0.25",
    });
    expect(complaints).toEqual([]);
    expect(settings.samplerTree).toMatchObject({
      kind: "parent",
      root: {
        kind: "jaeger",
        url: "http://jaeger:5778",
        intervalMs: 5000,
        initial: { kind: "ratio", ratio: 0.25 },
      },
    });
  });

  test.each([
    ["endpoint=jaeger:5778", []],
    ["endpont=http://jaeger:5778", ['"endpont" is not supported, ignored; did you mean endpoint?']],
    [
      "endpoint=http://",
      ['endpoint "http://" is not a URL such as http://localhost:5778, ignored'],
    ],
    [
      "endpoint=http://jaeger:14250",
      ["14250 is Jaeger's port for gRPC; strategies are asked for over"],
    ],
    ["pollingIntervalMs=0", ['pollingIntervalMs "0" is not a whole number above 0, ignored']],
    ["initialSamplingRate=2", ['initialSamplingRate "2" is not between 0 and 1, ignored']],
  ])("of jaeger_remote, %s", (value, expected) => {
    const { complaints } = readSettings({
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG: value,
    });
    expect(complaints).toEqual(
      expected.map((what): unknown => expect.stringContaining(`OTEL_TRACES_SAMPLER_ARG: ${what}`)),
    );
  });
});

test("a detector of a cloud is told with what to do, one of another language's package likewise", () => {
  expect(readSettings({ OTEL_NODE_RESOURCE_DETECTORS: "env,aws" }).complaints).toEqual([
    'OTEL_NODE_RESOURCE_DETECTORS: "aws" is not supported, ignored: it would ask the cloud over the ' +
      "network; set what it finds in OTEL_RESOURCE_ATTRIBUTES",
  ]);
});

test("the settings are frozen all the way down", () => {
  const { settings } = readSettings({});
  expect(Object.isFrozen(settings.traces.otlp.headers)).toBe(true);
  expect(Object.isFrozen(settings.limits)).toBe(true);
});

test("variables that OpenTelemetry's operator adds, and Java's, are no mistakes", () => {
  const { complaints } = readSettings({
    OTEL_RESOURCE_ATTRIBUTES_POD_NAME: "pod",
    OTEL_RESOURCE_ATTRIBUTES_NODE_NAME: "node",
    OTEL_POD_IP: "10.0.0.1",
    OTEL_INSTRUMENTATION_JDBC_ENABLED: "false",
  });
  expect(complaints).toEqual([]);
});
