// What a server's answer to a _bulk request says about the request as a whole and about each record.

import { printable, shorten } from "../../wire/printable.ts";
import type { Outcome, Reason } from "../output.ts";
import type { Answer, NoAnswer } from "./client.ts";

export type Retry = Extract<Outcome, { kind: "retry" }>;
export interface Rejected {
  readonly kind: "rejected";
  readonly reason: Reason;
  readonly detail: string;
}
const stored = { kind: "stored" } as const;
export type ItemVerdict = { readonly kind: "stored" } | Rejected | Retry;

export type Verdict =
  /** All records of the request, without exception. */
  | { readonly kind: "stored" }
  /** One for each record of the request, in its order. */
  | { readonly kind: "items"; readonly items: readonly ItemVerdict[] }
  /** The request will never be taken, but parts of it may be. */
  | { readonly kind: "split"; readonly reason: Reason; readonly detail: string }
  | Retry;

/** What the answer shall consist of: much less to send and to parse than all of it. */
export const wantedOfAnswer = [
  "items.*.status",
  "items.*.error.type",
  "items.*.error.reason",
  "items.*.error.caused_by.reason",
  "items.*.failure_store",
].join(",");

export function judge(answer: Answer | NoAnswer, records: number): Verdict {
  if (answer.kind === "none") return retry(answer.reason, answer.detail);
  const { status } = answer;
  if (status === 413) return { kind: "split", reason: "too_large", detail: detailOf(answer) };
  // A 400 of something in front of the server says nothing about the records.
  if (status === 400 && errorIn(answer) !== undefined) {
    return { kind: "split", reason: "bad_data", detail: detailOf(answer) };
  }
  return status === 200 ? judgeItems(answer, records) : retryFor(answer);
}

/** For an answer that is neither a success nor about the content of the request. */
export function retryFor(answer: Answer | NoAnswer): Retry {
  if (answer.kind === "none") return retry(answer.reason, answer.detail);
  const { afterMs } = answer;
  const wait = afterMs === undefined ? {} : { afterMs };
  return { kind: "retry", reason: reasonFor(answer.status), detail: detailOf(answer), ...wait };
}

function reasonFor(status: number): Reason {
  switch (status) {
    case 401:
    case 403:
      return "unauthorized";
    case 404:
      return "not_found";
    case 408:
      return "timeout";
    case 429:
    case 503:
      return "busy";
    default:
      return status >= 500 ? "server_error" : "bad_answer";
  }
}

/** What a server says of a record that it has made; of nothing else as long as all is well. */
const created = Buffer.from('{"create":{"status":201}},');
const opening = Buffer.from('{"items":[');
const closing = Buffer.from("]}");
/** As many of them as there ever were in a request. */
let manyCreated = created;

/** Byte by byte, which takes a hundredth of the time that it takes to parse. */
function areAllCreated(body: Buffer, records: number): boolean {
  const items = records * created.length - 1; // no comma behind the last one
  if (records === 0 || body.length !== opening.length + items + closing.length) return false;
  if (manyCreated.length < items) manyCreated = Buffer.alloc(items + created.length, created);
  const itemsEnd = opening.length + items;
  return (
    body.compare(opening, 0, opening.length, 0, opening.length) === 0 &&
    body.compare(manyCreated, 0, items, opening.length, itemsEnd) === 0 &&
    body.compare(closing, 0, closing.length, itemsEnd) === 0
  );
}

function judgeItems(answer: Answer, records: number): Verdict {
  if (areAllCreated(answer.body, records)) return { kind: "stored" };
  const items = member(parse(answer.body), "items");
  if (!Array.isArray(items)) return retry("bad_answer", "a 200 without a list of items");
  if (items.length !== records) {
    return retry("bad_answer", `${items.length} items in the answer to ${records} records`);
  }
  const verdicts: ItemVerdict[] = [];
  for (const item of items as unknown[]) {
    const result = member(item, "create");
    const status = member(result, "status");
    if (typeof status !== "number") return retry("bad_answer", "an item without a status");
    verdicts.push(judgeItem(status, result));
  }
  return { kind: "items", items: verdicts };
}

/** 400s that somebody mends at the server; the record has nothing to do with them. */
const mendable: Readonly<Record<string, Reason>> = {
  validation_exception: "server_error", // the cluster has as many shards as it may have
  index_closed_exception: "not_found",
};

function judgeItem(status: number, result: unknown): ItemVerdict {
  if (status < 300) {
    // Put aside by the server: whoever searches the data stream does not find it.
    if (member(result, "failure_store") !== "used") return stored;
    return { kind: "rejected", reason: "bad_data", detail: "kept in the failure store only" };
  }
  if (status === 409) return stored; // by an earlier delivery: nobody else makes these ids
  const error = member(result, "error");
  const detail = describe(error, status);
  const type = member(error, "type");
  if (status === 403 && type !== "security_exception") return retry("server_error", detail); // blocked
  if ([401, 403, 404, 408, 429].includes(status) || status >= 500) {
    return retry(reasonFor(status), detail);
  }
  const mend = typeof type === "string" && Object.hasOwn(mendable, type) && mendable[type];
  if (mend) return retry(mend, detail);
  return { kind: "rejected", reason: status === 413 ? "too_large" : "bad_data", detail };
}

/** Whether the same request may do better later. */
export function isPassing(status: number): boolean {
  return status === 401 || status === 429 || status >= 500;
}

function retry(reason: Reason, detail: string): Retry {
  return { kind: "retry", reason, detail };
}

/** Status, type and reason of an error answer. */
export function detailOf(answer: Answer): string {
  return describe(errorIn(answer), answer.status);
}

function errorIn(answer: Answer): unknown {
  return member(parse(answer.body), "error");
}

const longestDetail = 400;

/** `400 document_parsing_exception: failed to parse …` */
function describe(error: unknown, status: number): string {
  const cause = member(member(error, "caused_by"), "reason");
  const parts = [member(error, "type"), member(error, "reason"), cause];
  const text = [status, parts.filter((part) => typeof part === "string").join(": ")].join(" ");
  return shorten(printable(text.trim()), longestDetail);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
