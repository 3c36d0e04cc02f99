// What the Go collector has been sent, read from the lines of OTLP/JSON that it writes, each a request.

import { readFileSync } from "node:fs";
import type { Signal } from "../../collector/wire/batch.ts";
import type { Metric, Request, Resource } from "./otlp.ts";
import type { Peer } from "./peers.ts";

export type Counts = Readonly<Record<Signal, number>>;

/** How many spans, data points and log records of a service it has written down. */
export function receivedBy(otelcol: Peer, service: string): Counts {
  const counts = { traces: 0, metrics: 0, logs: 0 };
  const isMeant = ({ resource }: { resource?: Resource }): boolean => nameOf(resource) === service;
  for (const request of requestsOf(otelcol)) {
    for (const { scopeSpans = [] } of request.resourceSpans?.filter(isMeant) ?? []) {
      for (const { spans = [] } of scopeSpans) counts.traces += spans.length;
    }
    for (const { scopeMetrics = [] } of request.resourceMetrics?.filter(isMeant) ?? []) {
      for (const { metrics = [] } of scopeMetrics) counts.metrics += pointsOf(metrics);
    }
    for (const { scopeLogs = [] } of request.resourceLogs?.filter(isMeant) ?? []) {
      for (const { logRecords = [] } of scopeLogs) counts.logs += logRecords.length;
    }
  }
  return counts;
}

export function requestsOf(otelcol: Peer): Request[] {
  const written = readFileSync(otelcol.address["received"] ?? "", "utf8");
  const whole = written.slice(0, written.lastIndexOf("\n") + 1); // it may be writing
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Request); // which is what it writes
}

function nameOf(resource: Resource | undefined): string | undefined {
  const name = resource?.attributes?.find(({ key }) => key === "service.name");
  return name?.value?.stringValue;
}

function pointsOf(metrics: readonly Metric[]): number {
  const points = metrics.map((metric) => {
    const kind =
      metric.gauge ??
      metric.sum ??
      metric.histogram ??
      metric.exponentialHistogram ??
      metric.summary;
    return kind?.dataPoints?.length ?? 0;
  });
  return points.reduce((sum, count) => sum + count, 0);
}
