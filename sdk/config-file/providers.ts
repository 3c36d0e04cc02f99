// The three providers of a configuration file, and the limits. A signal without a provider is off.

import type { Limits, Settings } from "../settings.ts";
import { readProcessors, readReaders } from "./pipelines.ts";
import { readSamplerSection } from "./sampler.ts";
import type { Section } from "./section.ts";

type ProviderSettings = Pick<Settings, "traces" | "logs" | "spanBatch" | "logBatch" | "limits"> &
  ReturnType<typeof readReaders> &
  ReturnType<typeof readSamplerSection>;

export function readProviders(root: Section, base: Settings): ProviderSettings {
  const [tracer, meter, logger] = ["tracer_provider", "meter_provider", "logger_provider"].map(
    (key) => root.section(key),
  );
  const off = { exporters: [] };
  const traces =
    tracer && readProcessors(tracer, "traces", { otlp: base.traces.otlp, batch: base.spanBatch });
  const logs =
    logger && readProcessors(logger, "logs", { otlp: base.logs.otlp, batch: base.logBatch });
  const metrics = meter && readReaders(meter, metricSettingsOf(base));
  const settings: ProviderSettings = {
    ...(metrics ?? { ...metricSettingsOf(base), metrics: { ...base.metrics, ...off } }),
    traces: traces?.pipeline ?? { ...base.traces, ...off },
    logs: logs?.pipeline ?? { ...base.logs, ...off },
    spanBatch: traces?.batch ?? base.spanBatch,
    logBatch: logs?.batch ?? base.logBatch,
    limits: readLimits(root, tracer, logger),
    ...readSamplerSection(tracer?.section("sampler")),
  };
  tracer?.section("id_generator")?.only(["random"])[1].done();
  for (const provider of [tracer, meter, logger]) provider?.done();
  return settings;
}

function metricSettingsOf(base: Settings): ReturnType<typeof readReaders> {
  const { metrics, metricIntervalMs, metricTimeoutMs, temporality, histogramAggregation } = base;
  const { exemplarFilter, prometheusHost, prometheusPort, views } = base;
  return {
    metrics,
    metricIntervalMs,
    metricTimeoutMs,
    temporality,
    histogramAggregation,
    exemplarFilter,
    prometheusHost,
    prometheusPort,
    views,
  };
}

function readLimits(root: Section, tracer?: Section, logger?: Section): Limits {
  const common = root.section("attribute_limits");
  const length = common?.whole("attribute_value_length_limit");
  const count = common?.whole("attribute_count_limit", 128) ?? 128;
  const spans = tracer?.section("limits");
  const logs = logger?.section("limits");
  const limits: Limits = {
    spanAttributeLength: spans?.whole("attribute_value_length_limit", length) ?? length,
    spanAttributes: spans?.whole("attribute_count_limit", count) ?? count,
    spanEvents: spans?.whole("event_count_limit", 128) ?? 128,
    spanLinks: spans?.whole("link_count_limit", 128) ?? 128,
    eventAttributes: spans?.whole("event_attribute_count_limit", 128) ?? 128,
    linkAttributes: spans?.whole("link_attribute_count_limit", 128) ?? 128,
    logAttributeLength: logs?.whole("attribute_value_length_limit", length) ?? length,
    logAttributes: logs?.whole("attribute_count_limit", count) ?? count,
  };
  for (const section of [common, spans, logs]) section?.done();
  return limits;
}
