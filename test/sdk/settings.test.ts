import { describe, expect, test } from "vitest";
import { readSettings } from "../../sdk/settings.ts";

describe("settings", () => {
  test("nothing set is silent and means the specification's defaults", () => {
    const { settings, complaints } = readSettings({ PATH: "/bin", OTEL_SERVICE_NAME: " " });
    expect(complaints).toEqual([]);
    expect(settings).toMatchObject({
      isDisabled: false,
      serviceName: undefined,
      propagators: ["tracecontext", "baggage"],
      sampler: "parentbased_always_on",
      traces: { exporters: ["otlp"], otlp: { url: "http://localhost:4318/v1/traces" } },
      metrics: { exporters: ["otlp"], otlp: { protocol: "http/protobuf", timeoutMs: 10_000 } },
      spanBatch: { delayMs: 5000, timeoutMs: 30_000, maxQueue: 2048, maxBatch: 512 },
      logBatch: { delayMs: 1000 },
      metricIntervalMs: 60_000,
      prometheusHost: "127.0.0.1",
      prometheusPort: 9464,
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  test("the base endpoint gets the signal's path, one for a signal is used as it is", () => {
    const { settings } = readSettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector/base/",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://logs/take",
      OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=x%3Dy",
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: "a=2",
    });
    expect(settings.traces.otlp).toMatchObject({
      url: "https://collector/base/v1/traces",
      headers: { a: "1", b: "x=y" },
    });
    expect(settings.logs.otlp).toMatchObject({
      url: "http://logs/take",
      headers: { a: "2", b: "x=y" },
    });
  });

  test("lists, enums and booleans are read in any case, enabled first and then disabled", () => {
    const { settings, complaints } = readSettings({
      OTEL_TRACES_EXPORTER: "OTLP,console",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_TRACES_SAMPLER: "TraceIdRatio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_SDK_DISABLED: "TRUE",
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: "http, pino",
      OTEL_NODE_DISABLED_INSTRUMENTATIONS: "pino",
      OTEL_EXPORTER_OTLP_COMPRESSION: "GZIP",
    });
    expect(complaints).toEqual([]);
    expect(settings).toMatchObject({
      isDisabled: true,
      traces: { exporters: ["otlp", "console"], otlp: { compression: "gzip" } },
      metrics: { exporters: [] },
      sampler: "traceidratio",
      samplerRatio: 0.25,
      instrumentations: new Set(["http"]),
    });
  });

  test.each([
    ["OTEL_SERVICE_NAM", "x", "no such setting; did you mean OTEL_SERVICE_NAME?"],
    ["OTEL_ANYTHING_AT_ALL", "x", "no such setting"],
    ["SONDE_ENGIN", "x", "no such setting; did you mean SONDE_ENGINE?"],
    ["SONDE_ENGINE", "ours", '"ours" is none of sonde, opentelemetry'],
    [
      "OTEL_LOG_LEVEL",
      "wanr",
      '"wanr" is none of none, error, warn, info, debug, verbose, all; did you mean warn?',
    ],
    ["SONDE_LOG_IDS", "no", '"no" is none of true, false'],
    ["OTEL_SDK_DISABLED", "1", '"1" is neither true nor false; false it is'],
    [
      "OTEL_BSP_SCHEDULE_DELAY",
      "5s",
      '"5s" is not a whole number of milliseconds from 0 to 2147483647, ignored',
    ],
    ["OTEL_BSP_MAX_QUEUE_SIZE", "-1", '"-1" is not a whole number from 1 to 2147483647, ignored'],
    [
      "OTEL_TRACES_SAMPLER",
      "always",
      '"always" is not supported, ignored; did you mean always_on?',
    ],
    ["OTEL_TRACES_EXPORTER", "otpl", '"otpl" is not supported, ignored; did you mean otlp?'],
    [
      "OTEL_TRACES_EXPORTER",
      "zipkin",
      '"zipkin" is not supported, ignored: it is deprecated; a collector takes OTLP',
    ],
    [
      "OTEL_TRACES_EXPORTER",
      "jaeger",
      '"jaeger" is not supported, ignored: it is deprecated; Jaeger takes OTLP',
    ],
    [
      "OTEL_TRACES_SAMPLER",
      "xray",
      '"xray" is not supported, ignored: the rules of AWS X-Ray are not asked for, all is recorded; set parentbased_traceidratio',
    ],
    [
      "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
      "http://localhost:9411",
      "the Zipkin exporter is deprecated and not supported; send OTLP",
    ],
    ["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "log", '"log" is none of logs, logs/dup'],
    [
      "OTEL_NODE_FLUSH_ON_CRASH",
      "false",
      "it cannot be switched off; what is left is sent within two seconds",
    ],
    [
      "OTEL_NODE_FLUSH_ON_CRASH_TIMEOUT_MS",
      "500",
      "not supported, ignored; what is left is sent within two seconds",
    ],
    [
      "OTEL_NODE_RESOURCE_DETECTORS",
      "env,aws",
      '"aws" is not supported, ignored: it would ask the cloud over the network; set what it finds in OTEL_RESOURCE_ATTRIBUTES',
    ],
    ["OTEL_PROPAGATORS", "tracecontext,b33", '"b33" is not supported, ignored; did you mean b3?'],
    [
      "OTEL_NODE_DISABLED_INSTRUMENTATIONS",
      "postgres",
      '"postgres" is not supported, ignored; known are http',
    ],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "localhost:4318",
      '"localhost:4318" is not a URL such as http://localhost:4318',
    ],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "http://localhost:4317",
      "4317 is the port of grpc, but the protocol is http/protobuf; use port 4318 or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    ],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "http", '"http" is none of http/protobuf, http/json, grpc'],
    ["OTEL_EXPORTER_OTLP_HEADERS", "secret", '"…" is not key=value, all of it is ignored'],
    ["OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "cannot be read: ENOENT"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "is not key=value, all of it is ignored"],
    ["OTEL_CONFIG_FILE", "x.yaml", "cannot be read: ENOENT"],
  ])("%s=%s is told in one line", (name, value, message) => {
    const { complaints } = readSettings({ [name]: value });
    expect(complaints).toEqual([
      expect.stringContaining(`${name}: ${message}`.replace(`${name}: is`, "is")),
    ]);
  });

  test("what cannot be used is as good as not set", () => {
    const { settings } = readSettings({
      OTEL_BSP_SCHEDULE_DELAY: "soon",
      OTEL_TRACES_EXPORTER: "zipkin",
      OTEL_TRACES_SAMPLER: "sometimes",
      OTEL_EXPORTER_OTLP_ENDPOINT: "nowhere",
      OTEL_RESOURCE_ATTRIBUTES: "a=1,b",
    });
    expect(settings).toMatchObject({
      spanBatch: { delayMs: 5000 },
      sampler: "parentbased_always_on",
      traces: { exporters: ["otlp"], otlp: { url: "http://localhost:4318/v1/traces" } },
      resourceAttributes: {},
    });
  });

  test("a batch is never larger than its queue, a metric timeout never longer than the interval", () => {
    const { settings } = readSettings({
      OTEL_BSP_MAX_QUEUE_SIZE: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
    });
    expect(settings.spanBatch.maxBatch).toBe(100);
    expect(settings.metricTimeoutMs).toBe(1000);
  });

  test("variables of other languages and of the collector are no mistakes", () => {
    const { complaints } = readSettings({
      OTEL_PYTHON_LOG_CORRELATION: "true",
      SONDE_JAEGER_ENDPOINT: "http://jaeger:4318",
    });
    expect(complaints).toEqual([]);
  });
});
