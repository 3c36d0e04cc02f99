// An OTLP/HTTP server that remembers what it was sent, one flat list for each signal.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { signals } from "../../../collector/wire/batch.ts";
import { decodeRequest } from "../../support/otlp.ts";
import type { AnyValue, KeyValue, LogRecord, Metric, Request, Span } from "../../support/otlp.ts";

/** A span, metric or log record with its resource and scope, and plain attributes. */
export type Received<Item> = Omit<Item, "attributes"> & {
  readonly resource: Attributes;
  readonly scope: string;
  readonly attributes: Attributes;
};
export type Attributes = Readonly<Record<string, unknown>>;

export interface Sink {
  readonly url: string;
  readonly spans: Received<Span>[];
  readonly logs: Received<LogRecord>[];
  readonly metrics: Received<Metric>[];
  readonly requests: { readonly path: string; readonly headers: NodeJS.Dict<string | string[]> }[];
  /** Answers with this from now on. */
  status: number;
  dropConnections(): void;
  close(): Promise<void>;
}

export async function startSink(): Promise<Sink> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      sink.requests.push({ path: request.url ?? "", headers: request.headers });
      if (sink.status === 200) take(request.url ?? "", unpack(body, request.headers));
      response.writeHead(sink.status).end();
    });
  });
  const take = (path: string, { bytes, isJson }: { bytes: Buffer; isJson: boolean }): void => {
    const signal = signals.find((signal) => path.endsWith(`/v1/${signal}`));
    if (!signal) return;
    const body = isJson
      ? (JSON.parse(bytes.toString()) as Request) // OTLP/JSON has this shape
      : decodeRequest(signal, bytes);
    remember(sink, body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const sink: Sink = {
    url: `http://127.0.0.1:${port}`,
    spans: [],
    logs: [],
    metrics: [],
    requests: [],
    status: 200,
    dropConnections: () => server.closeAllConnections(),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return sink;
}

function unpack(
  body: Buffer,
  headers: NodeJS.Dict<string | string[]>,
): { bytes: Buffer; isJson: boolean } {
  return {
    bytes: headers["content-encoding"] === "gzip" ? gunzipSync(body) : body,
    isJson: headers["content-type"] === "application/json",
  };
}

function remember(sink: Sink, body: Request): void {
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
