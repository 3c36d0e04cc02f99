// The destination as a process of its own: accepts every span over OTLP/HTTP or OTLP/gRPC and keeps
// account of which came. Started by measure.ts.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { validate } from "../../collector/wire/validate.ts";
import type { Protocol } from "./cases.ts";
import { answer } from "./child.ts";
import { numberOffsets } from "./spans.ts";

export type SinkQuestion =
  | { readonly kind: "listen"; readonly protocol: Protocol; readonly spans: number }
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

answer(async (question: SinkQuestion): Promise<SinkListening | SinkCount> => {
  if (question.kind === "count") return { delivered, duplicates };
  seen = new Uint8Array(question.spans);
  return { url: await (question.protocol === "http" ? listenHttp() : listenGrpc()) };
});

function count(request: Buffer): void {
  const { kind } = validate("traces", request);
  if (kind === "invalid") throw new Error("the sink was sent what is no OTLP");
  for (const offset of numberOffsets(request)) {
    const number = request.readUInt32BE(offset);
    if (number >= seen.length) throw new Error(`the sink was sent span ${number}, never made`);
    if (seen[number] === 0) delivered++;
    else duplicates++;
    seen[number] = 1;
  }
}

async function listenHttp(): Promise<string> {
  const server = createServer((request, response) => {
    void serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  return `http://127.0.0.1:${port}`;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  count(Buffer.concat(chunks));
  response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": 0 });
  response.end();
}

async function listenGrpc(): Promise<string> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const definition = {
    export: {
      path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      requestStream: false,
      responseStream: false,
      requestSerialize: asBytes,
      requestDeserialize: asBytes,
      responseSerialize: asBytes,
      responseDeserialize: asBytes,
    },
  };
  server.addService(definition, { export: take });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `grpc://127.0.0.1:${port}`;
}

const take: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, reply) => {
  count(request);
  reply(null, Buffer.alloc(0));
};

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}
