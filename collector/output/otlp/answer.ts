// What an OTLP server's answer means, whichever transport brought it.

import { Cursor } from "../../wire/cursor.ts";
import { printable } from "../../wire/printable.ts";
import { ExportResponse } from "../../wire/schema.ts";
import { isReadable } from "../../wire/validate.ts";
import { longestMessage } from "../http-outcome.ts";
import type { Outcome } from "../output.ts";

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
