// What a receiver says to a request over HTTP.

import type { Answer } from "./sender.ts";

export interface Answered {
  readonly status: number;
  readonly message: string;
  readonly retryAfter: string | undefined;
  /** The first characters of the body. */
  readonly text: string;
}

export function answerOf({ status, message, retryAfter, text }: Answered): Answer {
  if (status < 300) return { kind: "delivered" };
  const detail = `${status} ${message} ${wordsIn(text)}`.trimEnd();
  if (![429, 502, 503, 504].includes(status)) return { kind: "refused", detail };
  const afterMs = Number(retryAfter) * 1000;
  return afterMs > 0
    ? { kind: "failed", detail, afterMs: Math.min(afterMs, 60_000) }
    : { kind: "failed", detail };
}

/** It may be protobuf: what a person can read of that stands between bytes that are no text. */
function wordsIn(answer: string): string {
  return answer
    .slice(0, mostText)
    .replaceAll(/[^ -~]+/g, " ")
    .trim();
}

/** The body matters only where the target refuses, and then its beginning is enough. */
export const mostText = 200;
