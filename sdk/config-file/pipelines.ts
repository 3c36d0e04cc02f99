// What a configuration file says about where each signal goes → the settings of that signal. Sonde sends a
// signal to one OTLP endpoint and prints it once: a second exporter of a kind is told and left out.

import { grpcUrl, httpUrl, unlessNone } from "../otlp-settings.ts";
import type { OtlpSettings, SignalName } from "../otlp-settings.ts";
import type { BatchSettings, Settings, SignalSettings } from "../settings.ts";
import { headersOf, pairsOf, quoted, readSmallFile } from "../values.ts";
import { compressions, exemplarFilters, histogramAggregations, longestMs } from "../variables.ts";
import { textOf } from "./section.ts";
import type { Section } from "./section.ts";
import { readViews } from "./views.ts";

type Exporter = "otlp" | "console" | "otlp/stdout";

/** Of traces and logs. */
export function readProcessors(
  provider: Section,
  signal: "traces" | "logs",
  defaults: { readonly otlp: OtlpSettings; readonly batch: BatchSettings },
): { readonly pipeline: SignalSettings<Exporter>; readonly batch: BatchSettings } {
  const exporters: Exporter[] = [];
  let { otlp, batch } = defaults;
  const kinds = ["batch", "simple", "event_to_span_event_bridge/development"] as const;
  if (!provider.has("processors")) provider.fail("processors", "is missing");
  for (const processor of provider.sections("processors")) {
    const [kind, options] = processor.only(kinds);
    if (kind === "event_to_span_event_bridge/development") {
      processor.skip([kind]);
      continue;
    }
    const settings = kind === "batch" ? readBatch(options, defaults.batch) : oneByOne;
    const read = readExporter(options.required("exporter"), signal);
    options.done();
    if (read === undefined) continue;
    if (exporters.includes(read.exporter)) {
      processor.complain(kind, `a second exporter of the kind ${read.exporter} is ignored`);
      continue;
    }
    exporters.push(read.exporter);
    if (read.exporter !== "console") batch = settings;
    otlp = read.otlp ?? otlp;
  }
  return { pipeline: { exporters, otlp }, batch };
}

const oneByOne: BatchSettings = { delayMs: 0, timeoutMs: longestMs, maxQueue: 2048, maxBatch: 1 };

function readBatch(options: Section, defaults: BatchSettings): BatchSettings {
  const maxQueue = options.whole("max_queue_size", defaults.maxQueue, 1);
  return {
    delayMs: options.whole("schedule_delay", defaults.delayMs),
    timeoutMs: unlessNone(options.whole("export_timeout", defaults.timeoutMs)),
    maxQueue,
    maxBatch: Math.min(options.whole("max_export_batch_size", defaults.maxBatch, 1), maxQueue),
  };
}

type MetricSettings = Pick<
  Settings,
  | "metrics"
  | "metricIntervalMs"
  | "metricTimeoutMs"
  | "temporality"
  | "histogramAggregation"
  | "exemplarFilter"
  | "prometheusHost"
  | "prometheusPort"
  | "views"
>;

export function readReaders(provider: Section, defaults: MetricSettings): MetricSettings {
  let settings: MetricSettings = {
    ...defaults,
    metrics: { ...defaults.metrics, exporters: [] },
    exemplarFilter: provider.choice("exemplar_filter", exemplarFilters) ?? "trace_based",
  };
  if (!provider.has("readers")) provider.fail("readers", "is missing");
  for (const reader of provider.sections("readers")) {
    const [kind, options] = reader.only(["periodic", "pull"]);
    const read = kind === "pull" ? readPull(options) : readPeriodic(options, settings);
    options.skip(["producers", "cardinality_limits", "max_export_batch_size/development"]);
    options.done();
    if (read === undefined) continue;
    const { exporter, ...changes } = read;
    if (settings.metrics.exporters.includes(exporter)) {
      reader.complain(kind, `a second exporter of the kind ${exporter} is ignored`);
      continue;
    }
    const exporters = [...settings.metrics.exporters, exporter];
    settings = {
      ...settings,
      ...changes,
      metrics: { ...settings.metrics, ...changes.metrics, exporters },
    };
  }
  return { ...settings, views: readViews(provider, settings.metrics.exporters) };
}

type ReaderRead = Partial<MetricSettings> & { readonly exporter: Exporter | "prometheus" };

