// What was received, as plain objects that read well in an assertion: names instead of numbers, attributes
// as records, times in milliseconds.

import type { Signal } from "../../collector/wire/batch.ts";

export type Attributes = Readonly<Record<string, unknown>>;

interface Item {
  /** `service.name` of the resource. */
  readonly service: string;
  readonly resource: Attributes;
  /** The instrumentation that made it. */
  readonly scope: string;
}

export interface Span extends Item {
  readonly name: string;
  readonly kind: "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
  readonly traceId: string;
  readonly spanId: string;
  /** Absent of a root. */
  readonly parentSpanId?: string;
  readonly status: "unset" | "ok" | "error";
  readonly statusMessage: string;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly links: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: Attributes;
  }[];
  readonly startMs: number;
  readonly durationMs: number;
}

export interface LogRecord extends Item {
  readonly body: unknown;
  /** `INFO`, `ERROR2`; "" where it has none. */
  readonly severity: string;
  readonly severityText: string;
  readonly eventName: string;
  readonly attributes: Attributes;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly timeMs: number;
}

export interface Metric extends Item {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly kind: "gauge" | "sum" | "histogram" | "exponentialHistogram" | "summary" | "none";
  readonly points: readonly Point[];
}

export interface Point {
  readonly attributes: Attributes;
  /** Of gauges and sums. */
  readonly value?: number;
  /** Of histograms. */
  readonly count?: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly bounds?: readonly number[];
  readonly buckets?: readonly number[];
}

export interface Items {
  readonly spans: Span[];
  readonly logs: LogRecord[];
  readonly metrics: Metric[];
}

/** The items of a request in the shape of OTLP/JSON, as collector/wire writes it. */
export function itemsOf(signal: Signal, json: string): Items {
  const request = JSON.parse(json) as Request; // of a request that was validated
  const items: Items = { spans: [], logs: [], metrics: [] };
  switch (signal) {
    case "traces":
      each(request.resourceSpans, ({ item, scope }) => {
        for (const span of scope.spans ?? []) items.spans.push(spanOf(span, item));
      });
      break;
    case "logs":
      each(request.resourceLogs, ({ item, scope }) => {
        for (const record of scope.logRecords ?? []) items.logs.push(logRecordOf(record, item));
      });
      break;
    case "metrics":
      each(request.resourceMetrics, ({ item, scope }) => {
        for (const metric of scope.metrics ?? []) items.metrics.push(metricOf(metric, item));
      });
      break;
    default:
      signal satisfies never;
  }
  return items;
}

function each(
  groups: readonly Group[] | undefined,
  take: (found: { item: Item; scope: ScopeGroup }) => void,
): void {
  for (const group of groups ?? []) {
    const resource = recordOf(group.resource?.attributes);
    const service = text(resource["service.name"]);
    for (const scope of group.scopeSpans ?? group.scopeLogs ?? group.scopeMetrics ?? []) {
      take({ item: { service, resource, scope: scope.scope?.name ?? "" }, scope });
    }
  }
}

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const statuses = ["unset", "ok", "error"] as const;

function spanOf(span: Json, item: Item): Span {
  const status = span["status"] as Json | undefined;
  const startMs = milliseconds(span["startTimeUnixNano"]);
  const parentSpanId = text(span["parentSpanId"]);
  return {
    name: text(span["name"]),
    kind: kinds[Number(span["kind"] ?? 0)] ?? "unspecified",
    service: item.service,
    status: statuses[Number(status?.["code"] ?? 0)] ?? "unset",
    statusMessage: text(status?.["message"]),
    attributes: recordOf(span["attributes"]),
    events: list(span["events"]).map((event) => ({
      name: text(event["name"]),
      attributes: recordOf(event["attributes"]),
    })),
    links: list(span["links"]).map((link) => ({
      traceId: text(link["traceId"]),
      spanId: text(link["spanId"]),
      attributes: recordOf(link["attributes"]),
    })),
    traceId: text(span["traceId"]),
    spanId: text(span["spanId"]),
    ...(parentSpanId ? { parentSpanId } : {}),
    startMs,
    durationMs: milliseconds(span["endTimeUnixNano"]) - startMs,
    scope: item.scope,
    resource: item.resource,
  };
}

