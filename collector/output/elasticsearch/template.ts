// The index templates, each made where the server brings none of its own.

import type { Signal } from "../../wire/batch.ts";
import { detailOf, isPassing, retryFor, type Retry } from "./answer.ts";
import type { Client } from "./client.ts";
import { ensureIlmPolicy, ensureIsmPolicy, ensureOwnLifecycle, type Made } from "./lifecycle.ts";
import { suffixOf } from "./destinations.ts";
import { elasticsearchTypes, mappingsOf, openSearchTypes, type Types } from "./mappings.ts";
import type { Settings } from "./settings.ts";

/** Of which documents there will be some: a span's events stand among the log records. */
export function templatesOf({ signals }: Settings): readonly Signal[] {
  return [
    ...new Set<Signal>([...signals, ...(signals.includes("traces") ? ["logs" as const] : [])]),
  ];
}

/**
 * Made once and never changed: what is there may have been edited. Undefined when delivering can go on,
 * also without a template: not every user may make one, and then the administrator has taken care of it.
 */
export async function installTemplate(
  client: Client,
  settings: Settings,
  installing: Installing,
): Promise<Retry | undefined> {
  const { kind, signal, refused } = installing;
  const path = `_index_template/${encodeURIComponent(nameFor(settings, kind))}`;
  const existing = await client.request({ method: "GET", path }, signal);
  if (existing.kind === "none" || isPassing(existing.status)) return retryFor(existing);
  if (existing.status !== 404) {
    if (existing.status !== 200) refused(detailOf(existing));
    return undefined;
  }
  const before = await prepareRetention(client, settings, installing);
  if (before?.kind === "retry") return before;
  let last = existing;
  for (const { words, body } of templatesFor(settings, kind, before?.kind === "there")) {
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
  /** Of which documents. */
  readonly kind: Signal;
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
  { kind, signal, refused }: Installing,
): Promise<Made | undefined> {
  const { retention, index } = settings;
  if (retention === undefined) return undefined;
  const asking = { client, signal };
  if (index !== "data-stream") return ensureIlmPolicy(nameFor(settings, kind), retention, asking);
  if (suffixOf(kind, settings.fields) !== "otel") return { kind: "there" };
  const made = await ensureOwnLifecycle(kind, retention, asking);
  if (made.kind === "refused") refused(`retention: ${made.detail}`);
  return made.kind === "retry" ? made : { kind: "there" };
}

async function finishRetention(
  client: Client,
  settings: Settings,
  { installing, words }: { readonly installing: Installing; readonly words: Words },
): Promise<Retry | undefined> {
  const { kind, signal, refused } = installing;
  const { retention } = settings;
  if (retention === undefined || words === "elasticsearch with lifecycle") return undefined;
  if (words === "elasticsearch") {
    refused("retention: the server has neither ILM nor a lifecycle of data streams");
    return undefined;
  }
  const isDataStream = settings.index === "data-stream";
  const name = nameFor(settings, kind);
  const policy = { name, retention, pattern: patternOf(settings, kind), isDataStream };
  const made = await ensureIsmPolicy(policy, { client, signal });
  if (made.kind === "refused") refused(`retention: ${made.detail}`);
  return made.kind === "retry" ? made : undefined;
}

function nameFor({ index, fields }: Settings, kind: Signal): string {
  if (index === "data-stream") return `sonde-${kind}${fields === "ecs" ? "-ecs" : ""}`;
  return `sonde-${index.replaceAll("%s", kind).replaceAll("%", "").toLowerCase()}`;
}

interface Candidate {
  readonly words: Words;
  readonly body: Buffer;
}

/** The first one that the server knows every word of is taken. */
function templatesFor(
  settings: Settings,
  kind: Signal,
  hasLifecycle: boolean,
): readonly Candidate[] {
  const { retention, index } = settings;
  const lenient = { "index.mapping.ignore_malformed": true };
  const unlimited = { "index.mapping.total_fields.ignore_dynamic_beyond_limit": true };
  const elasticsearch = (lifecycle: Lifecycle = {}): readonly object[] => [
    template(settings, { ...lenient, ...unlimited, ...lifecycle.index }, { ...lifecycle, kind }), // ≥ 8.14
    template(settings, { ...lenient, ...lifecycle.index }, { ...lifecycle, kind }), // ≥ 8.3
  ];
  const kept: Lifecycle =
    index === "data-stream"
      ? { ofStream: { data_retention: retention } }
      : { index: { "index.lifecycle.name": nameFor(settings, kind) } };
  const isKept = retention !== undefined && hasLifecycle;
  return [
    ...(isKept ? candidates("elasticsearch with lifecycle", elasticsearch(kept)) : []),
    ...candidates("elasticsearch", elasticsearch()),
    ...candidates("opensearch", [template(settings, lenient, { kind, types: openSearchTypes })]),
  ];
}

function candidates(words: Words, bodies: readonly object[]): readonly Candidate[] {
  return bodies.map((body) => ({ words, body: Buffer.from(JSON.stringify(body)) }));
}

interface Lifecycle {
  readonly ofStream?: object;
  readonly index?: object;
}

/** Of the indices or data streams that it is for. */
function patternOf({ index, fields }: Settings, kind: Signal): string {
  if (index === "data-stream") return `${kind}-*.${suffixOf(kind, fields)}-*`;
  return index
    .replaceAll("%s", kind)
    .replaceAll("%Y", "2*")
    .replaceAll(/%[mdH]/g, "*");
}

interface Content extends Lifecycle {
  readonly kind: Signal;
  readonly types?: Types;
}

function template(
  settings: Settings,
  index: object,
  { kind, types = elasticsearchTypes, ofStream }: Content,
): object {
  const isDataStream = settings.index === "data-stream";
  return {
    index_patterns: [patternOf(settings, kind)],
    // Above 100, the general template for logs-*-* and the like, and below 120, the server's own for these
    // streams. Two templates of one priority must not fit the same name, hence the other numbers.
    priority: isDataStream ? (settings.fields === "ecs" ? 112 : 110) : 111,
    ...(isDataStream ? { data_stream: {} } : {}),
    template: {
      settings: index,
      mappings: mappingsOf(kind, settings.fields, types),
      ...(ofStream ? { lifecycle: ofStream } : {}),
    },
    _meta: { description: "Data from OpenTelemetry, sent by sonde" },
  };
}
