// The engine assembled from OpenTelemetry's SDK: context, tracer, meter and logger are theirs, registered
// with the API for everyone; what leaves over OTLP/HTTP goes through our sender, because theirs keeps a
// finished app waiting for a collector that does not answer and loses what is in it at process.exit().

import type { ReadableSpan, Sampler, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { IMetricReader, PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs";
import type { ISerializer } from "@opentelemetry/otlp-transformer";
import type { Resource } from "@opentelemetry/resources";
import type { TextMapPropagator } from "@opentelemetry/api";
import type { Flushable } from "./export/exit.ts";
import { sendAndWait } from "./export/last-send.ts";
import { LogBuffer } from "./export/log-buffer.ts";
import { Sender } from "./export/sender.ts";
import type { Target } from "./export/sender.ts";
import { servePrometheus } from "./export/prometheus.ts";
import { scrubUrls } from "./instrument/scrub.ts";
import { load } from "./packages.ts";
import { describeResource } from "./resource.ts";
import type { BatchSettings, OtlpSettings, PropagatorName, Settings } from "./settings.ts";
import { messageOf, tell, writeLine } from "./tell.ts";

export interface Engine extends Flushable {
  shutdown(): Promise<void>;
}

/** What the providers have in common. */
interface Provider {
  forceFlush(): Promise<unknown>;
  shutdown(): Promise<unknown>;
}

export function startReference(settings: Settings): Engine {
  const { context, propagation } = load("@opentelemetry/api");
  const { AsyncLocalStorageContextManager } = load("@opentelemetry/context-async-hooks");
  setDiagnostics(settings);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(propagatorOf(settings.propagators));

  const resources = load("@opentelemetry/resources");
  const resource = resources
    .defaultResource()
    .merge(resources.resourceFromAttributes(describeResource(settings)));
  const sender = new Sender();
  const providers = [startMetrics, startTraces, startLogs].flatMap((start) => {
    try {
      return start(settings, resource, sender) ?? [];
    } catch (error) {
      tell(`${start.name.slice("start".length).toLowerCase()} are off: ${messageOf(error)}`);
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
  const { limits, spanBatch } = settings;
  const spanProcessors = settings.traces.exporters.map((exporter) => {
    switch (exporter) {
      case "console":
        return simpleSpans();
      case "zipkin":
        return batchedSpans(
          new (load("@opentelemetry/exporter-zipkin").ZipkinExporter)(),
          spanBatch,
        );
      case "otlp":
        return batchedSpans(otlpSpans(settings.traces.otlp, sender), spanBatch);
      default:
        return exporter satisfies never;
    }
  });
  if (spanProcessors.length === 0) return undefined;
  const { TracerProvider } = load("@opentelemetry/sdk-trace");
  const provider = new TracerProvider({
    resource,
    spanProcessors: [scrubUrls, ...spanProcessors],
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

function batchedSpans(exporter: SpanExporter, batch: BatchSettings): SpanProcessor {
  const { BatchSpanProcessor } = load("@opentelemetry/sdk-trace");
  return new BatchSpanProcessor({
    exporter,
    scheduledDelayMillis: batch.delayMs,
    exportTimeoutMillis: batch.timeoutMs,
    maxQueueSize: batch.maxQueue,
    maxExportBatchSize: batch.maxBatch,
  });
}

function otlpSpans(otlp: OtlpSettings, sender: Sender): SpanExporter {
  if (otlp.protocol === "grpc") {
    return new (load("@opentelemetry/exporter-trace-otlp-grpc").OTLPTraceExporter)();
  }
  const { ProtobufTraceSerializer, JsonTraceSerializer } = load("@opentelemetry/otlp-transformer");
  const serializer = isJson(otlp) ? JsonTraceSerializer : ProtobufTraceSerializer;
  return exporterOf<ReadableSpan[]>(serializer, sender.open(targetOf(otlp)));
}

function startLogs(settings: Settings, resource: Resource, sender: Sender): Provider | undefined {
  const processors = settings.logs.exporters.map((exporter) =>
    exporter === "console" ? simpleLogs() : otlpLogs(settings, sender),
  );
  if (processors.length === 0) return undefined;
  const { LoggerProvider } = load("@opentelemetry/sdk-logs");
  const provider = new LoggerProvider({
    resource,
    processors,
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

function otlpLogs({ logs, logBatch }: Settings, sender: Sender): LogRecordProcessor {
  if (logs.otlp.protocol === "grpc") {
    const { BatchLogRecordProcessor } = load("@opentelemetry/sdk-logs");
    return new BatchLogRecordProcessor({
      exporter: new (load("@opentelemetry/exporter-logs-otlp-grpc").OTLPLogExporter)(),
      scheduledDelayMillis: logBatch.delayMs,
      exportTimeoutMillis: logBatch.timeoutMs,
      maxQueueSize: logBatch.maxQueue,
      maxExportBatchSize: logBatch.maxBatch,
    });
  }
  const { ProtobufLogsSerializer, JsonLogsSerializer } = load("@opentelemetry/otlp-transformer");
  const serializer = isJson(logs.otlp) ? JsonLogsSerializer : ProtobufLogsSerializer;
  const send = sender.open(targetOf(logs.otlp));
  return new LogBuffer(logBatch, (records) => {
    const body = serializer.serializeRequest(records);
    if (body) send(body);
  });
}

function startMetrics(
  settings: Settings,
  resource: Resource,
  sender: Sender,
): Provider | undefined {
  const readers = settings.metrics.exporters.map((exporter): IMetricReader => {
    const { ConsoleMetricExporter } = load("@opentelemetry/sdk-metrics");
    switch (exporter) {
      case "prometheus":
        return servePrometheus(settings);
      case "console":
        return periodicReader(new ConsoleMetricExporter(), settings);
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

function otlpMetrics({ metrics, temporality }: Settings, sender: Sender): PushMetricExporter {
  if (metrics.otlp.protocol === "grpc") {
    return new (load("@opentelemetry/exporter-metrics-otlp-grpc").OTLPMetricExporter)();
  }
  const { ProtobufMetricsSerializer, JsonMetricsSerializer } = load(
    "@opentelemetry/otlp-transformer",
  );
  const { AggregationTemporality, InstrumentType } = load("@opentelemetry/sdk-metrics");
  const serializer = isJson(metrics.otlp) ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  const deltas: Readonly<Record<typeof temporality, readonly unknown[]>> = {
    cumulative: [],
    lowmemory: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM],
    delta: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM, InstrumentType.OBSERVABLE_COUNTER],
  };
  return {
    ...exporterOf(serializer, sender.open(targetOf(metrics.otlp))),
    selectAggregationTemporality: (type) =>
      deltas[temporality].includes(type)
        ? AggregationTemporality.DELTA
        : AggregationTemporality.CUMULATIVE,
  };
}

function isJson({ protocol }: OtlpSettings): boolean {
  return protocol === "http/json";
}

/** An export is over once the sender has the bytes; what happens to them after that is its affair. */
function exporterOf<Items>(
  serializer: ISerializer<Items, unknown>,
  send: (body: Uint8Array) => boolean,
): {
  export(items: Items, done: (result: { code: number; error?: Error }) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
} {
  return {
    export(items, done) {
      const body = serializer.serializeRequest(items);
      if (body && send(body)) done({ code: 0 });
      else done({ code: 1, error: new Error("not taken for sending") });
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

function targetOf(otlp: OtlpSettings): Target {
  const { url, headers, compression, timeoutMs, tls } = otlp;
  const contentType = isJson(otlp) ? "application/json" : "application/x-protobuf";
  return {
    url,
    headers: { "content-type": contentType, "user-agent": "sonde", ...headers },
    compression,
    timeoutMs,
    tls,
  };
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

/** OpenTelemetry's own messages, if asked for; on stderr, since stdout belongs to the app. */
function setDiagnostics({ logLevel }: Settings): void {
  const { setGlobalErrorHandler } = load("@opentelemetry/core");
  const { diag, DiagLogLevel } = load("@opentelemetry/api");
  setGlobalErrorHandler((error) => diag.error(messageOf(error)));
  if (logLevel === undefined || logLevel === "none") return;
  const level = logLevel.toUpperCase() as Uppercase<typeof logLevel>; // DiagLogLevel's keys
  diag.setLogger(
    {
      error: writer("error"),
      warn: writer("warn"),
      info: writer("info"),
      debug: writer("debug"),
      verbose: writer("verbose"),
    },
    DiagLogLevel[level],
  );
}

function writer(level: string): (message: string, ...details: unknown[]) => void {
  return (message, ...details) =>
    writeLine(`sonde: opentelemetry ${level}: ${[message, ...details.map(String)].join(" ")}`);
}

/** OpenTelemetry reads a key that is there but undefined as a value. */
function defined<Value>(values: Record<string, Value | undefined>): Record<string, Value> {
  const entries = Object.entries(values).filter(
    (entry): entry is [string, Value] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
