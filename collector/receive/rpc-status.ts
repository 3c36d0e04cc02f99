// google.rpc.Status: what an OTLP server says when it does not take a request, with what is known beyond
// the message: when to come back (RetryInfo), or what was wrong (BadRequest).

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
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export function statusOf(answer: Exclude<Answer, { kind: "accepted" }>): RpcStatus {
  const { kind, message } = answer;
  if (kind === "unavailable") {
    return { code: rpcCodes.unavailable, message, retryAfterS: answer.retryAfterS };
  }
  const code = kind === "invalid" ? rpcCodes.invalidArgument : rpcCodes.resourceExhausted;
  return { code, message };
}

const retryInfo = "type.googleapis.com/google.rpc.RetryInfo";
const badRequest = "type.googleapis.com/google.rpc.BadRequest";

export function encodeStatus({ code, message, retryAfterS }: RpcStatus): Uint8Array {
  const writer = new Writer(256);
  writer.uint(1, code);
  writer.text(2, message);
  if (retryAfterS !== undefined) {
    encodeDetail(writer, retryInfo, () => {
      writer.begin(1); // retry_delay: Duration
      writer.uint(1, retryAfterS);
      writer.end();
    });
  }
  if (code === rpcCodes.invalidArgument) {
    encodeDetail(writer, badRequest, () => {
      writer.begin(1); // field_violations
      writer.text(2, message); // description
      writer.end();
    });
  }
  return writer.finish();
}

/** As protobuf's own JSON has it. */
export function statusAsJson({ code, message, retryAfterS }: RpcStatus): string {
  const details: object[] = [];
  if (retryAfterS !== undefined)
    details.push({ "@type": retryInfo, retryDelay: `${retryAfterS}s` });
  if (code === rpcCodes.invalidArgument) {
    details.push({ "@type": badRequest, fieldViolations: [{ description: message }] });
  }
  return JSON.stringify({ code, message, ...(details.length > 0 ? { details } : {}) });
}

function encodeDetail(writer: Writer, type: string, value: () => void): void {
  writer.begin(3); // details: Any
  writer.text(1, type);
  writer.begin(2);
  value();
  writer.end();
  writer.end();
}
