// The sender as a process of its own: keeps a fixed number of requests in flight until it has sent what
// it was asked for, and sends again what was refused for now. Started by measure.ts.

import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import type { Protocol } from "./cases.ts";
import { answer } from "./child.ts";
import { NumberedRequests } from "./spans.ts";

export interface LoadOrder {
  readonly protocol: Protocol;
  /** Of the collector: http://host:port or grpc://host:port. */
  readonly url: string;
  readonly spansPerRequest: number;
  readonly inFlight: number;
  /** The number of the first span. */
  readonly first: number;
  readonly spans: number;
}

export interface LoadDone {
  /** Spans that the collector acknowledged. */
  readonly sent: number;
  /** Requests that it asked to have again. */
  readonly refusals: number;
}

/** False if it was refused for now. */
type Send = (request: Buffer) => Promise<boolean>;

const pauseMs = 50;

answer(async (order: LoadOrder): Promise<LoadDone> => {
  const { spansPerRequest, inFlight, first, spans } = order;
  const { send, close } = order.protocol === "http" ? overHttp(order) : overGrpc(order);
  const requests = new NumberedRequests(spansPerRequest);
  const behind = first + spans;
  let next = first;
  let sent = 0;
  let refusals = 0;
  const lane = async (): Promise<void> => {
    while (next < behind) {
      const request = requests.make(next);
      next += spansPerRequest;
      while (!(await send(request))) {
        refusals++;
        await sleep(pauseMs);
      }
      sent += spansPerRequest;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  close();
  return { sent, refusals };
});

function overHttp({ url, inFlight }: LoadOrder): { send: Send; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const target = new URL("/v1/traces", url);
  const send: Send = (body) =>
    new Promise((resolve, reject) => {
      const headers = { "content-type": "application/x-protobuf", "content-length": body.length };
      const request = httpRequest(target, { method: "POST", agent, headers }, (response) => {
        const { statusCode } = response;
        response.resume().on("end", () => {
          if (statusCode === 200) resolve(true);
          else if (statusCode === 429 || statusCode === 503) resolve(false);
          else reject(new Error(`the collector answered HTTP ${statusCode}`));
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  return { send, close: () => agent.destroy() };
}

function overGrpc({ url }: LoadOrder): { send: Send; close: () => void } {
  const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure());
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const busy = new Set([grpc.status.UNAVAILABLE, grpc.status.RESOURCE_EXHAUSTED]);
  const send: Send = (body) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asBytes, asBytes, body, (error) => {
        if (!error) resolve(true);
        else if (busy.has(error.code)) resolve(false);
        else reject(error);
      });
    });
  return { send, close: () => client.close() };
}

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}
