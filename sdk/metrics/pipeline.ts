// Metrics from where they are kept to where they are sent: a reader for each exporter, and the provider of
// instruments for what the app measures itself.

import type { IMetricReader, MeterProvider as SdkProvider } from "@opentelemetry/sdk-metrics";
import { otlpMetrics } from "../export/otlp.ts";
import { servePrometheus } from "../export/prometheus.ts";
import type { Sender } from "../export/sender.ts";
import { printMetrics } from "../export/stdout.ts";
import { load, loadOwn } from "../packages.ts";
import { type Resource, resourceFrom } from "../resource.ts";
import type { Settings } from "../settings.ts";
import { collectNow } from "./collect-now.ts";
import { Periodic } from "./periodic.ts";
import type { ExportMetrics } from "./periodic.ts";
import { MeterProvider } from "./provider.ts";
import { cumulativeForm } from "./reader.ts";
import type { ReaderForm } from "./reader.ts";

export interface MetricsStart {
  readonly settings: Settings;
  readonly resource: () => Resource;
  readonly sender: Sender;
}

export interface MetricsPipeline {
  readonly provider: MeterProvider;
  gather(): Promise<void>;
  /** At the very end: sends what can be told at once. */
  gatherNow(): void;
  stop(): Promise<void>;
}

/** Undefined where metrics go nowhere. */
export function startPipeline(start: MetricsStart): MetricsPipeline | undefined {
  const { settings } = start;
  if (settings.metrics.exporters.length === 0) return undefined;
  const readers = settings.metrics.exporters.map((exporter): IMetricReader => {
    switch (exporter) {
      case "prometheus":
        return servePrometheus(settings, [
          ownMetrics(settings, { ...cumulativeForm, isText: true }),
        ]);
      case "console":
        return periodic(settings, cumulativeForm, toConsole(start.resource));
      case "otlp/stdout":
        return periodic(settings, cumulativeForm, printMetrics(start.resource));
      case "otlp": {
        const send = otlpMetrics(settings, start.sender, start.resource);
        return periodic(settings, formOf(settings), send);
      }
      default:
        return exporter satisfies never;
    }
  });
  const pushing = readers.filter((reader) => reader instanceof Periodic);
  const gather = async (): Promise<void> => {
    await Promise.all(pushing.map((reader) => reader.forceFlush()));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(readers.map((reader) => reader.shutdown()));
  };
  const make = (): SdkProvider => {
    const { MeterProvider } = load("@opentelemetry/sdk-metrics");
    const views = settings.views.length > 0 ? makeViews(settings) : [];
    return new MeterProvider({ resource: resourceFrom(start.resource()), readers, views });
  };
  const provider = new MeterProvider({
    make,
    flush: gather,
    stop,
    exemplarFilter: settings.exemplarFilter,
  });
  if (pushing.length < readers.length) provider.makeNow(); // Prometheus' exporter is sdk-metrics' own
  return {
    provider,
    gather,
    gatherNow() {
      for (const reader of pushing) reader.export(collectNow(provider.made, reader));
    },
    stop: () => provider.shutdown(),
  };
}

function toConsole(attributes: MetricsStart["resource"]): ExportMetrics {
  const { ConsoleMetricExporter } = load("@opentelemetry/sdk-metrics");
  const exporter = new ConsoleMetricExporter();
  const resource = resourceFrom(attributes());
  return (metrics) => {
    exporter.export({ resource, scopeMetrics: [...metrics] }, () => {});
    return true;
  };
}

function periodic(settings: Settings, form: ReaderForm, send: ExportMetrics): Periodic {
  return new Periodic({
    form,
    own: ownMetrics(settings, form),
    send:
      settings.views.length > 0
        ? (metrics) => send(loadViews().withScales(metrics, settings.views))
        : send,
    intervalMs: settings.metricIntervalMs,
    timeoutMs: settings.metricTimeoutMs,
  });
}

function ownMetrics(settings: Settings, form: ReaderForm) {
  const own = loadOwn("./metrics/own").ownMetricsFor(settings, form);
  return settings.views.length > 0 ? loadViews().withViews(own, settings.views, form) : own;
}

/** Views of sdk-metrics are those of all readers, of which Prometheus takes no exponential histograms. */
function makeViews({ views, metrics, histogramAggregation }: Settings) {
  const isExponential =
    histogramAggregation === "base2_exponential_bucket_histogram" &&
    !metrics.exporters.includes("prometheus");
  return loadViews().officialViews(views, isExponential);
}

function loadViews() {
  return loadOwn("./metrics/views");
}

function formOf({ temporality, histogramAggregation }: Settings): ReaderForm {
  return {
    histograms: temporality === "cumulative" ? "cumulative" : "delta",
    counters: temporality === "delta" ? "delta" : "cumulative",
    isExponential: histogramAggregation === "base2_exponential_bucket_histogram",
  };
}
