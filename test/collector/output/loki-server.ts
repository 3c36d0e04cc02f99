// A server that reads what Loki reads, with the messages of Loki's own push.proto, and answers as it is told.

import { createServer, type IncomingHttpHeaders } from "node:http";
import protobuf from "protobufjs";
import { uncompress } from "snappyjs";
import { listenLocally } from "../../support/listen.ts";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message PushRequest { repeated Stream streams = 1; }
  message Stream { string labels = 1; repeated Entry entries = 2; uint64 hash = 3; }
  message Entry { Timestamp timestamp = 1; string line = 2; repeated Pair structuredMetadata = 3; }
  message Pair { string name = 1; string value = 2; }
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
`);
const pushRequest = root.lookupType("PushRequest");

export interface Entry {
  /** Nanoseconds. */
  readonly at: bigint;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The entries of each stream, by its labels. */
export function readPush(body: Uint8Array): Record<string, Entry[]> {
  const decoded = pushRequest.decode(uncompress(body));
  const options = { longs: String, defaults: true, arrays: true };
  const { streams } = pushRequest.toObject(decoded, options) as Decoded;
  const byLabels: Record<string, Entry[]> = {};
  for (const { labels, entries } of streams) {
    byLabels[labels] = entries.map(({ timestamp, line, structuredMetadata }) => ({
      at: BigInt(timestamp.seconds) * 1_000_000_000n + BigInt(timestamp.nanos),
      line,
      metadata: Object.fromEntries(structuredMetadata.map(({ name, value }) => [name, value])),
    }));
  }
  return byLabels;
}

interface Decoded {
  readonly streams: {
    readonly labels: string;
    readonly entries: {
      readonly timestamp: { readonly seconds: string; readonly nanos: number };
      readonly line: string;
      readonly structuredMetadata: { readonly name: string; readonly value: string }[];
    }[];
  }[];
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface LokiServer {
  readonly url: string;
  readonly received: Received[];
  /** The status and body of each answer. */
  answer: readonly [status: number, body: string];
  close(): Promise<void>;
}

export async function startLoki(): Promise<LokiServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      const { url: path = "", headers } = request;
      made.received.push({ path, headers, body: Buffer.concat(chunks) });
      const [status, body] = made.answer;
      response.writeHead(status, { "content-type": "text/plain" }).end(body);
    });
  });
  const port = await listenLocally(server);
  const made: LokiServer = {
    url: `http://127.0.0.1:${port}`,
    received: [],
    answer: [204, ""],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return made;
}
