// The names of all settings and what each may hold; from them come "no such setting", "did you mean" and
// "is not a number". What the values mean is in settings.ts.

/** What a variable holds; `unsupported` ones are in the specification and not read by us. */
type Kind =
  | "text"
  | "boolean"
  | "duration"
  | "count"
  | "ratio"
  | "url"
  | "unsupported"
  | readonly string[];

const signals = ["TRACES", "METRICS", "LOGS"];
export const protocols = ["http/protobuf", "http/json", "grpc"] as const;
export const compressions = ["none", "gzip"] as const;
export const logLevels = ["none", "error", "warn", "info", "debug", "verbose", "all"] as const;
export const temporalities = ["cumulative", "delta", "lowmemory"] as const;

const exporterKinds: Readonly<Record<string, Kind>> = {
  ENDPOINT: "url",
  PROTOCOL: protocols,
  HEADERS: "text",
  COMPRESSION: compressions,
  TIMEOUT: "duration",
  CERTIFICATE: "text",
  CLIENT_KEY: "text",
  CLIENT_CERTIFICATE: "text",
  INSECURE: "boolean",
};

export const engines = ["sonde", "opentelemetry"] as const;

const variables: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["SONDE_ENGINE", engines],
  ["SONDE_LOG_IDS", ["true", "false"]],
  ["OTEL_SDK_DISABLED", "boolean"],
  ["OTEL_SERVICE_NAME", "text"],
  ["OTEL_RESOURCE_ATTRIBUTES", "text"],
  ["OTEL_LOG_LEVEL", logLevels],
  ["OTEL_PROPAGATORS", "text"],
  ["OTEL_TRACES_SAMPLER", "text"],
  ["OTEL_TRACES_SAMPLER_ARG", "ratio"],
  ["OTEL_TRACES_EXPORTER", "text"],
  ["OTEL_METRICS_EXPORTER", "text"],
  ["OTEL_LOGS_EXPORTER", "text"],
  ["OTEL_BSP_SCHEDULE_DELAY", "duration"],
  ["OTEL_BSP_EXPORT_TIMEOUT", "duration"],
  ["OTEL_BSP_MAX_QUEUE_SIZE", "count"],
  ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "count"],
  ["OTEL_BLRP_SCHEDULE_DELAY", "duration"],
  ["OTEL_BLRP_EXPORT_TIMEOUT", "duration"],
  ["OTEL_BLRP_MAX_QUEUE_SIZE", "count"],
  ["OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "count"],
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
  ["OTEL_METRIC_EXPORT_INTERVAL", "duration"],
  ["OTEL_METRIC_EXPORT_TIMEOUT", "duration"],
  ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities],
  ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "unsupported"],
  ["OTEL_METRICS_EXEMPLAR_FILTER", "unsupported"],
  ["OTEL_EXPORTER_PROMETHEUS_HOST", "text"],
  ["OTEL_EXPORTER_PROMETHEUS_PORT", "count"],
  ["OTEL_EXPORTER_ZIPKIN_ENDPOINT", "unsupported"],
  ["OTEL_EXPORTER_ZIPKIN_TIMEOUT", "unsupported"],
  ["OTEL_CONFIG_FILE", "unsupported"],
  ["OTEL_NODE_ENABLED_INSTRUMENTATIONS", "text"],
  ["OTEL_NODE_DISABLED_INSTRUMENTATIONS", "text"],
  ["OTEL_NODE_RESOURCE_DETECTORS", "text"],
  ["OTEL_SEMCONV_STABILITY_OPT_IN", "text"],
  ["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "unsupported"],
  ["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "unsupported"],
  ...["", ...signals.map((signal) => `${signal}_`)].flatMap((signal) =>
    Object.entries(exporterKinds).map(
      ([name, kind]) => [`OTEL_EXPORTER_OTLP_${signal}${name}`, kind] as const,
    ),
  ),
]);

/** One environment often serves programs in several languages; their variables are no mistake here. */
const foreign = /^OTEL_(PYTHON|JAVA|JAVAAGENT|DOTNET|GO|RUBY|PHP|LAMBDA|COLLECTOR)_/;

export function checkName(name: string): string | undefined {
  if (variables.has(name) || foreign.test(name) || !/^(OTEL|SONDE)_/.test(name)) return undefined;
  const meant = didYouMean(name, variables.keys());
  // The collector has settings of its own under our prefix.
  if (name.startsWith("SONDE_") && meant === "") return undefined;
  return `${name}: no such setting${meant}`;
}

/** What is wrong with a value, empty ones being as good as absent. */
export function checkValue(name: string, value: string): string | undefined {
  const kind = variables.get(name);
  const wrong = (expected: string): string => `${name}: "${value}" is ${expected}`;
  if (kind === undefined || kind === "text") return undefined;
  if (typeof kind !== "string") {
    if (kind.includes(value.toLowerCase())) return undefined;
    return wrong(`none of ${kind.join(", ")}${didYouMean(value.toLowerCase(), kind)}`);
  }
  switch (kind) {
    case "boolean":
      return /^(true|false)$/i.test(value)
        ? undefined
        : wrong("neither true nor false; false it is");
    case "duration":
      return Number(value) > 0 ? undefined : wrong("not a number of milliseconds above 0");
    case "count":
      return /^\d+$/.test(value) ? undefined : wrong("not a whole number");
    case "ratio":
      return Number(value) >= 0 && Number(value) <= 1 ? undefined : wrong("not between 0 and 1");
    case "url":
      return URL.canParse(value) && /^https?:/i.test(value)
        ? undefined
        : wrong("not a URL such as http://localhost:4318");
    case "unsupported":
      return `${name}: not supported, ignored`;
    default:
      return kind satisfies never;
  }
}

/** `; did you mean X?` where one of the names is close enough to be meant. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  let best = "";
  let bestDistance = Math.min(4, Math.floor(name.length / 3) + 2);
  for (const candidate of candidates) {
    const distance = distanceBetween(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best && `; did you mean ${best}?`;
}

/** Levenshtein's: how many letters to add, drop or change. */
function distanceBetween(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const line = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      line.push(Math.min(change, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[right.length]!;
}
