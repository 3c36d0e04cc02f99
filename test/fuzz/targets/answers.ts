// What servers answer to our outputs.

import { deepStrictEqual } from "node:assert";
import { judge } from "../../../collector/output/elasticsearch/answer.ts";
import { longestMessage, messageOf } from "../../../collector/output/http-outcome.ts";
import { outcomeOfSuccess } from "../../../collector/output/otlp/answer.ts";
import { retryAfterMs } from "../../../collector/output/retry-after.ts";
import { encodeStatus } from "../../../collector/receive/rpc-status.ts";
import { printable } from "../../../collector/wire/printable.ts";
import { decodeMessage, encodeResponse } from "../../support/otlp.ts";
import type { Random } from "../random.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "otlp-answer",
    covers: [
      "collector/output/otlp/answer.ts",
      "collector/output/http-outcome.ts",
      "collector/wire/validate.ts",
    ],
    shape: "protobuf",
    seeds: otlpAnswers,
    run: readOtlp,
    inspect: compareOtlp,
  },
  {
    name: "elasticsearch-answer",
    covers: ["collector/output/elasticsearch/answer.ts"],
    shape: "text",
    seeds: elasticsearchAnswers,
    words: ['{"create":{"status":429}}', '"error":{"type":', "security_exception"],
    run: readElasticsearch,
  },
  {
    name: "retry-after",
    covers: ["collector/output/retry-after.ts"],
    shape: "text",
    maxBytes: 64,
    seeds: () => [Buffer.from("Fri, 31 Dec 1999 23:59:59 GMT")],
    run: readRetryAfter,
  },
];

function otlpAnswers(): Uint8Array[] {
  const partial = { rejectedSpans: "3", errorMessage: "three were too old" };
  return [
    encodeResponse("traces", {}),
    encodeResponse("traces", { partialSuccess: partial }),
    encodeResponse("traces", { partialSuccess: { errorMessage: "a warning" } }),
    encodeStatus({ code: 14, message: "busy", retryAfterS: 5 }),
    Buffer.from("<html>502 Bad Gateway</html>"),
  ];
}

function readOtlp(input: Uint8Array): boolean {
  const outcome = outcomeOfSuccess(input);
  const isSane = outcome.kind === "delivered" || (outcome.kind === "rejected" && outcome.items > 0);
  demand(isSane, () => JSON.stringify(outcome));
  demand(messageOf(input).length <= 500, () => "a message without end");
  return outcome.kind === "rejected";
}

function compareOtlp(input: Uint8Array, isTaken: boolean): void {
  if (!isTaken) return;
  const { partialSuccess } = decodeMessage("ExportTraceServiceResponse", input) as {
    partialSuccess?: { rejectedSpans?: string; errorMessage?: string };
  };
  deepStrictEqual(outcomeOfSuccess(input), {
    kind: "rejected",
    reason: "partial_success",
    detail: printable(partialSuccess?.errorMessage ?? "").slice(0, longestMessage),
    items: Number(partialSuccess?.rejectedSpans),
  });
}

const statuses = [200, 201, 301, 400, 401, 403, 404, 408, 409, 413, 429, 500, 503];

function elasticsearchAnswers(random: Random): Uint8Array[] {
  const error = { type: "document_parsing_exception", reason: "r", caused_by: { reason: "c" } };
  return Array.from({ length: 30 }, () => {
    const isWell = random.once(4);
    const items = Array.from({ length: random.below(4) }, () => {
      if (isWell) return { create: { status: 201 } };
      const status = random.of(statuses);
      const store = random.once(4) ? { failure_store: "used" } : {};
      return { create: status < 300 ? { status, ...store } : { status, error } };
    });
    const body = random.once(4) ? { error, status: 400 } : { items };
    const head = [random.once(2) ? 0 : random.below(statuses.length), items.length];
    return Buffer.concat([Uint8Array.from(head), Buffer.from(JSON.stringify(body))]);
  });
}

/** The first byte chooses the status, the second says how many records were sent. */
function readElasticsearch(input: Uint8Array): boolean {
  const [which = 0, records = 0] = input;
  const status = statuses[which % statuses.length]!;
  const body = Buffer.from(input.subarray(2));
  const verdict = judge({ kind: "answer", status, body, afterMs: undefined }, records);
  if (verdict.kind === "stored") {
    const list = JSON.parse(body.toString()) as { items: object[] };
    demand(list.items.length === records, () => `${records} records are not stored`);
    return true;
  }
  const isSane =
    verdict.kind === "items" ? verdict.items.length === records : isShort(verdict.detail);
  demand(isSane, () => JSON.stringify(verdict));
  if (verdict.kind !== "items") return false;
  for (const item of verdict.items) {
    demand(item.kind === "stored" || isShort(item.detail), () => JSON.stringify(item));
  }
  return true;
}

const isShort = (detail: string): boolean => detail.length <= 400 && !/\p{Cc}/u.test(detail);

function readRetryAfter(input: Uint8Array): boolean {
  const ms = retryAfterMs(Buffer.from(input).toString("latin1"));
  demand(ms === undefined || (ms >= 0 && ms <= 300_000), () => `waits for ${ms} ms`);
  return ms !== undefined;
}
