// OTEL_* and SONDE_* → one frozen Settings, and what is wrong with them, a line each. Nothing here
// stops the app: a value that makes no sense is as good as absent.

import { Environment } from "./environment.ts";
import { engines, compressions, logLevels, protocols, temporalities } from "./variables.ts";

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
  "grpc",
  "graphql",
  "aws-sdk",
  "pino",
  "winston",
  "bunyan",
] as const;
export type InstrumentationName = (typeof instrumentationNames)[number];

const detectorNames = ["env", "host", "os", "process", "serviceinstance"] as const;
export type DetectorName = (typeof detectorNames)[number];

const propagatorNames = ["tracecontext", "baggage", "b3", "b3multi"] as const;
export type PropagatorName = (typeof propagatorNames)[number];

const samplerNames = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof samplerNames)[number];

export interface SignalSettings<Exporter> {
  /** Empty: the signal is off. */
  readonly exporters: readonly Exporter[];
  readonly otlp: OtlpSettings;
}

export interface OtlpSettings {
  readonly protocol: (typeof protocols)[number];
  /** Of OTLP/HTTP; what is for gRPC alone is left to OpenTelemetry's exporters. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: (typeof compressions)[number];
  readonly timeoutMs: number;
  /** PEM, as node:https takes it. */
  readonly tls: Readonly<Partial<Record<"ca" | "cert" | "key", string | undefined>>>;
}

export interface BatchSettings {
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly maxQueue: number;
  readonly maxBatch: number;
}

export interface Settings {
  readonly isDisabled: boolean;
  readonly engine: (typeof engines)[number];
  /** Of OpenTelemetry's own diagnostics; undefined is silence, since we tell what matters ourselves. */
  readonly logLevel: (typeof logLevels)[number] | undefined;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly detectors: readonly DetectorName[];
  readonly instrumentations: ReadonlySet<InstrumentationName>;
  readonly propagators: readonly PropagatorName[];
  readonly sampler: SamplerName;
  readonly samplerRatio: number;
  readonly traces: SignalSettings<"otlp" | "console">;
  readonly metrics: SignalSettings<"otlp" | "console" | "prometheus">;
  readonly logs: SignalSettings<"otlp" | "console">;
  readonly spanBatch: BatchSettings;
  readonly logBatch: BatchSettings;
  readonly metricIntervalMs: number;
  readonly metricTimeoutMs: number;
  readonly temporality: (typeof temporalities)[number];
  readonly prometheusHost: string;
  readonly prometheusPort: number;
  readonly limits: Limits;
  /** Whether lines of JSON that loggers write gain trace_id, span_id and trace_flags. */
  readonly logIds: boolean;
}

/** Undefined is OpenTelemetry's default. */
export interface Limits {
  readonly spanAttributeLength: number | undefined;
  readonly spanAttributes: number | undefined;
  readonly spanEvents: number | undefined;
  readonly spanLinks: number | undefined;
  readonly eventAttributes: number | undefined;
  readonly linkAttributes: number | undefined;
  readonly logAttributeLength: number | undefined;
  readonly logAttributes: number | undefined;
}

export interface SettingsRead {
  readonly settings: Settings;
  readonly complaints: readonly string[];
}

export function readSettings(environment: NodeJS.ProcessEnv): SettingsRead {
  const read = new Environment(environment);
  const metricIntervalMs = read.number("OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const settings: Settings = {
    isDisabled: read.text("OTEL_SDK_DISABLED")?.toLowerCase() === "true",
    engine: read.choice(["SONDE_ENGINE"], engines) ?? "sonde",
    logLevel: read.choice(["OTEL_LOG_LEVEL"], logLevels),
    serviceName: read.text("OTEL_SERVICE_NAME"),
    resourceAttributes: read.pairs("OTEL_RESOURCE_ATTRIBUTES"),
    detectors: read.all("OTEL_NODE_RESOURCE_DETECTORS", detectorNames),
    instrumentations: readInstrumentations(read),
    propagators: read.list("OTEL_PROPAGATORS", propagatorNames, ["tracecontext", "baggage"]),
    sampler: read.list("OTEL_TRACES_SAMPLER", samplerNames, [])[0] ?? "parentbased_always_on",
    samplerRatio: read.number("OTEL_TRACES_SAMPLER_ARG", 1),
    traces: readSignal(read, "TRACES", ["otlp", "console"]),
    metrics: readSignal(read, "METRICS", ["otlp", "console", "prometheus"]),
    logs: readSignal(read, "LOGS", ["otlp", "console"]),
    spanBatch: readBatch(read, "OTEL_BSP", 5000),
    logBatch: readBatch(read, "OTEL_BLRP", 1000),
    metricIntervalMs,
    metricTimeoutMs: Math.min(read.number("OTEL_METRIC_EXPORT_TIMEOUT", 30_000), metricIntervalMs),
    temporality:
      read.choice(["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"], temporalities) ??
      "cumulative",
    prometheusHost: read.text("OTEL_EXPORTER_PROMETHEUS_HOST") ?? "127.0.0.1",
    prometheusPort: read.number("OTEL_EXPORTER_PROMETHEUS_PORT", 9464),
    limits: readLimits(read),
    logIds: read.choice(["SONDE_LOG_IDS"], ["true", "false"]) !== "false",
  };
  return { settings: Object.freeze(settings), complaints: read.complaints };
}

