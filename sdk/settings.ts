// OTEL_* and SONDE_*, or the file that OTEL_CONFIG_FILE names → one frozen Settings, and what is wrong with
// them, a line each. Nothing here stops the app: a value that makes no sense is as good as absent.

import type { MetricView } from "./config-file/views.ts";
import { Environment } from "./environment.ts";
import { loadOwn } from "./packages.ts";
import { readOtlp, unlessNone } from "./otlp-settings.ts";
import type { OtlpSettings, SignalName } from "./otlp-settings.ts";
import { readSampler } from "./sampling/settings.ts";
import type { SamplerSettings } from "./sampling/settings.ts";
import { choose, knownMethods, membersOf } from "./values.ts";
import { engines, exceptionSignals, exemplarFilters, histogramAggregations } from "./variables.ts";
import { logLevels, temporalities } from "./variables.ts";

export type { OtlpSettings } from "./otlp-settings.ts";
export type { SamplerName, SamplerTree } from "./sampling/settings.ts";

export const instrumentationNames = [
  "http",
  "undici",
  "fastify",
  "console",
  "runtime-node",
  "express",
  "koa",
  "hapi",
  "nestjs-core",
  "pg",
  "mysql2",
  "knex",
  "mongodb",
  "mongoose",
  "redis",
  "ioredis",
  "memcached",
  "kafkajs",
  "amqplib",
  "socket.io",
  "ws",
  "bullmq",
  "grpc",
  "graphql",
  "aws-sdk",
  "pino",
  "winston",
  "bunyan",
] as const;
export type InstrumentationName = (typeof instrumentationNames)[number];

/** What is found later wins; what the user says is the last of them unless another order is asked for. */
export const detectorNames = [
  "host",
  "os",
  "process",
  "container",
  "serviceinstance",
  "env",
] as const;
export type DetectorName = (typeof detectorNames)[number];

export const propagatorNames = [
  "tracecontext",
  "baggage",
  "b3",
  "b3multi",
  "jaeger",
  "xray",
  "ottrace",
] as const;
export type PropagatorName = (typeof propagatorNames)[number];

/** Of OTEL_SEMCONV_STABILITY_OPT_IN. */
export const semconvNames = ["http", "database", "messaging", "rpc", "code"] as const;

export interface SignalSettings<Exporter> {
  /** Empty: the signal is off. */
  readonly exporters: readonly Exporter[];
  readonly otlp: OtlpSettings;
}

export interface BatchSettings {
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly maxQueue: number;
  readonly maxBatch: number;
}

export type ResourceValue = string | number | boolean | readonly (string | number | boolean)[];

export interface Settings extends SamplerSettings {
  readonly isDisabled: boolean;
  readonly engine: (typeof engines)[number];
  /** Of OpenTelemetry's own diagnostics; undefined is silence, since we tell what matters ourselves. */
  readonly logLevel: (typeof logLevels)[number] | undefined;
  readonly serviceName: string | undefined;
  /** What the user says about the service; told where the detector "env" stands. */
  readonly resourceAttributes: Readonly<Record<string, ResourceValue>>;
  readonly detectors: readonly DetectorName[];
  readonly instrumentations: ReadonlySet<InstrumentationName>;
  readonly propagators: readonly PropagatorName[];
  readonly traces: SignalSettings<"otlp" | "console" | "otlp/stdout">;
  readonly metrics: SignalSettings<"otlp" | "console" | "otlp/stdout" | "prometheus">;
  readonly logs: SignalSettings<"otlp" | "console" | "otlp/stdout">;
  readonly spanBatch: BatchSettings;
  readonly logBatch: BatchSettings;
  readonly metricIntervalMs: number;
  readonly metricTimeoutMs: number;
  readonly temporality: (typeof temporalities)[number];
  readonly histogramAggregation: (typeof histogramAggregations)[number];
  readonly exemplarFilter: (typeof exemplarFilters)[number];
  /** Whether http.server.active_requests is told. */
  readonly activeRequests: boolean;
  readonly processMetrics: boolean;
  /** Those of the machine. */
  readonly hostMetrics: boolean;
  /** Whether Redis is asked how many jobs the app's queues hold. */
  readonly queueMetrics: boolean;
  readonly prometheusHost: string;
  readonly prometheusPort: number;
  /** Of a configuration file alone. */
  readonly views: readonly MetricView[];
  readonly limits: Limits;
  /** In capitals; every other method of a request is told as _OTHER. */
  readonly knownMethods: ReadonlySet<string>;
  /** Conventions that are asked for in their stable form, "database" or "database/dup". */
  readonly semconv: ReadonlySet<string>;
  /** What an exception that a span records becomes. */
  readonly exceptionSignal: "events" | (typeof exceptionSignals)[number];
  /** Whether lines of JSON that loggers write gain trace_id, span_id and trace_flags. */
  readonly logIds: boolean;
}

