// The names of all settings and what each may hold; from them come "no such setting", "did you mean" and
// "is not a number". What the values mean is in settings.ts, and docs/sdk-settings.md tells it to users.

import { didYouMean, printable, quoted } from "./values.ts";

/** What a variable holds. Lists and URLs are judged where they are read. */
type Kind = keyof typeof numbers | "text" | "boolean" | "elsewhere" | readonly string[];

/** A timer that waits longer fires at once. */
export const longestMs = 2 ** 31 - 1;
const mostItems = 2 ** 31 - 1;

const numbers = {
  /** Of a timeout 0 means that there is none. */
  milliseconds: { least: 0, most: longestMs, what: "a whole number of milliseconds" },
  interval: { least: 1, most: longestMs, what: "a whole number of milliseconds" },
  count: { least: 0, most: mostItems, what: "a whole number" },
  size: { least: 1, most: mostItems, what: "a whole number" },
  port: { least: 0, most: 65_535, what: "a port" },
} as const;

const signals = ["TRACES", "METRICS", "LOGS"];
export const protocols = ["http/protobuf", "http/json", "grpc"] as const;
export const compressions = ["none", "gzip"] as const;
export const logLevels = ["none", "error", "warn", "info", "debug", "verbose", "all"] as const;
export const temporalities = ["cumulative", "delta", "lowmemory"] as const;
export const histogramAggregations = [
  "explicit_bucket_histogram",
  "base2_exponential_bucket_histogram",
] as const;
export const exemplarFilters = ["trace_based", "always_on", "always_off"] as const;
export const exceptionSignals = ["logs", "logs/dup"] as const;
export const engines = ["sonde", "opentelemetry"] as const;

const exporterKinds: Readonly<Record<string, Kind>> = {
  ENDPOINT: "text",
  PROTOCOL: protocols,
  HEADERS: "text",
  COMPRESSION: compressions,
  TIMEOUT: "milliseconds",
  CERTIFICATE: "text",
  CLIENT_KEY: "text",
  CLIENT_CERTIFICATE: "text",
  INSECURE: "boolean",
};

