// What an OTLP server's answer means, whichever transport brought it.

import { Cursor } from "../../wire/cursor.ts";
import { ExportResponse, RpcStatus } from "../../wire/schema.ts";
import { isReadable } from "../../wire/validate.ts";
import type { Outcome, Reason } from "../output.ts";

/** An accepted request may still say that some items were not taken; what cannot be read says nothing. */
export function outcomeOfSuccess(body: Uint8Array): Outcome {
  if (!isReadable(ExportResponse, body)) return { kind: "delivered" };
  let rejected = 0;
  let detail = "";
  const response = new Cursor(body);
  while (response.next()) {
    if (response.number !== 1) continue;
    const partial = new Cursor(body, response.start, response.end);
    while (partial.next()) {
      if (partial.number === 1) rejected = Number(partial.int64());
      if (partial.number === 2) detail = partial.text();
    }
  }
  if (rejected <= 0) return { kind: "delivered" };
  return { kind: "rejected", reason: "partial_success", detail, items: rejected };
}

/** The message of a google.rpc.Status, or the beginning of whatever else was answered. */
export function messageOf(body: Uint8Array): string {
  const longest = 500;
  if (isReadable(RpcStatus, body)) {
    const status = new Cursor(body);
    while (status.next()) if (status.number === 2) return status.text().slice(0, longest);
  }
  return Buffer.from(body).toString("utf8", 0, longest);
}

export const retry = (reason: Reason, detail: string, afterMs?: number): Outcome =>
  afterMs === undefined
    ? { kind: "retry", reason, detail }
    : { kind: "retry", reason, detail, afterMs };

export const reject = (reason: Reason, detail: string, items: number): Outcome => ({
  kind: "rejected",
  reason,
  detail,
  items,
});
