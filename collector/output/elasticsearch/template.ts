// The index template that makes records findable where the server brings none of its own: `trace.id`,
// `service.name`, `log.level` and `message` by these names, times in nanoseconds, and attributes that
// may have any names side by side, `a` and `a.b` too.

import { detailOf, isPassing, retryFor, type Retry } from "./answer.ts";
import type { Client } from "./client.ts";
import { ensureIlmPolicy, ensureIsmPolicy, ensureOwnLifecycle, type Made } from "./lifecycle.ts";
import { fieldNames } from "./field-names.ts";
import type { Settings } from "./settings.ts";

/**
 * Made once and never changed: what is there may have been edited. Undefined when delivering can go on,
 * also without a template: not every user may make one, and then the administrator has taken care of it.
 */
export async function installTemplate(
  client: Client,
  settings: Settings,
  installing: Installing,
): Promise<Retry | undefined> {
  const { signal, refused } = installing;
  const path = `_index_template/${encodeURIComponent(nameFor(settings))}`;
  const existing = await client.request({ method: "GET", path }, signal);
  if (existing.kind === "none" || isPassing(existing.status)) return retryFor(existing);
  if (existing.status !== 404) {
    if (existing.status !== 200) refused(detailOf(existing));
    return undefined;
  }
  const before = await prepareRetention(client, settings, installing);
  if (before?.kind === "retry") return before;
  let last = existing;
  for (const { words, body } of templatesFor(settings, before?.kind === "there")) {
    const request = { path: `${path}?create=true`, body, contentType: "application/json" };
    const answer = await client.request({ method: "PUT", ...request }, signal);
    if (answer.kind === "none" || isPassing(answer.status)) return retryFor(answer);
    if (answer.status < 300) return await finishRetention(client, settings, { installing, words });
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

/** Whose words the server has taken, and whether they say how long it keeps what comes. */
type Words = "elasticsearch" | "elasticsearch with lifecycle" | "opensearch";

/** What must be there before the template names it. Undefined where nothing must. */
async function prepareRetention(
  client: Client,
  settings: Settings,
  { signal, refused }: Installing,
): Promise<Made | undefined> {
  const { retention, index } = settings;
  if (retention === undefined) return undefined;
  const asking = { client, signal };
  if (index !== "data-stream") return ensureIlmPolicy(nameFor(settings), retention, asking);
  if (settings.fields === "ecs") return { kind: "there" };
  const made = await ensureOwnLifecycle(retention, asking);
  if (made.kind === "refused") refused(`retention: ${made.detail}`);
  return made.kind === "retry" ? made : { kind: "there" };
}

async function finishRetention(
  client: Client,
  settings: Settings,
  { installing, words }: { readonly installing: Installing; readonly words: Words },
): Promise<Retry | undefined> {
  const { signal, refused } = installing;
  const { retention } = settings;
  if (retention === undefined || words === "elasticsearch with lifecycle") return undefined;
  if (words === "elasticsearch") {
    refused("retention: the server has neither ILM nor a lifecycle of data streams");
    return undefined;
  }
  const isDataStream = settings.index === "data-stream";
  const policy = { name: nameFor(settings), retention, pattern: patternOf(settings), isDataStream };
  const made = await ensureIsmPolicy(policy, { client, signal });
  if (made.kind === "refused") refused(`retention: ${made.detail}`);
  return made.kind === "retry" ? made : undefined;
}

function nameFor({ index, fields }: Settings): string {
  if (index === "data-stream") return fields === "ecs" ? "sonde-logs-ecs" : "sonde-logs";
  return `sonde-${index.replaceAll("%", "").toLowerCase()}`;
}

interface Candidate {
  readonly words: Words;
  readonly body: Buffer;
}

/** The first one that the server knows every word of is taken. */
function templatesFor(settings: Settings, hasLifecycle: boolean): readonly Candidate[] {
  const { retention, index } = settings;
  const lenient = { "index.mapping.ignore_malformed": true };
  const unlimited = { "index.mapping.total_fields.ignore_dynamic_beyond_limit": true };
  const elasticsearch = (lifecycle: Lifecycle = {}): readonly object[] => [
    template(settings, { ...lenient, ...unlimited, ...lifecycle.index }, lifecycle), // ≥ 8.14
    template(settings, { ...lenient, ...lifecycle.index }, lifecycle), // ≥ 8.3
  ];
  const kept: Lifecycle =
    index === "data-stream"
      ? { ofStream: { data_retention: retention } }
      : { index: { "index.lifecycle.name": nameFor(settings) } };
  const isKept = retention !== undefined && hasLifecycle;
  return [
    ...(isKept ? candidates("elasticsearch with lifecycle", elasticsearch(kept)) : []),
    ...candidates("elasticsearch", elasticsearch()),
    ...candidates("opensearch", [template(settings, lenient, { types: openSearchTypes })]),
  ];
}

function candidates(words: Words, bodies: readonly object[]): readonly Candidate[] {
  return bodies.map((body) => ({ words, body: Buffer.from(JSON.stringify(body)) }));
}

interface Lifecycle {
  readonly ofStream?: object;
  readonly index?: object;
  readonly types?: Types;
}

/** Of the indices or data streams that it is for. */
function patternOf({ index, fields }: Settings): string {
  if (index === "data-stream") return `logs-*.${fields}-*`;
  return index.replaceAll("%Y", "2*").replaceAll(/%[mdH]/g, "*");
}

function template(
  settings: Settings,
  index: object,
  { types = elasticsearchTypes, ofStream }: Lifecycle,
): object {
  const isDataStream = settings.index === "data-stream";
  return {
    index_patterns: [patternOf(settings)],
    // Above 100, the general template for logs-*-*, and below 120, the server's own for these streams.
    // Two templates of one priority must not fit the same name, hence the other numbers.
    priority: isDataStream ? (settings.fields === "ecs" ? 112 : 110) : 111,
    ...(isDataStream ? { data_stream: {} } : {}),
    template: {
      settings: index,
      mappings: settings.fields === "ecs" ? ecsMappings(types) : mappings(types),
      ...(ofStream ? { lifecycle: ofStream } : {}),
    },
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

/** Fields of the Common Schema are there by their names; nothing needs an alias. */
function ecsMappings(types: Types): object {
  const { attributes: own, resourceAttributes: _, dynamicTemplates } = types;
  const { ecs } = fieldNames;
  const names = [
    ...ecs.ofAttributes.values(),
    ecs.severityText,
    ecs.traceId,
    ecs.spanId,
    ecs.eventName,
    "log.logger",
  ];
  return {
    dynamic: false,
    date_detection: false,
    dynamic_templates: dynamicTemplates,
    properties: {
      ...Object.fromEntries(names.map((name) => [name, keyword])),
      "@timestamp": { type: "date_nanos" },
      [ecs.observed]: { type: "date_nanos" },
      [ecs.severityNumber]: { type: "long" },
      message: { type: "text" },
      attributes: own,
      resource: { properties: { attributes: own } },
      scope: { properties: { name: keyword, version: keyword, attributes: own } },
      data_stream: { properties: { type: keyword, dataset: keyword, namespace: keyword } },
    },
  };
}

function alias(path: string): object {
  return { type: "alias", path };
}
