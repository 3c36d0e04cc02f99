// The destination as a process of its own: accepts every span over OTLP/HTTP or OTLP/gRPC and keeps
// account of which came. It shares the machine with the collector that is measured, so it looks for the
// spans' numbers only, and reads but some requests as a server would. Started by measure.ts.

import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import { validate } from "../../collector/wire/validate.ts";
import { listenLocally } from "../support/listen.ts";
import type { Counted, Protocol } from "./cases.ts";
import { answer } from "./child.ts";
import { bulkServer } from "./sink-bulk.ts";
import { numberOffsets } from "./spans.ts";

export type SinkQuestion =
  /** The second time at the same port, with all that has come still known. */
  | {
      readonly kind: "listen";
      readonly protocol: Protocol;
      /** Instead of OTLP, requests to Elasticsearch. */
      readonly isForDocuments: boolean;
      readonly signal: Counted;
      readonly spans: number;
    }
  /** From then on connections are refused. */
  | { readonly kind: "close" }
  | { readonly kind: "count" };

export interface SinkListening {
  readonly url: string;
}

export interface SinkCount {
  /** Different spans. */
  readonly delivered: number;
  /** Spans that had come before. */
  readonly duplicates: number;
}

let seen = new Uint8Array(0);
let delivered = 0;
let duplicates = 0;
let requests = 0;
let signal: Counted = "traces";
let port = 0;
let close: () => Promise<void> = async () => {};

answer(async (question: SinkQuestion): Promise<SinkListening | SinkCount | object> => {
  if (question.kind === "count") return { delivered, duplicates };
  if (question.kind === "close") {
    await close();
    return {};
  }
  const { protocol, spans, isForDocuments } = question;
  ({ signal } = question);
  if (seen.length === 0) seen = new Uint8Array(spans);
  const otlpServer = protocol === "http" ? httpServer : grpcServer;
  await listen(isForDocuments ? bulkServer(tick) : otlpServer());
  return { url: `${protocol}://127.0.0.1:${port}` };
});

/** The first ones and some of the others are validated as a whole. */
const validatedFirst = 20;
const validatedEvery = 50;

function count(request: Buffer): void {
  requests++;
  if (requests <= validatedFirst || requests % validatedEvery === 0) {
    const { kind } = validate(signal, request);
    if (kind === "invalid") throw new Error("the sink was sent what is no OTLP");
  }
  for (const offset of numberOffsets(request, signal)) tick(request.readUInt32BE(offset));
}

function tick(number: number): void {
  if (number >= seen.length) throw new Error(`the sink was sent span ${number}, never made`);
  if (seen[number] === 0) delivered++;
  else duplicates++;
  seen[number] = 1;
}

function httpServer(): Server {
  return createHttp((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      count(body);
      response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": 0 });
      response.end();
    });
  });
}

function grpcServer(): Server {
  const windowBytes = 16 << 20;
  const server = createHttp2({ settings: { initialWindowSize: windowBytes } });
  server.on("session", (session) => session.setLocalWindowSize(windowBytes));
  server.on("stream", (stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      count(Buffer.concat(chunks).subarray(grpcHeadBytes));
      succeed(stream);
    });
  });
  return server;
}

const grpcHeadBytes = 5;
const emptyMessage = Buffer.alloc(grpcHeadBytes);

function succeed(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(emptyMessage);
}

async function listen(server: Server): Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  port = await listenLocally(server, port);
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
}
