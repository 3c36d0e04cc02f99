// A sink that reads what it is sent into one flat list for each signal.

import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { decodeRequest } from "../../support/otlp.ts";
import type { AnyValue, KeyValue, LogRecord, Metric, Request, Span } from "../../support/otlp.ts";
import { startSink as startServer } from "../../support/sink.ts";

/** A span, metric or log record with its resource and scope, and plain attributes. */
export type Received<Item> = Omit<Item, "attributes"> & {
  readonly resource: Attributes;
  readonly scope: string;
  readonly attributes: Attributes;
};
export type Attributes = Readonly<Record<string, unknown>>;

/** What was in requests, of all their resources and scopes. */
export interface Items {
  readonly spans: Received<Span>[];
  readonly logs: Received<LogRecord>[];
  readonly metrics: Received<Metric>[];
}

export interface Sink extends Items {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: NodeJS.Dict<string | string[]> }[];
  /** Answers with this from now on. */
  status: number;
  dropConnections(): void;
  close(): Promise<void>;
}

export async function startSink(): Promise<Sink> {
  const server = await startServer();
  const sink: Sink = {
    url: server.url,
    spans: [],
    logs: [],
    metrics: [],
    requests: [],
    status: 200,
    dropConnections: () => server.dropConnections(),
    close: () => server.close(),
  };
  server.misbehave = (response, bytes) => {
    const { url: path = "", headers } = response.req;
    sink.requests.push({ path, headers });
    if (sink.status !== 200) return !!response.writeHead(sink.status).end();
    const signal = signals.find((signal) => path.endsWith(`/v1/${signal}`));
    if (signal) remember(sink, requestIn(bytes, signal, headers["content-type"]));
    return false;
  };
  return sink;
}

function requestIn(bytes: Buffer, signal: Signal, type: string | undefined): Request {
  return type === "application/json"
    ? (JSON.parse(bytes.toString()) as Request) // OTLP/JSON has this shape
    : decodeRequest(signal, bytes);
}

export function remember(sink: Items, body: Request): void {
  for (const group of body.resourceSpans ?? []) {
    const resource = plain(group.resource?.attributes);
    for (const scope of group.scopeSpans ?? []) {
      for (const span of scope.spans ?? []) sink.spans.push(received(span, resource, scope));
    }
  }
  for (const group of body.resourceLogs ?? []) {
    const resource = plain(group.resource?.attributes);
    for (const scope of group.scopeLogs ?? []) {
      for (const record of scope.logRecords ?? [])
        sink.logs.push(received(record, resource, scope));
    }
  }
  for (const group of body.resourceMetrics ?? []) {
    const resource = plain(group.resource?.attributes);
    for (const scope of group.scopeMetrics ?? []) {
      for (const metric of scope.metrics ?? [])
        sink.metrics.push(received(metric, resource, scope));
    }
  }
}

function received<Item extends object>(
  item: Item,
  resource: Attributes,
  group: { readonly scope?: { readonly name?: string } },
): Received<Item> {
  const { attributes } = item as { attributes?: KeyValue[] }; // metrics have none themselves
  return { ...item, resource, scope: group.scope?.name ?? "", attributes: plain(attributes) };
}

export function plain(attributes: readonly KeyValue[] | undefined): Attributes {
  return Object.fromEntries(
    (attributes ?? []).map(({ key = "", value }) => [key, plainValue(value)]),
  );
}

export function plainValue(value: AnyValue | undefined): unknown {
  if (value?.intValue !== undefined) return Number(value.intValue);
  if (value?.arrayValue) return (value.arrayValue.values ?? []).map((item) => plainValue(item));
  if (value?.kvlistValue) return plain(value.kvlistValue.values);
  const [held] = Object.values(value ?? {}) as unknown[];
  return held;
}
