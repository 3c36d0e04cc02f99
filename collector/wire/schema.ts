// The OTLP messages as data: one table that the validating walk, the views, the JSON mapping and the
// tests all read. Field numbers and types are those of opentelemetry-proto 1.x.

import type { Signal } from "./batch.ts";

export type Scalar =
  | "uint32"
  | "int32"
  | "sint32"
  | "enum"
  | "bool"
  | "int64"
  | "uint64"
  | "fixed64"
  | "sfixed64"
  | "fixed32"
  | "double"
  | "string"
  | "bytes";

export interface Field {
  readonly number: number;
  readonly name: string;
  /** The name in OTLP/JSON: lowerCamelCase. */
  readonly jsonName: string;
  readonly type: Scalar | Message;
  readonly repeated: boolean;
  /** Bytes only: the lengths a non-empty value may have; ids are hex in JSON, other bytes base64. */
  readonly idLength?: number;
  /**
   * Scalars are left out where they have their default value, except these two: of the members of a
   * oneof (no message has more than one oneof) it matters which is there, of an optional one whether.
   */
  readonly presence?: "oneof" | "optional";
}

export interface Message {
  readonly name: string;
  /** By field number; holes are unknown fields. */
  readonly fields: readonly (Field | undefined)[];
  /** One of these is what the collector counts: a span, a data point, a log record. */
  readonly isItem: boolean;
}

type Spec = readonly [number: number, name: string, type: Scalar | Message, kind?: Kind];
type Kind = "repeated" | "trace id" | "span id" | "oneof" | "optional";

function message(name: string, specs: readonly Spec[], isItem = false): Message {
  const fields: (Field | undefined)[] = [];
  const made: Message = { name, fields, isItem };
  define(made, specs);
  return made;
}

function define(into: Message, specs: readonly Spec[]): void {
  const fields = into.fields as (Field | undefined)[]; // ours until this module has loaded
  for (const [number, name, type, kind] of specs) {
    while (fields.length <= number) fields.push(undefined);
    const jsonName = name.replaceAll(/_[a-z]/g, (letter) => letter.charAt(1).toUpperCase());
    const field = { number, name, jsonName, type, repeated: kind === "repeated" };
    if (kind === "trace id") fields[number] = { ...field, idLength: 16 };
    else if (kind === "span id") fields[number] = { ...field, idLength: 8 };
    else if (kind === "oneof" || kind === "optional") fields[number] = { ...field, presence: kind };
    else fields[number] = field;
  }
}

// ── common ───────────────────────────────────────────────────────────────────────────────────────

export const AnyValue = message("AnyValue", []);
export const KeyValue = message("KeyValue", [
  [1, "key", "string"],
  [2, "value", AnyValue],
]);
export const ArrayValue = message("ArrayValue", [[1, "values", AnyValue, "repeated"]]);
export const KeyValueList = message("KeyValueList", [[1, "values", KeyValue, "repeated"]]);
define(AnyValue, [
  [1, "string_value", "string", "oneof"],
  [2, "bool_value", "bool", "oneof"],
  [3, "int_value", "int64", "oneof"],
  [4, "double_value", "double", "oneof"],
  [5, "array_value", ArrayValue, "oneof"],
  [6, "kvlist_value", KeyValueList, "oneof"],
  [7, "bytes_value", "bytes", "oneof"],
]);

export const InstrumentationScope = message("InstrumentationScope", [
  [1, "name", "string"],
  [2, "version", "string"],
  [3, "attributes", KeyValue, "repeated"],
  [4, "dropped_attributes_count", "uint32"],
]);

const EntityRef = message("EntityRef", [
  [1, "schema_url", "string"],
  [2, "type", "string"],
  [3, "id_keys", "string", "repeated"],
  [4, "description_keys", "string", "repeated"],
]);

export const Resource = message("Resource", [
  [1, "attributes", KeyValue, "repeated"],
  [2, "dropped_attributes_count", "uint32"],
  [3, "entity_refs", EntityRef, "repeated"],
]);

// ── traces ───────────────────────────────────────────────────────────────────────────────────────

