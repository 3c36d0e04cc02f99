// What an OTLP server's answer means, whichever transport brought it.

import { Cursor } from "../../wire/cursor.ts";
import { printable } from "../../wire/printable.ts";
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
      if (partial.number === 2) detail = printable(partial.text());
    }
  }
  return outcomeOfPartial(rejected, detail);
}

/** From servers that answer in JSON whatever they are sent. */
export function outcomeOfJson(body: Uint8Array): Outcome {
  try {
    const answer = JSON.parse(Buffer.from(body).toString()) as JsonAnswer | null; // asked with care
    const partial = answer?.partialSuccess ?? {};
    const { rejectedSpans, rejectedDataPoints, rejectedLogRecords, errorMessage } = partial;
    const rejected = Number(rejectedSpans ?? rejectedDataPoints ?? rejectedLogRecords ?? 0);
    const message = typeof errorMessage === "string" ? printable(errorMessage) : "";
    return outcomeOfPartial(rejected, message);
  } catch {
    return { kind: "delivered" };
  }
}

interface JsonAnswer {
  readonly partialSuccess?: Readonly<Record<string, unknown>>;
}

function outcomeOfPartial(rejected: number, message: string): Outcome {
  if (!(rejected >= 1)) return { kind: "delivered" };
  const detail = message.slice(0, longestMessage);
  return { kind: "rejected", reason: "partial_success", detail, items: Math.floor(rejected) };
}

const longestMessage = 500;

/** Characters that would spoil a line take more room once they are spelt out. */
const shown = (text: string): string =>
  printable(text.slice(0, longestMessage)).slice(0, longestMessage);

/** The message of a google.rpc.Status, or the beginning of whatever else was answered. */
export function messageOf(body: Uint8Array): string {
  if (isReadable(RpcStatus, body)) {
    const status = new Cursor(body);
    while (status.next()) {
      if (status.number === 2) return shown(status.text());
    }
  }
  return shown(Buffer.from(body).toString("utf8", 0, longestMessage));
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
