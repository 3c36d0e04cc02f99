// google.rpc.Status: what an OTLP server says when it does not take a request.

import { Writer } from "../wire/writer.ts";
import type { Answer } from "./intake.ts";

export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** Those of google.rpc.Code that are used here; gRPC has the same numbers. */
export const rpcCodes = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export function statusOf(answer: Exclude<Answer, { kind: "accepted" }>): RpcStatus {
  const { kind, message } = answer;
  if (kind === "unavailable") {
    return { code: rpcCodes.unavailable, message, retryAfterS: answer.retryAfterS };
  }
  const code = kind === "invalid" ? rpcCodes.invalidArgument : rpcCodes.resourceExhausted;
  return { code, message };
}

export function encodeStatus({ code, message, retryAfterS }: RpcStatus): Uint8Array {
  const writer = new Writer(256);
  writer.uint(1, code);
  writer.text(2, message);
  if (retryAfterS !== undefined) {
    writer.begin(3); // details: Any
    writer.text(1, "type.googleapis.com/google.rpc.RetryInfo");
    writer.begin(2); // value: RetryInfo
    writer.begin(1); // retry_delay: Duration
    writer.uint(1, retryAfterS);
    writer.end();
    writer.end();
    writer.end();
  }
  return writer.finish();
}
