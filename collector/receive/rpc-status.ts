// google.rpc.Status: what an OTLP server says when it does not take a request.

import { Writer } from "../wire/writer.ts";
import type { Answer } from "./intake.ts";

export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly retryAfterS?: number;
}

export const rpcCodes = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export function statusOf(answer: Exclude<Answer, { kind: "accepted" }>): RpcStatus {
  const { message } = answer;
  switch (answer.kind) {
    case "invalid":
      return { code: rpcCodes.invalidArgument, message };
    case "too_large":
      return { code: rpcCodes.resourceExhausted, message };
    case "unavailable":
      return { code: rpcCodes.unavailable, message, retryAfterS: answer.retryAfterS };
  }
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
