// Senders that do nothing but send and note what they are told: OTLP/HTTP by node:http, OTLP/gRPC by
// node:http2, each request after the answer to the one before. None of it is ours.

import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:http2";
import type { Signal } from "../../collector/wire/batch.ts";
import type { MarkedRequest } from "./marked-requests.ts";

export interface Client {
  /** What became of it; undefined when there was no answer. */
  send(request: MarkedRequest): Promise<"acknowledged" | "refused" | undefined>;
  close(): void;
}

/** Longer than any answer may take: a collector that says nothing at all for so long hangs. */
const answerLimitMs = 20_000;

export function httpClient(url: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send: ({ signal, bytes }) =>
      new Promise((resolve) => {
        const headers = {
          "content-type": "application/x-protobuf",
          "content-length": bytes.length,
        };
        const path = `${url}/v1/${signal}`;
        const options = { method: "POST", agent, headers, timeout: answerLimitMs };
        const request = httpRequest(path, options, (response) => {
          response.resume();
          response.on("error", () => {});
          resolve(response.statusCode === 200 ? "acknowledged" : "refused");
        });
        request.on("timeout", () => request.destroy());
        request.on("error", () => resolve(undefined));
        request.end(bytes);
      }),
    close: () => agent.destroy(),
  };
}

const service = { traces: "trace", metrics: "metrics", logs: "logs" } as const;

function pathOf(signal: Signal): string {
  const name = service[signal];
  const title = name.charAt(0).toUpperCase() + name.slice(1);
  return `/opentelemetry.proto.collector.${name}.v1.${title}Service/Export`;
}

export function grpcClient(url: string): Client {
  const session = connect(url.replace("grpc:", "http:"));
  session.on("error", () => {});
  return {
    send: ({ signal, bytes }) =>
      new Promise((resolve) => {
        if (session.closed || session.destroyed) return resolve(undefined);
        const stream = session.request({
          ":method": "POST",
          ":path": pathOf(signal),
          "content-type": "application/grpc",
          te: "trailers",
        });
        let status: unknown;
        stream.setTimeout(answerLimitMs, () => stream.destroy());
        stream.on("response", (headers) => (status ??= headers["grpc-status"]));
        stream.on("trailers", (trailers) => (status ??= trailers["grpc-status"]));
        stream.on("error", () => {});
        stream.on("close", () => {
          resolve(status === undefined ? undefined : status === "0" ? "acknowledged" : "refused");
        });
        stream.resume();
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(bytes.length, 1);
        stream.end(Buffer.concat([prefix, bytes]));
      }),
    close: () => session.destroy(),
  };
}
