// The engine that runs unless another is asked for, made of the parts of OpenTelemetry's SDK: context,
// tracer, meter and logger are theirs, registered with the API for everyone; what leaves over OTLP/HTTP goes
// through our sender, because theirs keeps a finished app waiting for a collector that does not answer and
// loses what is in it at process.exit().

import type { TextMapPropagator } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs";
import type { IMetricReader, PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { Sampler, SpanProcessor } from "@opentelemetry/sdk-trace";
import { setDiagnostics } from "./diagnostics.ts";
import type { Flushable } from "./export/exit.ts";
import { sendAndWait } from "./export/last-send.ts";
import { otlpLogs, otlpMetrics, otlpSpans } from "./export/otlp.ts";
import { servePrometheus } from "./export/prometheus.ts";
import { Sender } from "./export/sender.ts";
import { scrubLogs, scrubSpans } from "./instrument/scrubbers.ts";
import { load } from "./packages.ts";
import { resourceOf } from "./resource.ts";
import type { PropagatorName, Settings } from "./settings.ts";
import { messageOf, tell } from "./tell.ts";

export interface Engine extends Flushable {
  shutdown(): Promise<void>;
}

/** What the providers have in common. */
interface Provider {
  forceFlush(): Promise<unknown>;
  shutdown(): Promise<unknown>;
}

export function startEngine(settings: Settings): Engine {
  const { context, propagation } = load("@opentelemetry/api");
  const { AsyncLocalStorageContextManager } = load("@opentelemetry/context-async-hooks");
  setDiagnostics(settings);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(propagatorOf(settings.propagators));

  const resource = resourceOf(settings);
  const sender = new Sender();
  const starts = { metrics: startMetrics, traces: startTraces, logs: startLogs };
  const providers = Object.entries(starts).flatMap(([signal, start]) => {
    try {
      return start(settings, resource, sender) ?? [];
    } catch (error) {
      tell(`${signal} are off: ${messageOf(error)}`);
      return [];
    }
  });
  const flush = async (): Promise<void> => {
    await Promise.allSettled(providers.map((provider) => provider.forceFlush()));
    await sender.flush();
  };
  return {
    flush,
    gather() {
      sender.hold();
      for (const provider of providers) provider.forceFlush().catch(() => {});
    },
    sendLast: (withinMs) => sendAndWait(sender.takeUnsent(), withinMs),
    async shutdown() {
      await flush();
      await Promise.allSettled(providers.map((provider) => provider.shutdown()));
      await sender.flush();
    },
  };
}

function startTraces(settings: Settings, resource: Resource, sender: Sender): Provider | undefined {
  const { limits } = settings;
  const spanProcessors = settings.traces.exporters.map((exporter) =>
    exporter === "console" ? simpleSpans() : otlpSpans(settings, sender),
  );
  if (spanProcessors.length === 0) return undefined;
  const { TracerProvider } = load("@opentelemetry/sdk-trace");
  const provider = new TracerProvider({
    resource,
    spanProcessors: [scrubSpans, ...spanProcessors],
    sampler: samplerOf(settings),
    spanLimits: defined({
      attributeValueLengthLimit: limits.spanAttributeLength,
      attributeCountLimit: limits.spanAttributes,
      eventCountLimit: limits.spanEvents,
      linkCountLimit: limits.spanLinks,
      attributePerEventCountLimit: limits.eventAttributes,
      attributePerLinkCountLimit: limits.linkAttributes,
    }),
  });
  load("@opentelemetry/api").trace.setGlobalTracerProvider(provider);
  return provider;
}

function simpleSpans(): SpanProcessor {
  const { ConsoleSpanExporter, SimpleSpanProcessor } = load("@opentelemetry/sdk-trace");
  return new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() });
}

function startLogs(settings: Settings, resource: Resource, sender: Sender): Provider | undefined {
  const processors = settings.logs.exporters.map((exporter) =>
    exporter === "console" ? simpleLogs() : otlpLogs(settings, sender),
  );
  if (processors.length === 0) return undefined;
  const { LoggerProvider } = load("@opentelemetry/sdk-logs");
  const provider = new LoggerProvider({
    resource,
    processors: [scrubLogs, ...processors],
    logRecordLimits: defined({
      attributeCountLimit: settings.limits.logAttributes,
      attributeValueLengthLimit: settings.limits.logAttributeLength,
    }),
  });
  load("@opentelemetry/api").logs.setGlobalLoggerProvider(provider);
  return provider;
}

function simpleLogs(): LogRecordProcessor {
  const { ConsoleLogRecordExporter, SimpleLogRecordProcessor } = load("@opentelemetry/sdk-logs");
  return new SimpleLogRecordProcessor({ exporter: new ConsoleLogRecordExporter() });
}

function startMetrics(
  settings: Settings,
  resource: Resource,
  sender: Sender,
): Provider | undefined {
  const readers = settings.metrics.exporters.map((exporter): IMetricReader => {
    switch (exporter) {
      case "prometheus":
        return servePrometheus(settings);
      case "console":
        return periodicReader(
          new (load("@opentelemetry/sdk-metrics").ConsoleMetricExporter)(),
          settings,
        );
      case "otlp":
        return periodicReader(otlpMetrics(settings, sender), settings);
      default:
        return exporter satisfies never;
    }
  });
  if (readers.length === 0) return undefined;
  const { MeterProvider } = load("@opentelemetry/sdk-metrics");
  const provider = new MeterProvider({ resource, readers });
  load("@opentelemetry/api").metrics.setGlobalMeterProvider(provider);
  return provider;
}

function periodicReader(exporter: PushMetricExporter, settings: Settings): IMetricReader {
  const { PeriodicExportingMetricReader } = load("@opentelemetry/sdk-metrics");
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: settings.metricIntervalMs,
    exportTimeoutMillis: settings.metricTimeoutMs,
  });
}

function samplerOf({ sampler, samplerRatio }: Settings): Sampler {
  const { AlwaysOnSampler, AlwaysOffSampler, ParentBasedSampler, TraceIdRatioBasedSampler } = load(
    "@opentelemetry/sdk-trace",
  );
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(samplerRatio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplerRatio) });
    default:
      return sampler satisfies never;
  }
}

function propagatorOf(names: readonly PropagatorName[]): TextMapPropagator {
  const { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } =
    load("@opentelemetry/core");
  const propagators = names.map((name): TextMapPropagator => {
    switch (name) {
      case "tracecontext":
        return new W3CTraceContextPropagator();
      case "baggage":
        return new W3CBaggagePropagator();
      case "b3":
        return new (load("@opentelemetry/propagator-b3").B3Propagator)();
      case "b3multi": {
        const { B3InjectEncoding, B3Propagator } = load("@opentelemetry/propagator-b3");
        return new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
      }
      default:
        return name satisfies never;
    }
  });
  return new CompositePropagator({ propagators });
}

/** OpenTelemetry reads a key that is there but undefined as a value. */
function defined<Value>(values: Record<string, Value | undefined>): Record<string, Value> {
  const entries = Object.entries(values).filter(
    (entry): entry is [string, Value] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
