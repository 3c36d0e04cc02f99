// How long records are kept, told to the server in the way that it has: a data stream's lifecycle or ILM
// (Elasticsearch), ISM (OpenSearch). A policy is made once and never changed: what is there may have been
// edited, or made by somebody else.

import type { Signal } from "../../wire/batch.ts";
import { detailOf, isPassing, retryFor, type Retry } from "./answer.ts";
import type { Answer, Client, Request } from "./client.ts";

export interface Asking {
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** What became of it: whether it is there now, or why not. */
export type Made =
  | { readonly kind: "there" }
  | { readonly kind: "refused"; detail: string }
  | Retry;

/** Makes what is not there yet. */
export async function ensure(path: string, body: object, asking: Asking): Promise<Made> {
  const { client, signal } = asking;
  const existing = await client.request({ method: "GET", path }, signal);
  if (existing.kind === "none" || isPassing(existing.status)) return retryFor(existing);
  if (existing.status !== 404) return outcomeOf(existing);
  const request: Request = {
    method: "PUT",
    path,
    body: Buffer.from(JSON.stringify(body)),
    contentType: "application/json",
  };
  const answer = await client.request(request, signal);
  if (answer.kind === "none" || isPassing(answer.status)) return retryFor(answer);
  return outcomeOf(answer);
}

function outcomeOf(answer: Answer): Made {
  return answer.status < 300 ? { kind: "there" } : { kind: "refused", detail: detailOf(answer) };
}

const madeBy = "Data from OpenTelemetry, sent by sonde";

/** For indices of a day or the like: they are as old as what is in them. */
export function ensureIlmPolicy(name: string, retention: string, asking: Asking): Promise<Made> {
  const remove = { min_age: retention, actions: { delete: {} } };
  const phases = { hot: { actions: {} }, delete: remove };
  const policy = { phases, _meta: { description: madeBy } };
  return ensure(`_ilm/policy/${encodeURIComponent(name)}`, { policy }, asking);
}

export interface IsmPolicy {
  readonly name: string;
  readonly retention: string;
  /** Of the data streams or indices that it is for. */
  readonly pattern: string;
  readonly isDataStream: boolean;
}

export function ensureIsmPolicy(
  { name, retention, pattern, isDataStream }: IsmPolicy,
  asking: Asking,
): Promise<Made> {
  const rollover = { min_index_age: "1d", min_primary_shard_size: "50gb" };
  const policy = {
    description: madeBy,
    default_state: "hot",
    states: [
      {
        name: "hot",
        actions: isDataStream ? [{ rollover }] : [],
        transitions: [{ state_name: "delete", conditions: { min_index_age: retention } }],
      },
      { name: "delete", actions: [{ delete: {} }], transitions: [] },
    ],
    ism_template: [{ index_patterns: [pattern], priority: 110 }],
  };
  return ensure(`_plugins/_ism/policies/${encodeURIComponent(name)}`, { policy }, asking);
}

/** Where Elasticsearch brings its own template for these streams, it leaves room for this one of ours. */
export async function ensureOwnLifecycle(
  kind: Signal,
  retention: string,
  asking: Asking,
): Promise<Made> {
  const own = { method: "GET", path: `_index_template/${kind}-otel@template` } as const;
  const found = await asking.client.request(own, asking.signal);
  if (found.kind === "none" || isPassing(found.status)) return retryFor(found);
  if (found.status !== 200) return { kind: "there" }; // ours does it
  const template = {
    settings: { "index.lifecycle.prefer_ilm": false },
    lifecycle: { data_retention: retention },
  };
  const body = { template, _meta: { description: madeBy } };
  return ensure(`_component_template/${kind}-otel@custom`, body, asking);
}
