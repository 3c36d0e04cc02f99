// The reference engine, for SONDE_ENGINE=opentelemetry: OpenTelemetry's own assembly, `sdk-node`, with its
// own exporters, configured by the environment alone. It is what the other engine is held against, and
// the way back for whoever meets a difference. The resource and the Prometheus listener are ours in both,
// for the reasons that stand there.

import type { ProxyTracerProvider, TracerProvider } from "@opentelemetry/api";
import type { Engine } from "./engine.ts";
import { servePrometheus } from "./export/prometheus.ts";
import { scrubFrom } from "./instrument/scrubbers.ts";
import { load } from "./packages.ts";
import { makePropagator } from "./propagate/propagator.ts";
import { describeResource, resourceFrom } from "./resource.ts";
import { officialSampler } from "./sampling/official.ts";
import { samplerOf } from "./sampling/sampler.ts";
import type { Settings } from "./settings.ts";
import { tell } from "./tell.ts";

/** The providers that are registered with the API can do this; the API does not say so. */
interface Flushes {
  forceFlush?(): Promise<unknown>;
}

export function startReference(settings: Settings): Engine {
  const { logs, metrics, trace } = load("@opentelemetry/api");
  const { defaultResource } = load("@opentelemetry/resources");
  const { NodeSDK } = load("@opentelemetry/sdk-node");
  const isScraped = settings.metrics.exporters.includes("prometheus");
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: defaultResource().merge(resourceFrom(describeResource(settings))),
    // What the environment asks for and `sdk-node` does not know.
    ...(settings.propagators.some((name) => ["jaeger", "xray", "ottrace"].includes(name))
      ? { textMapPropagator: makePropagator(settings) }
      : {}),
    ...(settings.sampler.endsWith("jaeger_remote")
      ? { sampler: officialSampler(samplerOf(settings)) }
      : {}),
    ...(isScraped ? { metricReaders: [servePrometheus(settings)] } : {}),
  });
  sdk.start();
  const proxy: TracerProvider & Partial<ProxyTracerProvider> = trace.getTracerProvider();
  const tracers = proxy.getDelegate?.() ?? proxy; // by its shape: it may be of another copy of the API
  const open = scrubFrom(tracers, logs.getLoggerProvider()).filter((signal) =>
    signal === "spans" ? settings.traces.exporters.length : settings.logs.exporters.length,
  );
  if (open.length > 0) tell(`secrets in ${open.join(" and ")} are not redacted by this engine`);
  const providers = [
    tracers,
    logs.getLoggerProvider(),
    metrics.getMeterProvider(),
  ] as readonly Flushes[];
  const flush = async (): Promise<void> => {
    await Promise.allSettled(providers.map(async (provider) => await provider.forceFlush?.()));
  };
  return {
    flush,
    /** Its exporters send in the event loop or not at all. */
    gather: () => void flush(),
    gatherLast: () => {},
    gatherThreads: () => {},
    sendLast: () => {},
    report: () => {},
    shutdown: () => sdk.shutdown(),
  };
}
