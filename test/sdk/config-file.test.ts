import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { readSettings } from "../../sdk/settings.ts";
import { appFile, runApp } from "./support/app.ts";
import { fileOf, head, read } from "./support/config-file.ts";
import { startSink } from "./support/sink.ts";

const kitchenSink = `
file_format: "1.1"
disabled: false
log_level: warn2
resource:
  attributes:
    - { name: service.name, value: shop }
    - { name: replicas, value: 3, type: int }
    - { name: ratio, value: 0.5, type: double }
    - { name: tags, value: [a, b], type: string_array }
    - { name: version, value: 1.10, type: string }
    - { name: canary, value: true, type: bool }
    - { name: five, value: 5 }
    - { name: none, value: }
  attributes_list: "service.name=loses,team=a%20b"
  detection/development:
    detectors: [{ host: }, { process: }, { container: }, { service: }]
attribute_limits: { attribute_value_length_limit: 100, attribute_count_limit: 10 }
propagator:
  composite: [{ tracecontext: }, { baggage: }, { b3multi: }]
  composite_list: "tracecontext,xray"
tracer_provider:
  processors:
    - batch:
        schedule_delay: 1
        export_timeout: 0
        max_queue_size: 100
        max_export_batch_size: 512
        exporter:
          otlp_http:
            endpoint: https://collector/traces
            headers: [{ name: Api-Key, value: "1" }, { name: n, value: 7 }, { name: x, value: }]
            headers_list: "api-key=2,b=3%203"
            compression: gzip
            timeout: 0
            encoding: json
    - simple: { exporter: { console: } }
  limits: { event_count_limit: 0, attribute_count_limit: 11 }
  sampler:
    parent_based:
      root: { trace_id_ratio_based: { ratio: 0.25 } }
  id_generator: { random: }
meter_provider:
  readers:
    - periodic:
        interval: 1000
        timeout: 5000
        exporter:
          otlp_grpc:
            endpoint: collector:4317
            tls: { insecure: true }
            temporality_preference: low_memory
            default_histogram_aggregation: base2_exponential_bucket_histogram
    - pull: { exporter: { prometheus/development: { host: 0.0.0.0, port: 9000 } } }
  exemplar_filter: always_off
logger_provider:
  processors:
    - simple: { exporter: { otlp_file/development: } }
    - batch: { exporter: { otlp_http: } }
  limits: { attribute_value_length_limit: 5 }
instrumentation/development:
  general: { http: { server: { known_methods: [GET, PURGE] } } }
  js: { express: { enabled: false }, pg: }
  java: { anything: }
distribution: { other: { a: 1 } }
`;

describe("a file", () => {
  test("that says everything is understood, in silence", () => {
    const { settings, complaints } = read(kitchenSink);
    expect(complaints).toEqual([]);
    expect(settings).toMatchObject({
      isDisabled: false,
      logLevel: "warn",
      serviceName: undefined,
      resourceAttributes: {
        "service.name": "shop",
        team: "a b",
        replicas: 3,
        ratio: 0.5,
        tags: ["a", "b"],
        version: "1.1",
        canary: true,
        five: "5", // text if it says nothing else
      },
      detectors: ["host", "os", "process", "container", "serviceinstance", "env"],
      propagators: ["tracecontext", "baggage", "b3multi", "xray"],
      traces: {
        exporters: ["otlp", "console"],
        otlp: {
          protocol: "http/json",
          url: "https://collector/traces",
          headers: { "api-key": "1", n: "7", b: "3 3" },
          compression: "gzip",
          timeoutMs: 2_147_483_647,
        },
      },
      spanBatch: { delayMs: 1, timeoutMs: 2_147_483_647, maxQueue: 100, maxBatch: 100 },
      sampler: "parentbased_traceidratio",
      samplerRatio: 0.25,
      metrics: {
        exporters: ["otlp", "prometheus"],
        otlp: { protocol: "grpc", url: "http://collector:4317" },
      },
      metricIntervalMs: 1000,
      metricTimeoutMs: 1000,
      temporality: "lowmemory",
      histogramAggregation: "base2_exponential_bucket_histogram",
      exemplarFilter: "always_off",
      prometheusHost: "0.0.0.0",
      prometheusPort: 9000,
      logs: {
        exporters: ["otlp/stdout", "otlp"],
        otlp: { protocol: "http/protobuf", url: "http://localhost:4318/v1/logs" },
      },
      limits: {
        spanAttributeLength: 100,
        spanAttributes: 11,
        spanEvents: 0,
        spanLinks: 128,
        logAttributeLength: 5,
        logAttributes: 10,
      },
      knownMethods: new Set(["GET", "PURGE"]),
    });
    expect(settings.resourceAttributes).not.toHaveProperty("none");
    expect(settings.instrumentations.has("express")).toBe(false);
    expect(settings.instrumentations.has("pg")).toBe(true);
  });

  test("with nothing but its format switches every signal and propagator off, and the app knows no more", () => {
    const { settings, complaints } = read(head);
    expect(complaints).toEqual([]);
    expect(settings).toMatchObject({
      isDisabled: false,
      traces: { exporters: [] },
      metrics: { exporters: [] },
      logs: { exporters: [] },
      propagators: [],
      detectors: ["env"],
    });
  });

  test("may refer to what stands in it before", () => {
    const { settings, complaints } = read(`${head}
tracer_provider:
  processors:
    - batch: &batch
        schedule_delay: 7
        exporter: &exporter { otlp_http: { timeout: 9 } }
logger_provider:
  processors: [{ batch: { <<: *batch, max_queue_size: 5 } }]
`);
    expect(complaints).toEqual([]);
    expect(settings.logBatch).toMatchObject({ delayMs: 7, maxQueue: 5 });
    expect(settings.logs.otlp).toMatchObject({
      timeoutMs: 9,
      url: "http://localhost:4318/v1/logs",
    });
  });

  test("that says disabled: true is heard in silence", () => {
    const { settings, complaints } = read(`${head}disabled: true\n`, { OTEL_SERVICE_NAME: "x" });
    expect(complaints).toEqual([]);
    expect(settings.isDisabled).toBe(true);
  });
});

