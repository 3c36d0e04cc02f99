// The metrics that are ours, for readers of sdk-metrics: collected through its interface for foreign ones.

import type { MetricData, MetricProducer, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { clientDurations, serverDurations } from "./durations.ts";
import { cumulative, Reader } from "./reader.ts";
import type { Measured, ReaderForm } from "./reader.ts";

export interface OwnMetrics extends MetricProducer {
  /** For the end of a process, when nothing asynchronous happens any more. */
  collectNow(): readonly ScopeMetrics[];
}

/** What a reader has been given is its own affair, so each has one of its own. */
export function ownMetricsFor(settings: OwnSettings, form: ReaderForm = cumulative): OwnMetrics {
  const reader = new Reader(form);
  const collectNow = (): ScopeMetrics[] => {
    const http = reader.collect(() => httpMetrics(reader, settings));
    return http.length > 0 ? [{ scope: { name: "sonde/http" }, metrics: http }] : [];
  };
  return {
    collect() {
      const { resourceFromAttributes } = load("@opentelemetry/resources");
      const resource = resourceFromAttributes({});
      return Promise.resolve({
        resourceMetrics: { resource, scopeMetrics: collectNow() },
        errors: [],
      });
    },
    collectNow,
  };
}

export type OwnSettings = Pick<Settings, "activeRequests">;

function httpMetrics(reader: Reader, { activeRequests }: OwnSettings): MetricData[] {
  const durations = [serverDurations, clientDurations].flatMap(({ name, description, series }) =>
    reader.histogram({ name, description, unit: "s" }, series),
  );
  const active = activeRequests ? activePerMethod() : [];
  if (active.length === 0) return durations;
  return [
    ...durations,
    reader.level(
      {
        name: "http.server.active_requests",
        description: "Number of active HTTP server requests.",
        unit: "{request}",
      },
      active,
    ),
  ];
}

/** Opt-in by the conventions. By method and scheme. */
function activePerMethod(): readonly Measured[] {
  const counts = new Map<string, Measured>();
  for (const { method, scheme, active } of serverDurations.families) {
    const key = `${method} ${scheme}`;
    const [sum] = counts.get(key) ?? [0];
    counts.set(key, [sum + active, { "http.request.method": method, "url.scheme": scheme }]);
  }
  return [...counts.values()];
}
