// OTEL_* and SONDE_* → one frozen Settings, and what is wrong with them, a line each. Nothing here
// stops the app: a value that makes no sense is as good as absent.

import { readFileSync } from "node:fs";
import { messageOf } from "./tell.ts";
import { checkName, checkValue, compressions, didYouMean, protocols } from "./variables.ts";

export const instrumentationNames = [
  "http",
  "undici",
  "fastify",
  "console",
  "runtime-node",
  "express",
  "pg",
  "redis",
  "pino",
  "winston",
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

const logLevels = ["none", "error", "warn", "info", "debug", "verbose", "all"] as const;
export type Protocol = (typeof protocols)[number];

export interface SignalSettings<Exporter> {
  /** Empty: the signal is off. */
  readonly exporters: readonly Exporter[];
  readonly otlp: OtlpSettings;
}

export interface OtlpSettings {
  readonly protocol: Protocol;
  /** Of OTLP/HTTP; what is for gRPC alone is left to OpenTelemetry's exporters. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: (typeof compressions)[number];
  readonly timeoutMs: number;
  /** PEM, as node:https takes it. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface BatchSettings {
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly maxQueue: number;
  readonly maxBatch: number;
}

const temporalities = ["cumulative", "delta", "lowmemory"] as const;

export interface Settings {
  readonly isDisabled: boolean;
  /** Of OpenTelemetry's own diagnostics; undefined is silence, since we tell what matters ourselves. */
  readonly logLevel: (typeof logLevels)[number] | undefined;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly detectors: readonly DetectorName[];
  readonly instrumentations: ReadonlySet<InstrumentationName>;
  readonly propagators: readonly PropagatorName[];
  readonly sampler: SamplerName;
  readonly samplerRatio: number;
  readonly traces: SignalSettings<"otlp" | "console" | "zipkin">;
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
  const read = new Reader(environment);
  const metricIntervalMs = read.number("OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const settings: Settings = {
    isDisabled: read.text("OTEL_SDK_DISABLED")?.toLowerCase() === "true",
    logLevel: read.choice(["OTEL_LOG_LEVEL"], logLevels),
    serviceName: read.text("OTEL_SERVICE_NAME"),
    resourceAttributes: read.pairs("OTEL_RESOURCE_ATTRIBUTES"),
    detectors: read.all("OTEL_NODE_RESOURCE_DETECTORS", detectorNames),
    instrumentations: readInstrumentations(read),
    propagators: read.list("OTEL_PROPAGATORS", propagatorNames, ["tracecontext", "baggage"]),
    sampler: read.list("OTEL_TRACES_SAMPLER", samplerNames, [])[0] ?? "parentbased_always_on",
    samplerRatio: read.number("OTEL_TRACES_SAMPLER_ARG", 1),
    traces: read.signal("TRACES", ["otlp", "console", "zipkin"]),
    metrics: read.signal("METRICS", ["otlp", "console", "prometheus"]),
    logs: read.signal("LOGS", ["otlp", "console"]),
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
  };
  read.checkEngine();
  return { settings: Object.freeze(settings), complaints: read.complaints };
}

function readInstrumentations(read: Reader): ReadonlySet<InstrumentationName> {
  const disabled = read.list("OTEL_NODE_DISABLED_INSTRUMENTATIONS", instrumentationNames, []);
  const enabled = read.list(
    "OTEL_NODE_ENABLED_INSTRUMENTATIONS",
    instrumentationNames,
    instrumentationNames,
  );
  return new Set(enabled.filter((name) => !disabled.includes(name)));
}

function readBatch(read: Reader, prefix: string, delayMs: number): BatchSettings {
  const maxQueue = read.number(`${prefix}_MAX_QUEUE_SIZE`, 2048);
  return {
    delayMs: read.number(`${prefix}_SCHEDULE_DELAY`, delayMs),
    timeoutMs: read.number(`${prefix}_EXPORT_TIMEOUT`, 30_000),
    maxQueue,
    maxBatch: Math.min(read.number(`${prefix}_MAX_EXPORT_BATCH_SIZE`, 512), maxQueue),
  };
}

function readLimits(read: Reader): Limits {
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

/** Reads values by name; whatever it cannot use becomes a complaint, once, and counts as absent. */
class Reader {
  readonly complaints: string[] = [];
  readonly #values = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv) {
    for (const [name, raw] of Object.entries(environment)) {
      const value = raw?.trim() ?? "";
      if (value === "") continue;
      const complaint = checkName(name) ?? checkValue(name, value);
      if (complaint === undefined) this.#values.set(name, value);
      else this.complaints.push(complaint);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  number(name: string, otherwise: number): number;
  number(name: string, otherwise?: number): number | undefined;
  number(name: string, otherwise?: number): number | undefined {
    const value = this.text(name);
    return value === undefined ? otherwise : Number(value);
  }

  /** The first of the names that is set. */
  choice<Choice extends string>(
    names: readonly string[],
    choices: readonly Choice[],
  ): Choice | undefined {
    const value = names.map((name) => this.text(name)).find((value) => value !== undefined);
    return choices.find((choice) => choice === value?.toLowerCase());
  }

  /** A list separated by commas; "none" empties it, unknown members are left out. */
  list<Choice extends string>(
    name: string,
    choices: readonly Choice[],
    otherwise: readonly Choice[],
  ): readonly Choice[] {
    const members = this.#members(name);
    if (members.length === 0) return otherwise;
    if (members.includes("none")) return [];
    const known = choices.filter((choice) => members.includes(choice));
    for (const member of members) {
      if (choices.some((choice) => choice === member)) continue;
      const meant = didYouMean(member, choices) || `; known are ${choices.join(", ")}`;
      this.complaints.push(`${name}: "${member}" is unknown or not supported yet, ignored${meant}`);
    }
    return known.length > 0 ? known : otherwise;
  }

  /** A list that may also say "all", which is the default. */
  all<Choice extends string>(name: string, choices: readonly Choice[]): readonly Choice[] {
    return this.#members(name).includes("all") ? choices : this.list(name, choices, choices);
  }

  signal<Exporter extends string>(
    signal: "TRACES" | "METRICS" | "LOGS",
    exporters: readonly ("otlp" | Exporter)[],
  ): SignalSettings<"otlp" | Exporter> {
    const chosen = this.list(`OTEL_${signal}_EXPORTER`, exporters, ["otlp"]);
    const names = (what: string): [own: string, common: string] => [
      `OTEL_EXPORTER_OTLP_${signal}_${what}`,
      `OTEL_EXPORTER_OTLP_${what}`,
    ];
    const protocol = this.choice(names("PROTOCOL"), protocols) ?? "http/protobuf";
    if (chosen.includes("otlp") && protocol !== "grpc")
      this.#checkPort(names("ENDPOINT"), protocol);
    const [ownUrl, commonUrl] = names("ENDPOINT").map((name) => this.text(name));
    const [ownHeaders, commonHeaders] = names("HEADERS").map((name) => this.pairs(name));
    const [ownTimeout, commonTimeout] = names("TIMEOUT");
    return {
      exporters: chosen,
      otlp: {
        protocol,
        url: ownUrl ?? under(commonUrl ?? "http://localhost:4318", `v1/${signal.toLowerCase()}`),
        headers: { ...commonHeaders, ...ownHeaders },
        compression: this.choice(names("COMPRESSION"), compressions) ?? "none",
        timeoutMs: this.number(ownTimeout, this.number(commonTimeout, 10_000)),
        tls: {
          ...this.#file("ca", names("CERTIFICATE")),
          ...this.#file("cert", names("CLIENT_CERTIFICATE")),
          ...this.#file("key", names("CLIENT_KEY")),
        },
      },
    };
  }

  /** `key=value,…`, percent-encoded; by the specification one error discards all of it. */
  pairs(name: string): Readonly<Record<string, string>> {
    const pairs: [string, string][] = [];
    for (const member of this.text(name)?.split(",") ?? []) {
      if (member.trim() === "") continue;
      const at = member.indexOf("=");
      const key = decode(member.slice(0, Math.max(at, 0)).trim());
      const value = decode(member.slice(at + 1).trim());
      if (!key || value === undefined) {
        // Values of headers are secrets.
        this.#complain(`${name}: "${key ?? ""}…" is not key=value, all of it is ignored`);
        return {};
      }
      pairs.push([key, value]);
    }
    return Object.fromEntries(pairs);
  }

  checkEngine(): void {
    const engine = this.text("SONDE_ENGINE");
    if (engine === undefined || engine === "opentelemetry") return;
    this.complaints.push(`SONDE_ENGINE: "${engine}" is none of opentelemetry`);
  }

  #members(name: string): string[] {
    const members = (this.text(name) ?? "").toLowerCase().split(",");
    return [...new Set(members.map((member) => member.trim()).filter((member) => member !== ""))];
  }

  /** The most common mistake of all: OTLP/HTTP sent to the port of OTLP/gRPC is never answered. */
  #checkPort(names: readonly string[], protocol: Protocol): void {
    const name = names.find((name) => this.text(name) !== undefined);
    if (name === undefined || new URL(this.text(name) ?? "").port !== "4317") return;
    const complaint =
      `${name}: 4317 is the port of grpc, but the protocol is ${protocol}; ` +
      "use port 4318 or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc";
    this.#complain(complaint);
  }

  #file(
    key: "ca" | "cert" | "key",
    names: readonly string[],
  ): { ca?: string; cert?: string; key?: string } {
    const name = names.find((name) => this.text(name) !== undefined);
    if (name === undefined) return {};
    try {
      return { [key]: readFileSync(this.text(name) ?? "", "utf8") };
    } catch (error) {
      this.#complain(`${name}: cannot be read: ${messageOf(error)}`);
      return {};
    }
  }

  /** What is common to the signals is read three times and told once. */
  #complain(complaint: string): void {
    if (!this.complaints.includes(complaint)) this.complaints.push(complaint);
  }
}

function under(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}/${path}`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