/** Lengths are unlimited where undefined. */
export interface Limits {
  readonly spanAttributeLength: number | undefined;
  readonly spanAttributes: number;
  readonly spanEvents: number;
  readonly spanLinks: number;
  readonly eventAttributes: number;
  readonly linkAttributes: number;
  readonly logAttributeLength: number | undefined;
  readonly logAttributes: number;
}

export interface SettingsRead {
  readonly settings: Settings;
  readonly complaints: readonly string[];
}

export function readSettings(environment: NodeJS.ProcessEnv): SettingsRead {
  const file = environment["OTEL_CONFIG_FILE"]?.trim();
  if (!file) return readEnvironment(environment);
  const own = Object.entries(environment).filter(([name]) => name.startsWith("SONDE_"));
  const base = readEnvironment(Object.fromEntries(own));
  if (base.settings.engine === "opentelemetry") {
    const { settings, complaints } = readEnvironment(environment);
    const unread =
      "OTEL_CONFIG_FILE: not read, since SONDE_ENGINE=opentelemetry reads variables alone";
    return { settings, complaints: [unread, ...complaints] };
  }
  const read = loadOwn("./config-file").readConfigFile(file, environment, base.settings);
  return {
    settings: frozen(read.settings),
    complaints: [...base.complaints, ...read.complaints],
  };
}

function readEnvironment(environment: NodeJS.ProcessEnv): SettingsRead {
  const read = new Environment(environment);
  const metricIntervalMs = read.number("OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const settings: Settings = {
    isDisabled: read.isTrue(["OTEL_SDK_DISABLED"]),
    engine: read.choice(["SONDE_ENGINE"], engines) ?? "sonde",
    logLevel: read.choice(["OTEL_LOG_LEVEL"], logLevels),
    serviceName: read.text("OTEL_SERVICE_NAME"),
    resourceAttributes: read.pairs("OTEL_RESOURCE_ATTRIBUTES"),
    detectors: read.all("OTEL_NODE_RESOURCE_DETECTORS", {
      known: detectorNames,
      elsewhere: cloudDetectors,
    }),
    instrumentations: readInstrumentations(read),
    propagators: read.list("OTEL_PROPAGATORS", { known: propagatorNames }, [
      "tracecontext",
      "baggage",
    ]),
    ...readSampler(read),
    traces: readSignal(read, "traces", ["otlp", "console", "otlp/stdout"]),
    metrics: readSignal(read, "metrics", ["otlp", "console", "otlp/stdout", "prometheus"]),
    logs: readSignal(read, "logs", ["otlp", "console", "otlp/stdout"]),
    spanBatch: readBatch(read, "OTEL_BSP", 5000),
    logBatch: readBatch(read, "OTEL_BLRP", 1000),
    metricIntervalMs,
    metricTimeoutMs: Math.min(
      unlessNone(read.number("OTEL_METRIC_EXPORT_TIMEOUT", 30_000)),
      metricIntervalMs,
    ),
    temporality:
      read.choice(["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"], temporalities) ??
      "cumulative",
    histogramAggregation:
      read.choice(
        ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"],
        histogramAggregations,
      ) ?? "explicit_bucket_histogram",
    exemplarFilter: read.choice(["OTEL_METRICS_EXEMPLAR_FILTER"], exemplarFilters) ?? "trace_based",
    activeRequests: read.isTrue(["SONDE_HTTP_ACTIVE_REQUESTS"]),
    processMetrics: read.choice(["SONDE_PROCESS_METRICS"], ["true", "false"]) !== "false",
    hostMetrics: read.isTrue(["SONDE_HOST_METRICS"]),
    queueMetrics: read.isTrue(["SONDE_QUEUE_METRICS"]),
    // Not "localhost", which is ::1 or 127.0.0.1 as the resolver likes.
    prometheusHost: read.text("OTEL_EXPORTER_PROMETHEUS_HOST") ?? "127.0.0.1",
    prometheusPort: read.number("OTEL_EXPORTER_PROMETHEUS_PORT", 9464),
    views: [],
    limits: readLimits(read),
    knownMethods: knownMethods(
      membersOf(read.text("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS") ?? ""),
    ),
    semconv: readSemconv(read),
    exceptionSignal:
      read.choice(["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"], exceptionSignals) ?? "events",
    logIds: read.choice(["SONDE_LOG_IDS"], ["true", "false"]) !== "false",
  };
  // Whoever switches it off does not want to hear of it either.
  return { settings: frozen(settings), complaints: settings.isDisabled ? [] : read.complaints };
}

