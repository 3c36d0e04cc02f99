// What OTLP/HTTP answers: in the request's own encoding, for success and refusal alike.

import { Reply } from "../http1/reply.ts";
import type { Signal } from "../wire/batch.ts";
import { encodeResponse } from "./export-response.ts";
import type { Answer } from "./intake.ts";
import { encodeStatus, type RpcStatus, statusAsJson, statusOf } from "./rpc-status.ts";

export const encodings = ["application/x-protobuf", "application/json"] as const;
export type Encoding = (typeof encodings)[number];

type Partial = NonNullable<Extract<Answer, { kind: "accepted" }>["partial"]>;

const accepted: Readonly<Record<Encoding, Reply>> = {
  "application/x-protobuf": replyIn("application/x-protobuf", 200, ""),
  "application/json": replyIn("application/json", 200, "{}"),
};

export function replyTo(answer: Answer, signal: Signal, encoding: Encoding): Reply {
  if (answer.kind !== "accepted") {
    const status = { invalid: 400, too_large: 413, unavailable: 503 }[answer.kind];
    return refusal(status, statusOf(answer), encoding);
  }
  const { partial } = answer;
  if (!partial) return accepted[encoding];
  const body =
    encoding === "application/json" ? partialAsJson(partial, signal) : encodeResponse(answer);
  return replyIn(encoding, 200, body);
}

/** Undefined where the request had an encoding that is none: people can read JSON. */
export function refusal(status: number, rpc: RpcStatus, encoding: Encoding | undefined): Reply {
  const isProtobuf = encoding === "application/x-protobuf";
  const body = isProtobuf ? encodeStatus(rpc) : statusAsJson(rpc);
  const reply = replyIn(encoding ?? "application/json", status, body);
  const { retryAfterS } = rpc;
  return retryAfterS === undefined ? reply : reply.with({ "retry-after": String(retryAfterS) });
}

function replyIn(encoding: Encoding, status: number, body: Uint8Array | string): Reply {
  return new Reply({ status, headers: { "content-type": encoding }, body });
}

const rejectedName: Readonly<Record<Signal, string>> = {
  traces: "rejectedSpans",
  metrics: "rejectedDataPoints",
  logs: "rejectedLogRecords",
};

function partialAsJson({ rejected, message }: Partial, signal: Signal): string {
  const counted = { [rejectedName[signal]]: String(rejected), errorMessage: message };
  return JSON.stringify({ partialSuccess: counted });
}