export const variables: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["SONDE_ENGINE", engines],
  ["SONDE_HTTP_ACTIVE_REQUESTS", "boolean"],
  ["SONDE_LOG_IDS", ["true", "false"]],
  ["SONDE_PROCESS_METRICS", ["true", "false"]],
  ["SONDE_HOST_METRICS", "boolean"],
  ["SONDE_QUEUE_METRICS", "boolean"],
  ["OTEL_SDK_DISABLED", "boolean"],
  ["OTEL_CONFIG_FILE", "text"],
  ["OTEL_SERVICE_NAME", "text"],
  ["OTEL_RESOURCE_ATTRIBUTES", "text"],
  ["OTEL_NODE_RESOURCE_DETECTORS", "text"],
  ["OTEL_LOG_LEVEL", logLevels],
  ["OTEL_PROPAGATORS", "text"],
  ["OTEL_TRACES_SAMPLER", "text"],
  ["OTEL_TRACES_SAMPLER_ARG", "text"],
  ["OTEL_TRACES_EXPORTER", "text"],
  ["OTEL_METRICS_EXPORTER", "text"],
  ["OTEL_LOGS_EXPORTER", "text"],
  ...["", ...signals.map((signal) => `${signal}_`)].flatMap((signal) =>
    Object.entries(exporterKinds).map(
      ([name, kind]) => [`OTEL_EXPORTER_OTLP_${signal}${name}`, kind] as const,
    ),
  ),
  ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities],
  ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", histogramAggregations],
  ["OTEL_EXPORTER_PROMETHEUS_HOST", "text"],
  ["OTEL_EXPORTER_PROMETHEUS_PORT", "port"],
  ["OTEL_EXPORTER_ZIPKIN_ENDPOINT", "elsewhere"],
  ["OTEL_EXPORTER_ZIPKIN_TIMEOUT", "elsewhere"],
  ...["BSP", "BLRP"].flatMap((processor): [string, Kind][] => [
    [`OTEL_${processor}_SCHEDULE_DELAY`, "milliseconds"],
    [`OTEL_${processor}_EXPORT_TIMEOUT`, "milliseconds"],
    [`OTEL_${processor}_MAX_QUEUE_SIZE`, "size"],
    [`OTEL_${processor}_MAX_EXPORT_BATCH_SIZE`, "size"],
  ]),
  ["OTEL_METRIC_EXPORT_INTERVAL", "interval"],
  ["OTEL_METRIC_EXPORT_TIMEOUT", "milliseconds"],
  ["OTEL_METRICS_EXEMPLAR_FILTER", exemplarFilters],
  ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "count"],
  ["OTEL_ATTRIBUTE_COUNT_LIMIT", "count"],
  ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "count"],
  ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "count"],
  ["OTEL_SPAN_EVENT_COUNT_LIMIT", "count"],
  ["OTEL_SPAN_LINK_COUNT_LIMIT", "count"],
  ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "count"],
  ["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "count"],
  ["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "count"],
  ["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "count"],
  ["OTEL_NODE_ENABLED_INSTRUMENTATIONS", "text"],
  ["OTEL_NODE_DISABLED_INSTRUMENTATIONS", "text"],
  ["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "text"],
  ["OTEL_SEMCONV_STABILITY_OPT_IN", "text"],
  ["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", exceptionSignals],
  ["OTEL_NODE_FLUSH_ON_CRASH", ["true"]],
  ["OTEL_NODE_FLUSH_ON_CRASH_TIMEOUT_MS", "elsewhere"],
]);

/** Of the specification, and not read by us. */
const unread: Readonly<Record<string, string>> = {
  OTEL_EXPORTER_ZIPKIN_ENDPOINT: "the Zipkin exporter is deprecated and not supported; send OTLP",
  OTEL_EXPORTER_ZIPKIN_TIMEOUT: "the Zipkin exporter is deprecated and not supported; send OTLP",
  OTEL_NODE_FLUSH_ON_CRASH: "it cannot be switched off; what is left is sent within two seconds",
  OTEL_NODE_FLUSH_ON_CRASH_TIMEOUT_MS:
    "not supported, ignored; what is left is sent within two seconds",
};

/**
 * One environment often serves programs in several languages, and OpenTelemetry's operator for Kubernetes
 * adds variables of its own: no mistake here.
 */
const foreign = new RegExp(
  "^OTEL_(PYTHON|JAVA|JAVAAGENT|DOTNET|GO|RUBY|PHP|ERLANG|RUST|CPP|SWIFT|LAMBDA|COLLECTOR|INJECTOR" +
    "|OPERATOR|EBPF|RESOURCE_PROVIDERS|EXPERIMENTAL|NODE_EXPERIMENTAL)_" +
    "|^OTEL_(RESOURCE_ATTRIBUTES_(POD|NODE)_[A-Z]+|(POD|NODE)_IP)$",
);

/** Of one that begins with OTEL_ or SONDE_. */
export function checkName(name: string): string | undefined {
  if (variables.has(name) || foreign.test(name)) return undefined;
  const meant = didYouMean(name, variables.keys());
  // The collector has settings of its own under our prefix, other languages have many for their libraries.
  if (/^(SONDE|OTEL_INSTRUMENTATION)_/.test(name) && meant === "") return undefined;
  return `${printable(name)}: no such setting${meant}`;
}

/** What is wrong with a value, empty ones being as good as absent. */
export function checkValue(name: string, value: string): string | undefined {
  const kind = variables.get(name);
  const wrong = (expected: string): string => `${name}: ${quoted(value)} is ${expected}`;
  if (kind === undefined || kind === "text") return undefined;
  if (typeof kind !== "string") {
    if (kind.includes(value.toLowerCase())) return undefined;
    if (unread[name] !== undefined) return `${name}: ${unread[name]}`;
    return wrong(`none of ${kind.join(", ")}${didYouMean(value.toLowerCase(), kind)}`);
  }
  if (kind === "elsewhere") return `${name}: ${unread[name] ?? "not supported, ignored"}`;
  if (kind === "boolean") {
    return /^(true|false)$/i.test(value) ? undefined : wrong("neither true nor false; false it is");
  }
  const { least, most, what } = numbers[kind];
  const isWithin = /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most;
  return isWithin ? undefined : wrong(`not ${what} from ${least} to ${most}, ignored`);
}
