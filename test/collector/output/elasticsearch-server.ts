// A server that answers _bulk as Elasticsearch does, and keeps the documents, unless a test tells it to
// misbehave.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { deliveryOf as wholeOf } from "../../../collector/output/delivery.ts";
import { open } from "../../../collector/output/elasticsearch/elasticsearch.ts";
import { settings } from "../../../collector/output/elasticsearch/settings.ts";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import type { Batch } from "../../../collector/wire/batch.ts";
import { listenLocally } from "../../support/listen.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of a _bulk, by id. */
  readonly documents: ReadonlyMap<string, string>;
}

/** True: it has answered itself; an object: answered so. */
export type Reaction =
  | boolean
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  /** Items that are not stored but answered so, by id. */
  | { readonly items: Readonly<Record<string, object>> };

export interface Server {
  readonly url: string;
  /** Of _bulk, in the order they came. */
  readonly bulks: Request[];
  readonly others: Request[];
  stored: Map<string, string>;
  onBulk: ((request: Request, response: ServerResponse) => Reaction) | undefined;
  /** Whatever is not a _bulk: 200 unless it says otherwise. */
  onOther: ((request: Request) => Reaction) | undefined;
  close(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const http = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("error", () => {});
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      const bytes = Buffer.concat(chunks);
      const isZipped = headers["content-encoding"] === "gzip";
      const body = (isZipped ? gunzipSync(bytes) : bytes).toString();
      const isBulk = path.includes("/_bulk?");
      const request = { method, path, headers, body, documents: isBulk ? parse(body) : new Map() };
      (isBulk ? server.bulks : server.others).push(request);
      const reaction = (isBulk ? server.onBulk : server.onOther)?.(request, response) ?? false;
      if (reaction === true) return;
      if (reaction !== false && "status" in reaction) {
        const { status, body = "", headers = {} } = reaction;
        const text = typeof body === "string" ? body : JSON.stringify(body);
        response.writeHead(status, headers).end(text);
      } else if (isBulk) {
        const items = store(request, reaction === false ? {} : reaction.items);
        response.writeHead(200).end(JSON.stringify({ items }));
      } else response.writeHead(200).end("{}");
    });
  });
  const store = ({ documents }: Request, answers: Readonly<Record<string, object>>): object[] =>
    [...documents].map(([id, document]) => {
      if (answers[id]) return { create: answers[id] };
      const isThere = server.stored.has(id);
      if (!isThere) server.stored.set(id, document);
      return { create: { status: isThere ? 409 : 201 } };
    });
  const server: Server = {
    url: `http://127.0.0.1:${await listenLocally(http)}`,
    bulks: [],
    others: [],
    stored: new Map(),
    onBulk: undefined,
    onOther: undefined,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

function parse(body: string): ReadonlyMap<string, string> {
  const lines = body.split("\n");
  const documents = new Map<string, string>();
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const action = JSON.parse(lines[at]!) as { create: { _id: string } };
    documents.set(action.create._id, lines[at + 1]!);
  }
  return documents;
}

export async function openOutput(
  url: string,
  more: object = {},
  { logId = "log", write = (_line: string): void => {} } = {},
): Promise<Output> {
  return open(settings.parse({ url, ...more }), {
    name: "elasticsearch",
    logId,
    incidents: new Incidents({ write }),
    host: "127.0.0.1",
    ready: () => {},
  });
}

/** Batches at positions 0, 1, 2 and so on, or from another one on. */
export function deliveryOf(batches: readonly Batch[], firstPosition = 0): Delivery {
  const entries = batches.map((batch, at) => ({
    position: firstPosition + at,
    batch,
    atMs: Date.now(),
  }));
  return wholeOf("logs", entries);
}

export const never: AbortSignal = new AbortController().signal;