const cloudDetectors = Object.fromEntries(
  ["alibaba", "aws", "azure", "gcp"].map((name) => [
    name,
    "it would ask the cloud over the network; set what it finds in OTEL_RESOURCE_ATTRIBUTES",
  ]),
);

function readInstrumentations(read: Environment): ReadonlySet<InstrumentationName> {
  const notOurs = (reason: string): Readonly<Record<string, string>> => {
    const ours: readonly string[] = instrumentationNames;
    const others = officialInstrumentations.filter((name) => !ours.includes(name));
    return Object.fromEntries(others.map((name) => [name, reason]));
  };
  const disabled = read.list(
    "OTEL_NODE_DISABLED_INSTRUMENTATIONS",
    { known: instrumentationNames, elsewhere: notOurs("") },
    [],
  );
  const enabled = read.all("OTEL_NODE_ENABLED_INSTRUMENTATIONS", {
    known: instrumentationNames,
    elsewhere: notOurs("sonde does not instrument it"),
  });
  return new Set(enabled.filter((name) => !disabled.includes(name)));
}

/** Known to everyone who comes from OpenTelemetry's own package. */
const officialInstrumentations = (
  "amqplib aws-lambda aws-sdk bunyan cassandra-driver connect cucumber dataloader dns express fastify fs" +
  " generic-pool graphql grpc hapi http ioredis kafkajs knex koa lru-memoizer memcached mongodb" +
  " mongoose mysql mysql2 nestjs-core net openai oracledb pg pino redis redis-4 restify router" +
  " runtime-node socket.io tedious undici winston"
).split(" ");

function readBatch(read: Environment, prefix: string, delayMs: number): BatchSettings {
  const maxQueue = read.number(`${prefix}_MAX_QUEUE_SIZE`, 2048);
  return {
    delayMs: read.number(`${prefix}_SCHEDULE_DELAY`, delayMs),
    timeoutMs: unlessNone(read.number(`${prefix}_EXPORT_TIMEOUT`, 30_000)),
    maxQueue,
    maxBatch: Math.min(read.number(`${prefix}_MAX_EXPORT_BATCH_SIZE`, 512), maxQueue),
  };
}

function readLimits(read: Environment): Limits {
  const length = read.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
  const count = read.number("OTEL_ATTRIBUTE_COUNT_LIMIT", 128);
  return {
    spanAttributeLength: read.number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
    spanAttributes: read.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count),
    spanEvents: read.number("OTEL_SPAN_EVENT_COUNT_LIMIT", 128),
    spanLinks: read.number("OTEL_SPAN_LINK_COUNT_LIMIT", 128),
    eventAttributes: read.number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", 128),
    linkAttributes: read.number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", 128),
    logAttributeLength: read.number("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
    logAttributes: read.number("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count),
  };
}

function readSignal<Exporter extends string>(
  read: Environment,
  signal: SignalName,
  known: readonly ("otlp" | Exporter)[],
): SignalSettings<"otlp" | Exporter> {
  const exporters = read.list(`OTEL_${signal.toUpperCase()}_EXPORTER`, { known, elsewhere }, [
    "otlp",
  ]);
  return { exporters, otlp: readOtlp(read, signal, exporters.includes("otlp")) };
}

const elsewhere = {
  zipkin: "it is deprecated; a collector takes OTLP and passes it on to Zipkin",
  jaeger: "it is deprecated; Jaeger takes OTLP",
};

function readSemconv(read: Environment): ReadonlySet<string> {
  const name = "OTEL_SEMCONV_STABILITY_OPT_IN";
  const members = membersOf((read.text(name) ?? "").toLowerCase());
  const known = semconvNames.flatMap((one) => [one, `${one}/dup`]);
  // Names that only other languages have are in use, and harmless.
  const foreign = Object.fromEntries(["gen_ai_latest_experimental", "k8s"].map((one) => [one, ""]));
  return new Set(
    choose(members, { known, elsewhere: foreign }, (what) => read.complain(`${name}: ${what}`)),
  );
}

function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || value instanceof Set) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
