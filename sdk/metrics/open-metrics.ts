// Metrics in the text format of OpenMetrics 1.0, with exemplars. Names and labels are those that
// OpenTelemetry's exporter gives them in the older format, so that one series stays the same whoever asks.

import type { Attributes } from "@opentelemetry/api";
import type { DataPoint, Histogram, MetricData } from "@opentelemetry/sdk-metrics";
import { exponentialPoint, gaugePoint, histogramPoint, sumPoint } from "./kinds.ts";
import type { Collected } from "./encode.ts";
import { tellOfOverflow } from "./overflow.ts";
import type { Exemplar, Exemplary } from "./series.ts";

type Type = "counter" | "gauge" | "histogram";

/** All that has one name: their lines must not be parted. */
interface Family {
  readonly type: Type;
  readonly help: string;
  readonly lines: string[];
}

export function openMetricsOf({ resource, scopeMetrics }: Collected): string {
  const families = new Map<string, Family>();
  for (const { scope, metrics } of scopeMetrics) {
    const ofScope: Attributes = { otel_scope_name: scope.name };
    if (scope.schemaUrl) ofScope["otel_scope_schema_url"] = scope.schemaUrl;
    if (scope.version) ofScope["otel_scope_version"] = scope.version;
    for (const metric of metrics) addMetric(families, metric, ofScope);
  }
  const described = [...families].flatMap(([name, { type, help, lines }]) => [
    `# TYPE ${name} ${type}`,
    ...(help === "" ? [] : [`# HELP ${name} ${escaped(help)}`]),
    ...lines,
  ]);
  const target = ["# TYPE target info", `target_info${labels(resource.attributes)} 1`];
  return [...target, ...described, "# EOF", ""].join("\n");
}

function addMetric(families: Map<string, Family>, metric: MetricData, ofScope: Attributes): void {
  tellOfOverflow(metric);
  const type = typeOf(metric);
  const { name: given, description } = metric.descriptor;
  const name = nameOf(given).replace(type === "counter" ? /_total$/ : /$^/, "");
  if (type === undefined || name === "" || name === "_" || name === "target") return;
  let family = families.get(name);
  if (!family) families.set(name, (family = { type, help: description, lines: [] }));
  if (family.type !== type) return; // two of one name, as in the older format the first wins
  for (const point of metric.dataPoints) {
    const attributes = { ...point.attributes, ...ofScope };
    if (isHistogram(point)) addHistogram(family.lines, name, { ...point, attributes });
    else if (typeof point.value === "number") {
      const sample = type === "counter" ? `${name}_total` : name;
      family.lines.push(`${sample}${labels(attributes)} ${numberOf(point.value)}`);
    }
  }
}

function addHistogram(lines: string[], name: string, point: DataPoint<Histogram> & Exemplary) {
  const { attributes, value, exemplars = [] } = point;
  const { boundaries, counts } = value.buckets;
  let sum = 0;
  let least = Number.NEGATIVE_INFINITY;
  for (const [bucket, count] of counts.entries()) {
    sum += count;
    const most = boundaries[bucket] ?? Number.POSITIVE_INFINITY;
    const example = exemplars.find(({ value }) => value > least && value <= most);
    const sample = `${name}_bucket${labels({ ...attributes, le: numberOf(most) })} ${sum}`;
    lines.push(example ? `${sample} ${exemplarOf(example)}` : sample);
    least = most;
  }
  lines.push(`${name}_count${labels(attributes)} ${value.count}`);
  if (value.sum !== undefined)
    lines.push(`${name}_sum${labels(attributes)} ${numberOf(value.sum)}`);
}

function exemplarOf({ span, value, time: [seconds, nanos] }: Exemplar): string {
  const ids = span ? labels({ trace_id: span.traceId, span_id: span.spanId }) : "{}";
  const millis = String(Math.floor(nanos / 1e6)).padStart(3, "0");
  return `# ${ids} ${numberOf(value)} ${seconds}.${millis}`;
}

/** Undefined for what the format has not. */
function typeOf(metric: MetricData): Type | undefined {
  switch (metric.dataPointType) {
    case sumPoint:
      return metric.isMonotonic ? "counter" : "gauge";
    case gaugePoint:
      return "gauge";
    case histogramPoint:
      return "histogram";
    case exponentialPoint:
      return undefined;
    default:
      return metric satisfies never;
  }
}

function isHistogram(point: DataPoint<unknown>): point is DataPoint<Histogram> & Exemplary {
  return typeof point.value === "object" && point.value !== null && "buckets" in point.value;
}

/** Two names that become the same one are one label, or the whole text would be refused. */
function labels(attributes: Attributes): string {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(attributes)) {
    const label = nameOf(name);
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    const other = texts.get(label);
    texts.set(label, other === undefined ? text : `${other};${text}`);
  }
  if (texts.size === 0) return "";
  const pairs = [...texts].map(([name, text]) => {
    return `${name}="${escaped(text).replaceAll('"', '\\"')}"`;
  });
  return `{${pairs.join(",")}}`;
}

function nameOf(name: string): string {
  const plain = name.replaceAll(/[^a-z0-9_]/gi, "_").replaceAll(/_{2,}/g, "_");
  return /^[0-9]/.test(plain) ? `_${plain}` : plain;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberOf(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
