// What a refusal over HTTP means, where the server has no more to say than its status and a message: what
// may pass (retry), and what never will (rejected). A wrong address or credential is for a person to mend
// and not a reason to give data up, so it is retried.

import { Cursor } from "../wire/cursor.ts";
import { printable } from "../wire/printable.ts";
import { RpcStatus } from "../wire/schema.ts";
import { isReadable } from "../wire/validate.ts";
import type { Answer } from "./http-client.ts";
import type { Outcome, Reason } from "./output.ts";

/** Of any answer that is no success. */
export function outcomeOfRefusal(answer: Answer, items: number): Outcome {
  const { status, headers, body, afterMs } = answer;
  const detail = `HTTP ${status} ${messageOf(body)}`.trim();
  switch (status) {
    case 429:
    case 503:
      return retry("busy", detail, afterMs);
    case 401:
    case 403:
    case 407:
      return retry("unauthorized", detail);
    case 404:
    case 405:
      return retry("not_found", detail);
    case 408:
      return retry("timeout", detail, afterMs);
    case 413:
      return reject("too_large", detail, items);
    default:
      if (status >= 500) return retry("server_error", detail, afterMs);
      if (status >= 400) return reject("bad_data", detail, items);
      // A redirect is not followed: it could lead headers with credentials to another host.
      return retry(
        "bad_answer",
        `HTTP ${status} to ${headers["location"] ?? "nowhere"}`.slice(0, 500),
      );
  }
}

export const longestMessage = 500;

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