const SpanEvent = message("Event", [
  [1, "time_unix_nano", "fixed64"],
  [2, "name", "string"],
  [3, "attributes", KeyValue, "repeated"],
  [4, "dropped_attributes_count", "uint32"],
]);

const SpanLink = message("Link", [
  [1, "trace_id", "bytes", "trace id"],
  [2, "span_id", "bytes", "span id"],
  [3, "trace_state", "string"],
  [4, "attributes", KeyValue, "repeated"],
  [5, "dropped_attributes_count", "uint32"],
  [6, "flags", "fixed32"],
]);

const Status = message("Status", [
  [2, "message", "string"],
  [3, "code", "enum"],
]);

export const Span = message(
  "Span",
  [
    [1, "trace_id", "bytes", "trace id"],
    [2, "span_id", "bytes", "span id"],
    [3, "trace_state", "string"],
    [4, "parent_span_id", "bytes", "span id"],
    [5, "name", "string"],
    [6, "kind", "enum"],
    [7, "start_time_unix_nano", "fixed64"],
    [8, "end_time_unix_nano", "fixed64"],
    [9, "attributes", KeyValue, "repeated"],
    [10, "dropped_attributes_count", "uint32"],
    [11, "events", SpanEvent, "repeated"],
    [12, "dropped_events_count", "uint32"],
    [13, "links", SpanLink, "repeated"],
    [14, "dropped_links_count", "uint32"],
    [15, "status", Status],
    [16, "flags", "fixed32"],
  ],
  true,
);

// ── metrics ──────────────────────────────────────────────────────────────────────────────────────

const Exemplar = message("Exemplar", [
  [2, "time_unix_nano", "fixed64"],
  [3, "as_double", "double", "oneof"],
  [4, "span_id", "bytes", "span id"],
  [5, "trace_id", "bytes", "trace id"],
  [6, "as_int", "sfixed64", "oneof"],
  [7, "filtered_attributes", KeyValue, "repeated"],
]);

export const NumberDataPoint = message(
  "NumberDataPoint",
  [
    [2, "start_time_unix_nano", "fixed64"],
    [3, "time_unix_nano", "fixed64"],
    [4, "as_double", "double", "oneof"],
    [5, "exemplars", Exemplar, "repeated"],
    [6, "as_int", "sfixed64", "oneof"],
    [7, "attributes", KeyValue, "repeated"],
    [8, "flags", "uint32"],
  ],
  true,
);

export const HistogramDataPoint = message(
  "HistogramDataPoint",
  [
    [2, "start_time_unix_nano", "fixed64"],
    [3, "time_unix_nano", "fixed64"],
    [4, "count", "fixed64"],
    [5, "sum", "double", "optional"],
    [6, "bucket_counts", "fixed64", "repeated"],
    [7, "explicit_bounds", "double", "repeated"],
    [8, "exemplars", Exemplar, "repeated"],
    [9, "attributes", KeyValue, "repeated"],
    [10, "flags", "uint32"],
    [11, "min", "double", "optional"],
    [12, "max", "double", "optional"],
  ],
  true,
);

const Buckets = message("Buckets", [
  [1, "offset", "sint32"],
  [2, "bucket_counts", "uint64", "repeated"],
]);

export const ExponentialHistogramDataPoint = message(
  "ExponentialHistogramDataPoint",
  [
    [1, "attributes", KeyValue, "repeated"],
    [2, "start_time_unix_nano", "fixed64"],
    [3, "time_unix_nano", "fixed64"],
    [4, "count", "fixed64"],
    [5, "sum", "double", "optional"],
    [6, "scale", "sint32"],
    [7, "zero_count", "fixed64"],
    [8, "positive", Buckets],
    [9, "negative", Buckets],
    [10, "flags", "uint32"],
    [11, "exemplars", Exemplar, "repeated"],
    [12, "min", "double", "optional"],
    [13, "max", "double", "optional"],
    [14, "zero_threshold", "double"],
  ],
  true,
);

const ValueAtQuantile = message("ValueAtQuantile", [
  [1, "quantile", "double"],
  [2, "value", "double"],
]);

