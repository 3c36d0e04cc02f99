// Metrics for the exporter `otlp/stdout`: each request as a line of OTLP/JSON on stdout, for platforms that
// collect what a process prints. Beside the app's own lines, as it asks for.

import type { Attributes } from "@opentelemetry/api";
import type { ExportMetrics } from "../metrics/periodic.ts";
import { loadOwn } from "../packages.ts";
import { printLine } from "./json.ts";

export function printMetrics(resource: () => Attributes): ExportMetrics {
  const print = printLine("metrics"); // in one piece, so that two writers do not mix
  return (scopeMetrics) => {
    const { encodeMetrics } = loadOwn("./metrics/encode");
    return print(encodeMetrics({ resource: { attributes: resource() }, scopeMetrics }));
  };
}
