// The real stores that records are proven to reach: how they are delivered to, and how to read them back.

import { isAbsent, type Peer, startPeer } from "../support/peers.ts";
import type { Random } from "../support/otlp.ts";
import type { Thinned } from "./fault-proxy.ts";
import { service, type Store } from "./store-rounds.ts";

export const storeNames = ["elasticsearch", "opensearch", "loki"] as const;
export type StoreName = (typeof storeNames)[number];

export const isStoreAbsent = (name: StoreName): boolean => isAbsent(name);

export interface RunningStore extends Store {
  stop(): Promise<void>;
}

export async function startStore(name: StoreName): Promise<RunningStore> {
  const peer = await startPeer(name);
  const store = name === "loki" ? lokiAt(peer) : elasticsearchAt(peer);
  return { ...store, stop: () => peer.stop() };
}

const stream = `logs-${service}.otel-default`;

function elasticsearchAt({ url }: Peer): Store {
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const options = body ? { method, headers, body: JSON.stringify(body) } : { method };
    const response = await fetch(`${url}/${path}`, options);
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return await response.json();
  };
  interface Page {
    readonly _scroll_id: string;
    readonly hits: { readonly hits: readonly { readonly _source: Document }[] };
  }
  interface Document {
    readonly body: { readonly text: string };
  }
  return {
    url,
    type: "elasticsearch",
    settings: {},
    isDelivery: (path) => path.startsWith("/_bulk"),
    thinOut,
    amid: async () => void (await call("POST", `${stream}/_rollover`)),
    async *lines() {
      await call("POST", `${stream}/_refresh`);
      const first = `${stream}/_search?scroll=1m&size=5000&_source=body.text`;
      let page = (await call("POST", first)) as Page;
      while (page.hits.hits.length > 0) {
        for (const { _source } of page.hits.hits) yield _source.body.text;
        const next = { scroll: "1m", scroll_id: page._scroll_id };
        page = (await call("POST", "_search/scroll", next)) as Page;
      }
    },
    count: async () => ((await call("GET", `${stream}/_count`)) as { count: number }).count,
  };
}

/** Every eighth record or so is told to come again. */
function thinOut(body: Buffer, random: Random): Thinned | undefined {
  const lines = body.toString().trimEnd().split("\n");
  const isOut = Array.from({ length: lines.length / 2 }, () => random.below(8) === 0);
  const left = lines.filter((_, at) => !isOut[Math.floor(at / 2)]);
  if (left.length === 0) return undefined;
  const error = { type: "es_rejected_execution_exception", reason: "full" };
  return {
    body: Buffer.from(`${left.join("\n")}\n`),
    answer: (answer) => {
      const { items } = JSON.parse(answer.toString()) as { items: object[] };
      let next = 0;
      const all = isOut.map((out) => (out ? { create: { status: 429, error } } : items[next++]));
      return JSON.stringify({ items: all });
    },
  };
}

const mostLines = 5_000;
const mostItems = 500;

function lokiAt({ url }: Peer): Store {
  interface Result {
    readonly stream?: Readonly<Record<string, string>>;
    readonly values?: readonly (readonly [string, string])[];
    readonly value?: readonly [number, string];
  }
  const ask = async (path: string, query: Record<string, string>): Promise<Result[]> => {
    const search = String(new URLSearchParams(query));
    const response = await fetch(`${url}/loki/api/v1/${path}?${search}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
    return (JSON.parse(text) as { data: { result: Result[] } }).data.result;
  };
  const selector = `{service_name="${service}"}`;
  return {
    url,
    type: "loki",
    settings: { max_request_items: mostItems },
    countedTwice: mostItems,
    isDelivery: (path) => path.startsWith("/otlp") || path.startsWith("/loki"),
    async *lines() {
      const end = `${Date.now()}000000`;
      let start = BigInt(Date.now() - 7_200_000) * 1_000_000n;
      for (;;) {
        const query = { query: selector, start: String(start), end, direction: "forward" };
        const result = await ask("query_range", { ...query, limit: String(mostLines) });
        const entries = result.flatMap(({ stream, values = [] }) =>
          values.map(([time, line]) => ({ time, line, labels: labelsIn(stream) })),
        );
        const inOrder = entries.toSorted((one, other) =>
          Number(BigInt(one.time) - BigInt(other.time)),
        );
        const read = new Set<string>();
        for (const { time, line, labels } of inOrder) {
          const entry = JSON.stringify([time, line, labels]);
          if (!read.has(entry)) yield line;
          read.add(entry);
        }
        if (inOrder.length < mostLines) return;
        start = BigInt(inOrder.at(-1)!.time) + 1n;
      }
    },
    count: async () => {
      const query = `sum(count_over_time(${selector}[2h]))`;
      const [sum] = await ask("query", { query, time: String(Math.ceil(Date.now() / 1000)) });
      return Number(sum?.value?.[1] ?? 0);
    },
  };
}

/**
 * Without the one that Loki adds by itself once a stream is fast: what it was sent before and is sent again
 * after a lost answer is then in two streams (docs/outputs.md).
 */
function labelsIn(stream: Readonly<Record<string, string>> = {}): readonly string[] {
  const { __stream_shard__: _, ...given } = stream;
  return Object.entries(given)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted();
}
