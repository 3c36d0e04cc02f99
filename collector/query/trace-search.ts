// Finds the spans of one trace in OTLP requests. Most requests do not hold it, and that is seen by a
// search for the sixteen bytes of its id; only where they stand is the request walked through.

import type { Batch } from "../wire/batch.ts";
import { Cursor } from "../wire/cursor.ts";
import { type Range, Leaves } from "../wire/leaves.ts";

export interface FoundSpan {
  readonly spanId: string;
  readonly name: string;
  readonly service: string;
}

/** From what a person wrote; undefined if it is no trace id. */
export function parseTraceId(text: string): Buffer | undefined {
  return /^[\da-f]{32}$/i.test(text) && !/^0+$/.test(text) ? Buffer.from(text, "hex") : undefined;
}

/** In the order in which they stand there. */
export function spansOf(traceId: Buffer, { signal, bytes }: Batch): readonly FoundSpan[] {
  if (signal !== "traces" || !includes(bytes, traceId)) return [];
  const found: FoundSpan[] = [];
  const leaves = new Leaves({ bytes });
  const cursor = new Cursor(bytes);
  while (leaves.next()) {
    let isMeant = false;
    let spanId = "";
    let name = "";
    cursor.over(leaves.start, leaves.end);
    while (cursor.next()) {
      if (cursor.number === 1) isMeant = traceId.equals(cursor.slice());
      else if (cursor.number === 2) spanId = cursor.hex();
      else if (cursor.number === 5) name = cursor.text();
    }
    if (isMeant) found.push({ spanId, name, service: serviceOf(bytes, leaves.resource) });
  }
  return found;
}

function includes(bytes: Uint8Array, part: Buffer): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(part);
}

function serviceOf(bytes: Uint8Array, resource: Range): string {
  const fields = new Cursor(bytes, resource.start, resource.end);
  while (fields.next()) {
    if (fields.number !== 1) continue;
    const attribute = new Cursor(bytes, fields.start, fields.end);
    let key = "";
    let service = "";
    while (attribute.next()) {
      if (attribute.number === 1) key = attribute.text();
      else if (attribute.number === 2) service = textIn(bytes, attribute);
    }
    if (key === "service.name") return service;
  }
  return "";
}

/** Of an AnyValue that holds a string. */
function textIn(bytes: Uint8Array, { start, end }: Range): string {
  const value = new Cursor(bytes, start, end);
  let text = "";
  while (value.next()) text = value.number === 1 ? value.text() : "";
  return text;
}