export const SummaryDataPoint = message(
  "SummaryDataPoint",
  [
    [2, "start_time_unix_nano", "fixed64"],
    [3, "time_unix_nano", "fixed64"],
    [4, "count", "fixed64"],
    [5, "sum", "double"],
    [6, "quantile_values", ValueAtQuantile, "repeated"],
    [7, "attributes", KeyValue, "repeated"],
    [8, "flags", "uint32"],
  ],
  true,
);

export const Gauge = message("Gauge", [[1, "data_points", NumberDataPoint, "repeated"]]);
export const Sum = message("Sum", [
  [1, "data_points", NumberDataPoint, "repeated"],
  [2, "aggregation_temporality", "enum"],
  [3, "is_monotonic", "bool"],
]);
export const Histogram = message("Histogram", [
  [1, "data_points", HistogramDataPoint, "repeated"],
  [2, "aggregation_temporality", "enum"],
]);
export const ExponentialHistogram = message("ExponentialHistogram", [
  [1, "data_points", ExponentialHistogramDataPoint, "repeated"],
  [2, "aggregation_temporality", "enum"],
]);
export const Summary = message("Summary", [[1, "data_points", SummaryDataPoint, "repeated"]]);

export const Metric = message("Metric", [
  [1, "name", "string"],
  [2, "description", "string"],
  [3, "unit", "string"],
  [5, "gauge", Gauge, "oneof"],
  [7, "sum", Sum, "oneof"],
  [9, "histogram", Histogram, "oneof"],
  [10, "exponential_histogram", ExponentialHistogram, "oneof"],
  [11, "summary", Summary, "oneof"],
  [12, "metadata", KeyValue, "repeated"],
]);

// ── logs ─────────────────────────────────────────────────────────────────────────────────────────

export const LogRecord = message(
  "LogRecord",
  [
    [1, "time_unix_nano", "fixed64"],
    [2, "severity_number", "enum"],
    [3, "severity_text", "string"],
    [5, "body", AnyValue],
    [6, "attributes", KeyValue, "repeated"],
    [7, "dropped_attributes_count", "uint32"],
    [8, "flags", "fixed32"],
    [9, "trace_id", "bytes", "trace id"],
    [10, "span_id", "bytes", "span id"],
    [11, "observed_time_unix_nano", "fixed64"],
    [12, "event_name", "string"],
  ],
  true,
);

// ── requests: the three have one shape, resource › scope › leaf ──────────────────────────────────

function request(name: string, group: string, leaf: Message, leaves = group): Message {
  const perScope = message(`Scope_${group}`, [
    [1, "scope", InstrumentationScope],
    [2, leaves, leaf, "repeated"],
    [3, "schema_url", "string"],
  ]);
  const perResource = message(`Resource_${group}`, [
    [1, "resource", Resource],
    [2, `scope_${group}`, perScope, "repeated"],
    [3, "schema_url", "string"],
  ]);
  return message(name, [[1, `resource_${group}`, perResource, "repeated"]]);
}

export const requests: Readonly<Record<Signal, Message>> = {
  traces: request("ExportTraceServiceRequest", "spans", Span),
  metrics: request("ExportMetricsServiceRequest", "metrics", Metric),
  logs: request("ExportLogsServiceRequest", "logs", LogRecord, "log_records"),
};

/** What hangs on the tree that all requests have: spans, metrics, log records. */
export const leafOf: Readonly<Record<Signal, Message>> = {
  traces: Span,
  metrics: Metric,
  logs: LogRecord,
};

/** What an OTLP server answers, the same for all signals: partial_success with the rejected items. */
export const ExportResponse = message("ExportResponse", [
  [
    1,
    "partial_success",
    message("PartialSuccess", [
      [1, "rejected_items", "int64"],
      [2, "error_message", "string"],
    ]),
  ],
]);

/** google.rpc.Status. */
export const RpcStatus = message("RpcStatus", [
  [1, "code", "int32"],
  [2, "message", "string"],
  [
    3,
    "details",
    message("Any", [
      [1, "type_url", "string"],
      [2, "value", "bytes"],
    ]),
    "repeated",
  ],
]);

/** google.rpc.RetryInfo, one of its details. */
export const RetryInfo = message("RetryInfo", [
  [
    1,
    "retry_delay",
    message("Duration", [
      [1, "seconds", "int64"],
      [2, "nanos", "int32"],
    ]),
  ],
]);