function readInstrumentations(read: Environment): ReadonlySet<InstrumentationName> {
  const disabled = read.list("OTEL_NODE_DISABLED_INSTRUMENTATIONS", instrumentationNames, []);
  const enabled = read.list(
    "OTEL_NODE_ENABLED_INSTRUMENTATIONS",
    instrumentationNames,
    instrumentationNames,
  );
  return new Set(enabled.filter((name) => !disabled.includes(name)));
}

function readBatch(read: Environment, prefix: string, delayMs: number): BatchSettings {
  const maxQueue = read.number(`${prefix}_MAX_QUEUE_SIZE`, 2048);
  return {
    delayMs: read.number(`${prefix}_SCHEDULE_DELAY`, delayMs),
    timeoutMs: read.number(`${prefix}_EXPORT_TIMEOUT`, 30_000),
    maxQueue,
    maxBatch: Math.min(read.number(`${prefix}_MAX_EXPORT_BATCH_SIZE`, 512), maxQueue),
  };
}

function readLimits(read: Environment): Limits {
  const length = read.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
  const count = read.number("OTEL_ATTRIBUTE_COUNT_LIMIT");
  return {
    spanAttributeLength: read.number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
    spanAttributes: read.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count),
    spanEvents: read.number("OTEL_SPAN_EVENT_COUNT_LIMIT"),
    spanLinks: read.number("OTEL_SPAN_LINK_COUNT_LIMIT"),
    eventAttributes: read.number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
    linkAttributes: read.number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
    logAttributeLength: read.number("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
    logAttributes: read.number("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count),
  };
}

function readSignal<Exporter extends string>(
  read: Environment,
  signal: "TRACES" | "METRICS" | "LOGS",
  exporters: readonly ("otlp" | Exporter)[],
): SignalSettings<"otlp" | Exporter> {
  const chosen = read.list(`OTEL_${signal}_EXPORTER`, exporters, ["otlp"]);
  const names = (what: string): [own: string, common: string] => [
    `OTEL_EXPORTER_OTLP_${signal}_${what}`,
    `OTEL_EXPORTER_OTLP_${what}`,
  ];
  const protocol = read.choice(names("PROTOCOL"), protocols) ?? "http/protobuf";
  if (chosen.includes("otlp") && protocol !== "grpc") checkPort(read, names("ENDPOINT"), protocol);
  const [ownUrl, commonUrl] = names("ENDPOINT").map((name) => read.text(name));
  const [ownHeaders, commonHeaders] = names("HEADERS").map((name) => read.pairs(name));
  const [ownTimeout, commonTimeout] = names("TIMEOUT");
  return {
    exporters: chosen,
    otlp: {
      protocol,
      url: ownUrl ?? under(commonUrl ?? "http://localhost:4318", `v1/${signal.toLowerCase()}`),
      headers: { ...commonHeaders, ...ownHeaders },
      compression: read.choice(names("COMPRESSION"), compressions) ?? "none",
      timeoutMs: read.number(ownTimeout, read.number(commonTimeout, 10_000)),
      tls: {
        ca: read.file(names("CERTIFICATE")),
        cert: read.file(names("CLIENT_CERTIFICATE")),
        key: read.file(names("CLIENT_KEY")),
      },
    },
  };
}

/** The most common mistake of all: OTLP/HTTP sent to the port of OTLP/gRPC is never answered. */
function checkPort(read: Environment, names: readonly string[], protocol: string): void {
  const name = names.find((name) => read.text(name) !== undefined);
  if (name === undefined || new URL(read.text(name) ?? "").port !== "4317") return;
  const complaint =
    `${name}: 4317 is the port of grpc, but the protocol is ${protocol}; ` +
    "use port 4318 or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc";
  read.complain(complaint);
}

function under(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}/${path}`;
}