describe("samplers", () => {
  test.each([
    ["{ always_on: }", "always_on"],
    ["{ always_off: {} }", "always_off"],
    ["{ trace_id_ratio_based: { ratio: 1 } }", "traceidratio"],
    ["{ probability/development: { ratio: 0 } }", "traceidratio"],
    ["{ parent_based: }", "parentbased_always_on"],
    ["{ parent_based: { root: { always_off: } } }", "parentbased_always_off"],
    [
      "{ parent_based: { root: { always_on: }, local_parent_sampled: { always_off: } } }",
      "composed",
    ],
    [
      "{ jaeger_remote/development: { endpoint: http://jaeger:5778, initial_sampler: { always_on: } } }",
      "jaeger_remote",
    ],
  ])("%s is %s", (sampler, name) => {
    const { settings, complaints } = read(
      `${head}tracer_provider: { processors: [], sampler: ${sampler} }`,
    );
    expect(complaints).toEqual([]);
    expect(settings.sampler).toBe(name);
  });

  test("that are composite are told, and the default holds", () => {
    const { settings, complaints } = read(
      `${head}tracer_provider: { processors: [], sampler: { composite/development: { always_off: } } }`,
    );
    expect(settings.sampler).toBe("parentbased_always_on");
    expect(complaints).toEqual([
      "otel.yaml:2 tracer_provider.sampler.composite/development: " +
        "not supported; parent_based with the root always_on it is",
    ]);
  });
});

