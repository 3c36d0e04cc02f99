// The metrics that are ours, for readers of sdk-metrics: collected through its interface for foreign ones.

import type { Cluster } from "node:cluster";
import { isMainThread } from "node:worker_threads";
import type { MetricData, MetricProducer, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { load, loadOwn } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";
import { clientDurations, serverDurations } from "./durations.ts";
import { cumulativeForm, Reader } from "./reader.ts";
import type { Measured, ReaderForm } from "./reader.ts";
import { lateSources } from "./sources.ts";

export interface OwnMetrics extends MetricProducer {
  /** For the end of a process, when nothing asynchronous happens any more. */
  collectNow(): readonly ScopeMetrics[];
}

type OwnSettings = Pick<
  Settings,
  "activeRequests" | "hostMetrics" | "processMetrics" | "instrumentations" | "views"
>;

/** What a reader has been given is its own affair, so each has one of its own. */
export function ownMetricsFor(
  settings: OwnSettings,
  form: ReaderForm = cumulativeForm,
): OwnMetrics {
  const reader = new Reader(form, settings.views.length > 0);
  const sources = Object.entries(sourcesFor(reader, settings));
  const collectNow = (): ScopeMetrics[] =>
    reader.collect(() => {
      const late = [...lateSources].map(([name, read]) => [name, () => read(reader)] as const);
      return [...sources, ...late].flatMap(([name, read]): ScopeMetrics[] => {
        const metrics = readFrom(name, read);
        return metrics.length > 0 ? [{ scope: { name: `sonde/${name}` }, metrics }] : [];
      });
    });
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

type Source = () => readonly MetricData[];

function sourcesFor(reader: Reader, settings: OwnSettings): Readonly<Record<string, Source>> {
  const { instrumentations, processMetrics, hostMetrics } = settings;
  const watched: Record<string, (() => Source) | false> = {
    http: () => () => httpMetrics(reader, settings),
    runtime:
      instrumentations.has("runtime-node") &&
      (() => loadOwn("./metrics/runtime").watchRuntime(reader)),
    process:
      processMetrics && isMainThread && (() => loadOwn("./metrics/process").watchProcess(reader)),
    host:
      hostMetrics &&
      isMainThread &&
      isPrimary() &&
      (() => loadOwn("./metrics/host").watchHost(reader)),
  };
  const sources: Record<string, Source> = {};
  for (const [name, watch] of Object.entries(watched)) {
    try {
      if (watch) sources[name] = watch();
    } catch (error) {
      tellOfMissing(name, error); // as where Node's runtime is another's
    }
  }
  return sources;
}

function isPrimary(): boolean {
  const cluster: unknown = process.getBuiltinModule("node:cluster");
  return (cluster as Cluster).isPrimary; // the type is of what `import` makes of it
}

function readFrom(name: string, read: Source): MetricData[] {
  try {
    return [...read()];
  } catch (error) {
    tellOfMissing(name, error);
    return [];
  }
}

function tellOfMissing(name: string, error: unknown): void {
  tell(`metrics of ${name} are missing: ${messageOf(error)}`);
}

export const httpInstruments = {
  server: { name: serverDurations.name, description: serverDurations.description, unit: "s" },
  client: { name: clientDurations.name, description: clientDurations.description, unit: "s" },
  active: {
    name: "http.server.active_requests",
    description: "Number of active HTTP server requests.",
    unit: "{request}",
  },
} as const;

function httpMetrics(reader: Reader, { activeRequests }: OwnSettings): readonly MetricData[] {
  const metrics = [
    ...reader.histogram(httpInstruments.server, serverDurations.series),
    ...reader.histogram(httpInstruments.client, clientDurations.series),
  ];
  const active = activeRequests ? activePerMethod() : [];
  if (active.length > 0) metrics.push(reader.level(httpInstruments.active, active));
  return metrics;
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
