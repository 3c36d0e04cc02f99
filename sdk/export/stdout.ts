// Metrics for the exporter `otlp/stdout`: each request as a line of OTLP/JSON on stdout, for platforms that
// collect what a process prints. Beside the app's own lines, as it asks for.

import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { loadOwn } from "../packages.ts";
import { printLine } from "./json.ts";

export function printMetrics(): PushMetricExporter {
  const print = printLine("metrics"); // in one piece, so that two writers do not mix
  return {
    export(metrics, done) {
      print(loadOwn("./metrics/encode").encodeMetrics(metrics));
      done({ code: 0 });
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}
