// The app's metrics for Prometheus to scrape, on a server of our own around OpenTelemetry's exporter: a
// port that is taken does not end the app, and a scrape is not traced. Who asks for OpenMetrics, as
// Prometheus does, gets that, and exemplars with it, which the older format has no place for.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { IMetricReader, MetricProducer } from "@opentelemetry/sdk-metrics";
import { withExemplars } from "../metrics/exemplars.ts";
import { load, loadOwn } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";

const ownSockets = new WeakSet<object>();

export function isScrape(request: IncomingMessage): boolean {
  return ownSockets.has(request.socket);
}

/** Whoever serves what is asked for telemetry, or takes telemetry, is not part of the app. */
export function leaveUntraced(server: Server): void {
  server.on("connection", (socket) => ownSockets.add(socket));
}

export function servePrometheus(
  { prometheusHost: host, prometheusPort: port }: Settings,
  metricProducers: MetricProducer[] = [],
): IMetricReader {
  const { PrometheusExporter } = load("@opentelemetry/exporter-prometheus");
  const { createServer } = process.getBuiltinModule("node:http");
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers });
  const server = createServer((request, response) => {
    if (request.url?.split("?", 1)[0] !== "/metrics") response.writeHead(404).end();
    else if (request.headers.accept?.includes("application/openmetrics-text")) {
      void answerInOpenMetrics(exporter, response);
    } else exporter.getMetricsRequestHandler(request, response);
  });
  leaveUntraced(server);
  server.on("connection", (socket) => socket.unref());
  server.on("error", (error) => {
    tell(`metrics are not served on ${host}:${port}: ${messageOf(error)}`);
  });
  server.listen(port, host).unref();
  return exporter;
}

async function answerInOpenMetrics(reader: IMetricReader, response: ServerResponse): Promise<void> {
  try {
    const { resourceMetrics } = await reader.collect();
    const { resource, scopeMetrics } = resourceMetrics;
    const collected = { resource, scopeMetrics: withExemplars(scopeMetrics, 0) };
    const text = loadOwn("./metrics/open-metrics").openMetricsOf(collected);
    const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.writeHead(200, { "content-type": type }).end(text);
  } catch (error) {
    response.writeHead(500).end();
    tell(`metrics could not be served: ${messageOf(error)}`);
  }
}
