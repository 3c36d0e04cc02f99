// The index template that makes records findable where the server brings none of its own: `trace.id`,
// `service.name`, `log.level` and `message` by these names, times in nanoseconds, and attributes that
// may have any names side by side, `a` and `a.b` too.

import { detailOf, retryFor, type Retry } from "./answer.ts";
import type { Client } from "./client.ts";
import type { Settings } from "./settings.ts";

/**
 * Made once and never changed: what is there may have been edited. Undefined when delivering can go on,
 * also without a template: not every user may make one, and then the administrator has taken care of it.
 */
export async function installTemplate(
  client: Client,
  settings: Settings,
  { signal, refused }: Installing,
): Promise<Retry | undefined> {
  const path = `_index_template/${encodeURIComponent(nameFor(settings))}`;
  const existing = await client.request({ method: "GET", path }, signal);
  if (existing.kind === "none" || isPassing(existing.status)) return retryFor(existing);
  if (existing.status !== 404) {
    if (existing.status !== 200) refused(detailOf(existing));
    return undefined;
  }
  let last = existing;
  for (const template of templatesFor(settings)) {
    const body = Buffer.from(JSON.stringify(template));
    const request = { path: `${path}?create=true`, body, contentType: "application/json" };
    const answer = await client.request({ method: "PUT", ...request }, signal);
    if (answer.kind === "none" || isPassing(answer.status)) return retryFor(answer);
    if (answer.status < 300) return undefined;
    last = answer;
    if (answer.status !== 400) break;
  }
  refused(detailOf(last));
  return undefined;
}

interface Installing {
  readonly signal: AbortSignal;
  /** Told why the server does not take a template, if it does not. */
  readonly refused: (detail: string) => void;
}

/** Whether the same request may do better later. */
function isPassing(status: number): boolean {
  return status === 401 || status === 429 || status >= 500;
}

function nameFor({ index }: Settings): string {
  return index === "data-stream"
    ? "sonde-logs"
    : `sonde-${index.replaceAll("%", "").toLowerCase()}`;
}

/** The first one that the server knows every word of is taken. */
function templatesFor(settings: Settings): readonly object[] {
  const lenient = { "index.mapping.ignore_malformed": true };
  const unlimited = { "index.mapping.total_fields.ignore_dynamic_beyond_limit": true };
  return [
    template(settings, { ...lenient, ...unlimited }, elasticsearchTypes), // Elasticsearch ≥ 8.14
    template(settings, lenient, elasticsearchTypes), // ≥ 8.3
    template(settings, lenient, openSearchTypes),
  ];
}

function template(settings: Settings, index: object, types: Types): object {
  const isDataStream = settings.index === "data-stream";
  return {
    index_patterns: [
      isDataStream
        ? "logs-*.otel-*"
        : settings.index.replaceAll("%Y", "2*").replaceAll(/%[mdH]/g, "*"),
    ],
    // Above 100, the general template for logs-*-*, and below 120, the server's own for these streams.
    // Two templates of one priority must not fit the same name, hence the other number.
    priority: isDataStream ? 110 : 111,
    ...(isDataStream ? { data_stream: {} } : {}),
    template: { settings: index, mappings: mappings(types) },
    _meta: { description: "Logs from OpenTelemetry, sent by sonde" },
  };
}

interface Types {
  readonly attributes: object;
  readonly resourceAttributes: object;
  /** Maps of any shape. */
  readonly map: object;
  readonly aliases: object;
  readonly dynamicTemplates: readonly object[];
}

/** Longer texts are kept but not found; a term has at most 32766 bytes, 4 for each character. */
const keyword = { type: "keyword", ignore_above: 8191 };
const flattened = { type: "flattened", ignore_above: 8191 };
const attributes = { type: "object", dynamic: true, subobjects: false };

const elasticsearchTypes: Types = {
  attributes,
  resourceAttributes: { ...attributes, properties: { "service.name": keyword } },
  map: flattened,
  aliases: { service: { properties: { name: alias("resource.attributes.service.name") } } },
  dynamicTemplates: [
    { maps: { match_mapping_type: "object", path_match: "*attributes.*", mapping: flattened } },
    { texts: { match_mapping_type: "string", mapping: keyword } },
  ],
};

/** It has no alias for what lies inside of an object that is mapped as one field. */
const openSearchTypes: Types = {
  attributes: { type: "flat_object" },
  resourceAttributes: { type: "flat_object" },
  map: { type: "flat_object" },
  aliases: {},
  dynamicTemplates: [],
};

function mappings(types: Types): object {
  return {
    dynamic: false,
    date_detection: false,
    dynamic_templates: types.dynamicTemplates,
    properties: {
      "@timestamp": { type: "date_nanos" },
      observed_timestamp: { type: "date_nanos" },
      severity_number: { type: "byte" },
      severity_text: keyword,
      trace_id: keyword,
      span_id: keyword,
      event_name: keyword,
      body: {
        properties: { text: { type: "text" }, flattened: types.map, structured: types.map },
      },
      attributes: types.attributes,
      resource: { properties: { attributes: types.resourceAttributes } },
      scope: {
        properties: { name: keyword, version: keyword, attributes: types.attributes },
      },
      data_stream: { properties: { type: keyword, dataset: keyword, namespace: keyword } },
      trace: { properties: { id: alias("trace_id") } },
      span: { properties: { id: alias("span_id") } },
      log: { properties: { level: alias("severity_text") } },
      message: alias("body.text"),
      ...types.aliases,
    },
  };
}

function alias(path: string): object {
  return { type: "alias", path };
}
