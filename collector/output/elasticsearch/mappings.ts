// What makes documents findable: `trace.id`, `service.name`, `log.level` and `message` by these names, times
// in nanoseconds, and attributes that may have any names side by side, `a` and `a.b` too.

import type { Signal } from "../../wire/batch.ts";
import { fieldNames } from "./field-names.ts";

export interface Types {
  readonly attributes: object;
  readonly resourceAttributes: object;
  /** Maps of any shape. */
  readonly map: object;
  /** Of metrics, by their names. */
  readonly numbers: object;
  readonly aliases: object;
  readonly dynamicTemplates: readonly object[];
}

/** Longer texts are kept but not found; a term has at most 32766 bytes, 4 for each character. */
const keyword = { type: "keyword", ignore_above: 8191 };
const flattened = { type: "flattened", ignore_above: 8191 };
const attributes = { type: "object", dynamic: true, subobjects: false };

export const elasticsearchTypes: Types = {
  attributes,
  resourceAttributes: { ...attributes, properties: { "service.name": keyword } },
  map: flattened,
  numbers: attributes,
  aliases: { service: { properties: { name: alias("resource.attributes.service.name") } } },
  dynamicTemplates: [
    { maps: { match_mapping_type: "object", path_match: "*attributes.*", mapping: flattened } },
    { texts: { match_mapping_type: "string", mapping: keyword } },
  ],
};

/** It has no alias for what lies inside of an object that is mapped as one field. */
export const openSearchTypes: Types = {
  attributes: { type: "flat_object" },
  resourceAttributes: { type: "flat_object" },
  map: { type: "flat_object" },
  numbers: { type: "flat_object" },
  aliases: {},
  dynamicTemplates: [],
};

export function mappingsOf(kind: Signal, fields: "otel" | "ecs", types: Types): object {
  const names = fields === "ecs" ? ecsNames : [];
  const isEcs = fields === "ecs";
  return {
    dynamic: false,
    date_detection: false,
    dynamic_templates: [...numbers(kind), ...types.dynamicTemplates],
    properties: {
      ...Object.fromEntries(names.map((name) => [name, keyword])),
      "@timestamp": { type: "date_nanos" },
      ...(isEcs ? ecsOf[kind] : otelOf[kind](types)),
      ...(kind === "metrics" ? metrics(types) : {}),
      attributes: types.attributes,
      resource: { properties: { attributes: isEcs ? types.attributes : types.resourceAttributes } },
      scope: {
        properties: { name: keyword, version: keyword, attributes: types.attributes },
      },
      data_stream: { properties: { type: keyword, dataset: keyword, namespace: keyword } },
      ...(isEcs ? {} : types.aliases),
    },
  };
}

const long = { type: "long" };
const dateNanos = { type: "date_nanos" };

const ids = {
  trace_id: keyword,
  span_id: keyword,
  trace: { properties: { id: alias("trace_id") } },
};

const otelOf: Readonly<Record<Signal, (types: Types) => object>> = {
  logs: (types) => ({
    ...ids,
    span: { properties: { id: alias("span_id") } },
    observed_timestamp: dateNanos,
    severity_number: { type: "byte" },
    severity_text: keyword,
    event_name: keyword,
    body: {
      properties: { text: { type: "text" }, flattened: types.map, structured: types.map },
    },
    log: { properties: { level: alias("severity_text") } },
    message: alias("body.text"),
  }),
  traces: ({ map }) => ({
    ...ids,
    span: { properties: { id: alias("span_id"), name: alias("name") } },
    trace_state: keyword,
    parent_span_id: keyword,
    parent: { properties: { id: alias("parent_span_id") } },
    name: keyword,
    kind: keyword,
    duration: long,
    dropped_events_count: long,
    dropped_links_count: long,
    links: {
      properties: {
        trace_id: keyword,
        span_id: keyword,
        trace_state: keyword,
        attributes: map,
        dropped_attributes_count: long,
      },
    },
    status: { properties: { message: keyword, code: keyword } },
  }),
  metrics: () => ({}),
};

/** Fields of the Common Schema are there by their names; nothing needs an alias. */
const { ecs } = fieldNames;
const ecsNames = [
  ...ecs.ofAttributes.values(),
  ecs.severityText,
  ecs.traceId,
  ecs.spanId,
  ecs.eventName,
  "log.logger",
];
const ecsOf: Readonly<Record<Signal, object>> = {
  logs: {
    [ecs.observed]: dateNanos,
    [ecs.severityNumber]: long,
    message: { type: "text" },
  },
  traces: {
    ...Object.fromEntries(
      [
        ecs.span.parentId,
        ecs.span.state,
        ecs.span.kind,
        ecs.span.name,
        ecs.span.transactionName,
        "transaction.id",
        "processor.event",
        "event.outcome",
        "event.reason",
      ].map((name) => [name, keyword]),
    ),
    [ecs.span.duration]: long,
    "transaction.duration.us": long,
    "span.duration.us": long,
  },
  metrics: {},
};

/** What makes up a distribution is kept, and not searched. */
function metrics({ numbers }: Types): object {
  return {
    start_timestamp: dateNanos,
    unit: keyword,
    metric: {
      properties: {
        name: keyword,
        type: keyword,
        temporality: keyword,
        monotonic: { type: "boolean" },
        ...Object.fromEntries(
          ["value", "count", "sum", "min", "max"].map((name) => [name, { type: "double" }]),
        ),
      },
    },
    metrics: numbers,
    distribution: { type: "object", enabled: false },
  };
}

/** Whether a value is whole says nothing about the next one. */
function numbers(kind: Signal): readonly object[] {
  if (kind !== "metrics") return [];
  const mapping = { type: "double" };
  return ["long", "double"].map((type) => ({
    [`metrics_${type}`]: { match_mapping_type: type, path_match: "metrics.*", mapping },
  }));
}

function alias(path: string): object {
  return { type: "alias", path };
}
