// An OTLP/HTTP server that keeps what it is sent and misbehaves when told to.

import { createServer, type ServerResponse } from "node:http";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Signal } from "../../collector/wire/batch.ts";
import { listenLocally } from "./listen.ts";

export interface Sink {
  readonly url: string;
  readonly port: number;
  /** Everything that was accepted, in order. */
  readonly requests: { readonly signal: Signal; readonly bytes: Buffer }[];
  /** How many came, accepted or not. */
  readonly arrived: () => number;
  /** Decides for each request; true means that it has answered itself. */
  misbehave: ((response: ServerResponse, bytes: Buffer) => boolean) | undefined;
  dropConnections(): void;
  close(): Promise<void>;
}

export async function startSink(port = 0): Promise<Sink> {
  let arrived = 0;
  const requests: Sink["requests"] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      arrived++;
      const body = Buffer.concat(chunks);
      const bytes = decompressed(body, request.headers["content-encoding"]);
      if (sink.misbehave?.(response, bytes)) return;
      requests.push({ signal: request.url?.slice("/v1/".length) as Signal, bytes });
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  const takenPort = await listenLocally(server, port);
  const sink: Sink = {
    url: `http://127.0.0.1:${takenPort}`,
    port: takenPort,
    requests,
    arrived: () => arrived,
    misbehave: undefined,
    dropConnections: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return sink;
}

function decompressed(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  return encoding === "zstd" ? zstdDecompressSync(body) : body;
}