const severities = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

function logRecordOf(record: Json, item: Item): LogRecord {
  const number = Number(record["severityNumber"] ?? 0);
  const step = (number - 1) % 4;
  const severity =
    number > 0 ? `${severities[(number - 1) >> 2] ?? ""}${step ? step + 1 : ""}` : "";
  const [traceId, spanId] = [text(record["traceId"]), text(record["spanId"])];
  return {
    body: valueOf(record["body"]),
    severity,
    severityText: text(record["severityText"]),
    eventName: text(record["eventName"]),
    service: item.service,
    attributes: recordOf(record["attributes"]),
    ...(traceId ? { traceId } : {}),
    ...(spanId ? { spanId } : {}),
    timeMs: milliseconds(record["timeUnixNano"] ?? record["observedTimeUnixNano"]),
    scope: item.scope,
    resource: item.resource,
  };
}

const metricKinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"] as const;

function metricOf(metric: Json, item: Item): Metric {
  const kind = metricKinds.find((kind) => metric[kind] !== undefined);
  const data = kind && (metric[kind] as Json);
  return {
    name: text(metric["name"]),
    kind: kind ?? "none",
    unit: text(metric["unit"]),
    description: text(metric["description"]),
    service: item.service,
    points: list(data?.["dataPoints"]).map((point) => pointOf(point, kind)),
    scope: item.scope,
    resource: item.resource,
  };
}

function pointOf(point: Json, kind: Metric["kind"] | undefined): Point {
  const attributes = recordOf(point["attributes"]);
  if (kind === "gauge" || kind === "sum") {
    return { attributes, value: Number(point["asInt"] ?? point["asDouble"] ?? 0) };
  }
  const number = (name: "sum" | "min" | "max") =>
    point[name] === undefined ? {} : { [name]: Number(point[name]) };
  const numbers = (name: string, from: string) =>
    Array.isArray(point[from]) ? { [name]: point[from].map(Number) } : {};
  return {
    attributes,
    count: Number(point["count"] ?? 0),
    ...number("sum"),
    ...number("min"),
    ...number("max"),
    ...numbers("bounds", "explicitBounds"),
    ...numbers("buckets", "bucketCounts"),
  };
}

// ── OTLP/JSON ────────────────────────────────────────────────────────────────────────────────────

type Json = Readonly<Record<string, unknown>>;

interface ScopeGroup {
  readonly scope?: { readonly name?: string };
  readonly spans?: readonly Json[];
  readonly logRecords?: readonly Json[];
  readonly metrics?: readonly Json[];
}

interface Group {
  readonly resource?: { readonly attributes?: unknown };
  readonly scopeSpans?: readonly ScopeGroup[];
  readonly scopeLogs?: readonly ScopeGroup[];
  readonly scopeMetrics?: readonly ScopeGroup[];
}

interface Request {
  readonly resourceSpans?: readonly Group[];
  readonly resourceLogs?: readonly Group[];
  readonly resourceMetrics?: readonly Group[];
}

function recordOf(attributes: unknown): Attributes {
  return Object.fromEntries(
    list(attributes).map(({ key, value }) => [text(key), valueOf(value)] as const),
  );
}

/** An AnyValue as a value of JavaScript. Integers beyond what a number holds exactly become bigints. */
function valueOf(value: unknown): unknown {
  const [entry] = Object.entries((value ?? {}) as Json);
  if (!entry) return undefined;
  const [kind, held] = entry;
  switch (kind) {
    case "intValue": {
      const number = Number(held);
      return Number.isSafeInteger(number) ? number : BigInt(text(held));
    }
    case "doubleValue":
      return Number(held);
    case "arrayValue":
      return list((held as Json)["values"]).map(valueOf);
    case "kvlistValue":
      return recordOf((held as Json)["values"]);
    case "bytesValue":
      return Buffer.from(text(held), "base64");
    default:
      return held;
  }
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function milliseconds(nanoseconds: unknown): number {
  const whole = BigInt(text(nanoseconds) || 0);
  return Number(whole / 1000n) / 1000;
}
