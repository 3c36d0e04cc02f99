// What the Elasticsearch output writes of a request, for the tests of its documents.

import {
  Bulk,
  type Documents,
  Progress,
  Remaining,
} from "../../../collector/output/elasticsearch/bulk.ts";
import { destinationsOf } from "../../../collector/output/elasticsearch/destinations.ts";
import { documentsOf } from "../../../collector/output/elasticsearch/documents.ts";
import { fieldNames } from "../../../collector/output/elasticsearch/field-names.ts";
import { LogDocuments } from "../../../collector/output/elasticsearch/log-documents.ts";
import { settings } from "../../../collector/output/elasticsearch/settings.ts";
import type { Signal } from "../../../collector/wire/batch.ts";
import {
  encodeRequest,
  type LogRecord,
  type Request,
  type Resource,
  type Scope,
} from "../../support/otlp.ts";

/** When the records came to us. */
export const came = Date.parse("2026-01-20T12:34:56.789Z");

export const nano = (ms: number): string => String(BigInt(ms) * 1_000_000n);

/** Settings. */
type Given = {
  readonly index?: string;
  readonly fields?: "ecs";
  readonly isQuick?: boolean;
  readonly signal?: Signal;
};
type Group = { readonly resource?: Resource; readonly scope?: Scope };

/** Records, of which the last may be the group that they stand in. */
export function request(...given: (LogRecord | Group)[]): Request {
  const last = given.at(-1);
  const group: Group =
    last && ("resource" in last || "scope" in last) ? (given.pop() as Group) : {};
  const { resource, scope } = group;
  const scopeLogs = [{ ...(scope ? { scope } : {}), logRecords: given as LogRecord[] }];
  return { resourceLogs: [{ ...(resource ? { resource } : {}), scopeLogs }] };
}

export function textOf(request: Request, given: Given = {}): string {
  const { signal = "logs" } = given;
  const bytes = encodeRequest(signal, request);
  const items = 10_000;
  const batch = { signal, bytes, items } as const;
  const entries = [{ position: 40, batch, atMs: came }];
  const delivery = { signal, entries, items, bytes: bytes.length } as const;
  const documents = documentsFor(given);
  const bulk = new Bulk(documents);
  bulk.load(new Remaining(delivery, new Progress(delivery), documents), Number.MAX_SAFE_INTEGER);
  return Buffer.from(bulk.body(0, bulk.records)).toString();
}

export function documentsFor({ isQuick = true, signal = "logs", ...more }: Given): Documents {
  const parsed = settings.parse({ url: "http://localhost:9200", signals: [signal], ...more });
  if (isQuick) return documentsOf(signal, parsed, "log-1");
  return new LogDocuments({
    destinations: destinationsOf(parsed, signal),
    names: fieldNames[parsed.fields],
    logId: "log-1",
    isQuick,
  });
}

export interface Line {
  readonly action: { create: { _index: string; _id: string } };
  readonly document: Record<string, unknown>;
}

export function linesOf(request: Request, given?: Given): Line[] {
  const lines = textOf(request, given).trimEnd().split("\n");
  return lines.flatMap((line, at) =>
    at % 2 === 0 ? [{ action: JSON.parse(line), document: JSON.parse(lines[at + 1]!) }] : [],
  );
}
