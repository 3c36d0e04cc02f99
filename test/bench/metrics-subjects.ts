// The collectors as they are set up to show metrics to a Prometheus, and what these are asked for.

import { address, startOtelcol } from "./otelcol.ts";
import { startSonde } from "./sonde.ts";
import type { Running } from "./subjects.ts";

export interface MetricsRunning extends Running {
  /** Where it shows them. */
  readonly metrics: string;
}

export interface MetricsSubject {
  readonly name: string;
  /** What of a case it is given. */
  readonly share: number;
  /** Of the scrapes that are measured. */
  readonly accept: string;
  start(folder: string): Promise<MetricsRunning>;
}

export const formats = {
  text: "text/plain;version=0.0.4",
  openmetrics: "application/openmetrics-text;version=1.0.0",
  protobuf:
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
} as const;

type Format = keyof typeof formats;

export function sondeShowing(
  format: Format,
  program: string,
  nodeArgs: readonly string[] = [],
): MetricsSubject {
  return {
    name: `sonde, ${format}`,
    share: 1,
    accept: formats[format],
    start: (folder) =>
      startSonde({
        args: [...nodeArgs, program],
        folder,
        env: { SONDE_PROMETHEUS_PORT: "0" },
      }),
  };
}

/** Straight from receiver to exporter: a batch in between only costs it more. */
export const otelcolShowing: MetricsSubject = {
  name: "otelcol, text",
  share: 0.2,
  accept: formats.text,
  async start(folder) {
    const config = {
      exporters: { prometheus: address("PORT_2") },
      pipelines: { metrics: { receivers: ["otlp"], processors: [], exporters: ["prometheus"] } },
    };
    const running = await startOtelcol(config, folder);
    const url = new URL(running.http);
    url.port = String(Number(url.port) + 1);
    return { ...running, metrics: new URL("/metrics", url).href };
  },
};
