// Metrics for the exporter `otlp/stdout`: each request as a line of OTLP/JSON on stdout, for platforms that
// collect what a process prints. Beside the app's own lines, as it asks for.

import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";

export function printMetrics(): PushMetricExporter {
  const { JsonMetricsSerializer } = load("@opentelemetry/otlp-transformer");
  return {
    export(metrics, done) {
      const line = JsonMetricsSerializer.serializeRequest(metrics);
      // In one piece, so that two writers do not mix.
      if (line) process.stdout.write(`${Buffer.from(line).toString()}\n`);
      done({ code: 0 });
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}