function readPeriodic(options: Section, { metrics }: MetricSettings): ReaderRead | undefined {
  const metricIntervalMs = options.whole("interval", 60_000, 1);
  const timeoutMs = unlessNone(options.whole("timeout", 30_000));
  const preference: { -readonly [Key in keyof MetricSettings]?: MetricSettings[Key] } = {};
  const read = readExporter(options.required("exporter"), "metrics", (body) => {
    const temporality = body.choice("temporality_preference", [
      "cumulative",
      "delta",
      "low_memory",
    ]);
    preference.temporality =
      temporality === "low_memory" ? "lowmemory" : (temporality ?? "cumulative");
    preference.histogramAggregation =
      body.choice("default_histogram_aggregation", histogramAggregations) ??
      histogramAggregations[0];
  });
  return (
    read && {
      ...preference,
      exporter: read.exporter,
      metrics: { ...metrics, otlp: read.otlp ?? metrics.otlp },
      metricIntervalMs,
      metricTimeoutMs: Math.min(timeoutMs, metricIntervalMs),
    }
  );
}

function readPull(options: Section): ReaderRead {
  const [, prometheus] = options.required("exporter").only(["prometheus/development"]);
  const prometheusPort = prometheus.whole("port", 9464);
  if (prometheusPort > 65_535) prometheus.fail("port", `${prometheusPort} is not a port`);
  const prometheusHost = prometheus.text("host") ?? "127.0.0.1";
  prometheus.skip([
    "scope_info_enabled",
    "without_scope_info",
    "target_info_enabled/development",
    "without_target_info/development",
    "resource_constant_labels",
    "with_resource_constant_labels",
    "translation_strategy",
  ]);
  prometheus.done();
  return { exporter: "prometheus", prometheusHost, prometheusPort };
}

interface ExporterRead {
  readonly exporter: Exporter;
  readonly otlp?: OtlpSettings;
}

function readExporter(
  section: Section,
  signal: SignalName,
  readMore: (body: Section) => void = () => {},
): ExporterRead | undefined {
  const kinds = ["otlp_http", "otlp_grpc", "console", "otlp_file/development"] as const;
  const [kind, body] = section.only(kinds);
  readMore(body);
  const read = (): ExporterRead | undefined => {
    if (kind === "console") return { exporter: "console" };
    if (kind !== "otlp_file/development") {
      return { exporter: "otlp", otlp: readOtlp(body, signal, kind === "otlp_grpc") };
    }
    const stream = body.text("output_stream") ?? "stdout";
    if (stream === "stdout") return { exporter: "otlp/stdout" };
    body.complain("output_stream", `${quoted(stream)} is not supported, ignored; stdout is`);
    return undefined;
  };
  const exporter = read();
  body.done();
  return exporter;
}

function readOtlp(body: Section, signal: SignalName, isGrpc: boolean): OtlpSettings {
  const encoding = isGrpc ? undefined : body.choice("encoding", ["protobuf", "json"]);
  const tls = body.section("tls");
  const isInsecure = (isGrpc && tls?.flag("insecure")) || false;
  const otherwise = isGrpc ? "http://localhost:4317" : `http://localhost:4318/v1/${signal}`;
  const text = body.text("endpoint") ?? otherwise;
  const url = isGrpc ? grpcUrl(text, isInsecure) : httpUrl(text);
  if (url === undefined) body.fail("endpoint", `${quoted(text)} is not a URL such as ${otherwise}`);
  const settings: OtlpSettings = {
    protocol: isGrpc ? "grpc" : encoding === "json" ? "http/json" : "http/protobuf",
    url: isGrpc ? url.origin : url.href,
    headers: readHeaders(body),
    compression: body.choice("compression", compressions) ?? "none",
    timeoutMs: unlessNone(body.whole("timeout", 10_000)),
    tls: {
      ca: pem(tls, "ca_file"),
      cert: pem(tls, "cert_file"),
      key: pem(tls, "key_file"),
    },
  };
  tls?.done();
  return settings;
}

function pem(tls: Section | undefined, key: string): string | undefined {
  const path = tls?.text(key);
  return path === undefined ? undefined : readSmallFile(path, (what) => tls?.complain(key, what));
}

/** Those of the list give way. */
function readHeaders(body: Section): Readonly<Record<string, string>> {
  const complain = (what: string): void => body.complain("headers", what);
  const pairs = body.sections("headers").flatMap((header): [string, string][] => {
    const name = header.text("name") ?? header.fail("name", "is missing");
    const value = header.value("value");
    header.done();
    if (value === undefined) return [];
    return [[name, textOf(value) ?? header.fail("value", "is not text")]];
  });
  const listed = pairsOf(body.text("headers_list") ?? "", (what) =>
    body.complain("headers_list", what),
  );
  return {
    ...headersOf(listed, complain),
    ...headersOf(Object.fromEntries(pairs), complain),
  };
}