describe("a mistake", () => {
  const traces = `${head}tracer_provider:\n  processors:\n    - `;
  test.each([
    ["a: 1", 'otel.yaml:1 file_format: is missing; "1.0" it may be'],
    ["file_format: 1.0", 'otel.yaml:1 file_format: "1" is not text; put it in quotes'],
    ['file_format: "0.4"', "otel.yaml:1 file_format: is not supported; 1.0 to 1.2 are"],
    ["[]", "otel.yaml:1 the file: is not a mapping"],
    ["a: [", "otel.yaml:1 "],
    [`${head}a: b: c`, "otel.yaml:2 "],
    [`${head}resorce: {}`, "otel.yaml:2 resorce: there is no such key; did you mean resource?"],
    [`${head}disabled: maybe`, 'otel.yaml:2 disabled: "maybe" is neither true nor false'],
    [`${head}log_level: wran`, 'otel.yaml:2 log_level: "wran" is none of trace, '],
    [`${head}tracer_provider: {}`, "otel.yaml:2 tracer_provider.processors: is missing"],
    [
      `${traces}batch:\n        exporter:\n          otlp_htp:`,
      "otel.yaml:6 tracer_provider.processors[0].batch.exporter.otlp_htp: there is no such kind; did you mean otlp_http?",
    ],
    [`${traces}batch: {}`, "otel.yaml:4 tracer_provider.processors[0].batch.exporter: is missing"],
    [
      `${traces}{ batch: , simple: }`,
      "otel.yaml:4 tracer_provider.processors[0]: holds 2 keys, one of batch, simple",
    ],
    [
      `${traces}batch:\n        schedule_delay: -1\n        exporter: { console: }`,
      'otel.yaml:5 tracer_provider.processors[0].batch.schedule_delay: "-1" is not a whole number from 0 to 2147483647',
    ],
    [
      `${traces}batch: { max_queue_size: 0, exporter: { console: } }`,
      'otel.yaml:4 tracer_provider.processors[0].batch.max_queue_size: "0" is not a whole number from 1',
    ],
    [
      `${traces}batch: { exporter: { otlp_http: { endpoint: "c:4318" } } }`,
      'otel.yaml:4 tracer_provider.processors[0].batch.exporter.otlp_http.endpoint: "c:4318" is not a URL such as',
    ],
    [
      `${head}tracer_provider: { processors: [], sampler: { trace_id_ratio_based: { ratio: 2 } } }`,
      'otel.yaml:2 tracer_provider.sampler.trace_id_ratio_based.ratio: "2" is not between 0 and 1',
    ],
    [
      `${head}meter_provider: { readers: [{ pull: { exporter: { prometheus/development: { port: 70000 } } } }] }`,
      "otel.yaml:2 meter_provider.readers[0].pull.exporter.prometheus/development.port: 70000 is not a port",
    ],
    [
      `${head}resource: { attributes: [{ name: a, value: b, type: int }] }`,
      "otel.yaml:2 resource.attributes[0].value: is not of the type int",
    ],
    [
      `${head}resource: { attributes: [{ value: b }] }`,
      "otel.yaml:2 resource.attributes[0].name: is missing",
    ],
    [`${head}resource: { attributes: {} }`, "otel.yaml:2 resource.attributes: is not a list"],
    [`${head}a: &a [*a]`, "otel.yaml:"],
  ])("%s switches the SDK off and says where", (text, message) => {
    const { settings, complaints } = read(text);
    expect(settings.isDisabled).toBe(true);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(message);
    expect(complaints[0]).toMatch(/; the SDK is off until this is mended$/);
    expect(complaints[0]).toMatch(/^[^\n]{0,600}$/);
  });

  test.each([
    ["/no/such.yaml", "cannot be read: ENOENT"],
    ["/dev/zero", "/dev/zero is not a file"],
    [tmpdir(), "is not a file"],
  ])("in the name of the file, %s, likewise", (file, message) => {
    const { settings, complaints } = readSettings({ OTEL_CONFIG_FILE: file });
    expect(settings.isDisabled).toBe(true);
    expect(complaints).toEqual([expect.stringMatching(message)]);
    expect(complaints[0]).toMatch(/; the SDK is off$/);
  });
});

test("what is not supported is told with its place and left out", () => {
  const { settings, complaints } = read(`${head}
tracer_provider:
  processors:
    - batch: { exporter: { otlp_http: { endpoint: "http://one/" } } }
    - batch: { exporter: { otlp_http: { endpoint: "http://two/" } } }
    - simple: { exporter: { otlp_file/development: { output_stream: file:///x } } }
  tracer_configurator/development: {}
meter_provider:
  readers: []
  meter_configurator/development: {}
propagator: { composite: [{ b33: }] }
resource: { schema_url: x }
instrumentation/development: { js: { htpp: { enabled: false } } }
`);
  expect(settings.isDisabled).toBe(false);
  expect(settings.traces).toMatchObject({ exporters: ["otlp"], otlp: { url: "http://one/" } });
  expect(complaints.toSorted()).toEqual(
    [
      'otel.yaml:12 propagator: "b33" is not supported, ignored; did you mean b3?',
      "otel.yaml:13 resource.schema_url: not supported, ignored",
      "otel.yaml:14 instrumentation/development.js.htpp: no such instrumentation; did you mean http?",
      "otel.yaml:6 tracer_provider.processors[1].batch: a second exporter of the kind otlp is ignored",
      'otel.yaml:7 tracer_provider.processors[2].simple.exporter.otlp_file/development.output_stream: "file:///x" is not supported, ignored; stdout is',
      "otel.yaml:8 tracer_provider.tracer_configurator/development: not supported, ignored",
      "otel.yaml:11 meter_provider.meter_configurator/development: not supported, ignored",
    ].toSorted(),
  );
});

test("an app runs as its file says, and without the SDK where the file is wrong", async () => {
  const sink = await startSink();
  try {
    const file = fileOf(`${head}
resource: { attributes: [{ name: service.name, value: "\${NAME:-from the file}" }] }
propagator: { composite_list: tracecontext }
tracer_provider:
  processors: [{ simple: { exporter: { otlp_http: { endpoint: "${sink.url}/v1/traces" } } } }]
`);
    const good = await runApp(appFile("trace/main.cjs"), { env: { OTEL_CONFIG_FILE: file } });
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(sink.spans.map(({ resource }) => resource["service.name"])).toEqual(["from the file"]);

    const wrong = fileOf("nonsense: true\n");
    const bad = await runApp(appFile("trace/main.cjs"), { env: { OTEL_CONFIG_FILE: wrong } });
    expect(bad.code).toBe(0);
    expect(bad.stderr).toBe(
      `sonde: ${wrong}:1 file_format: is missing; "1.0" it may be; the SDK is off until this is mended\n`,
    );
  } finally {
    await sink.close();
  }
});
