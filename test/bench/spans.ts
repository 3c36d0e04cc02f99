// Spans that can be told apart: the id of each is a mark and a number, so that the sink knows which
// arrived, which did not, and which came twice, without reading anything else of them.

import { Cursor } from "../../collector/wire/cursor.ts";
import { Leaves } from "../../collector/wire/leaves.ts";
import { sampleBatch } from "../support/otlp.ts";
import type { Counted } from "./cases.ts";

/** The same in the documents that Elasticsearch is sent, each number as eight digits. Tells how far it has read. */
export function visitDocuments(body: Buffer, visit: (number: number) => void): number {
  let read = 0;
  for (let at = body.indexOf(inDocument); at >= 0; at = body.indexOf(inDocument, at)) {
    const from = at + inDocument.length;
    if (at + behindNumber > body.length) break;
    let number = 0;
    for (let digit = 0; digit < 8; digit++) number = number * 16 + valueOf(body[from + digit]!);
    visit(number);
    read = at + behindNumber;
    at += leastDocument;
  }
  return read;
}

/** Of a digit in small letters: 0 … 9, a … f. */
const valueOf = (digit: number): number => (digit < 0x40 ? digit - 0x30 : digit - 0x57);

const inDocument = Buffer.from(`"span_id":"${Buffer.from("SPAN").toString("hex")}`);
/** From the beginning of what is looked for. */
export const behindNumber = inDocument.length + 8;
/** From one of them to the next is more: the sink need not look there. */
const leastDocument = 400;

const spanIdFields: Readonly<Record<Counted, number>> = { traces: 2, logs: 10 };
/** What every span id begins with, after the field's tag and its length of 8. */
const mark = Buffer.from("SPAN");
const founds = {
  traces: Buffer.concat([Buffer.from([(spanIdFields.traces << 3) | 2, 8]), mark]),
  logs: Buffer.concat([Buffer.from([(spanIdFields.logs << 3) | 2, 8]), mark]),
} as const;

/** Where the number of each span of a request stands; no other bytes of these spans look like that. */
export function numberOffsets(request: Buffer, signal: Counted): number[] {
  const found = founds[signal];
  const offsets: number[] = [];
  for (let at = request.indexOf(found); at >= 0; at = request.indexOf(found, at)) {
    at += found.length;
    offsets.push(at);
  }
  return offsets;
}

/** A request of so many spans, none of which has a number yet. Each takes about 445 bytes. */
export function unnumbered(spans: number, seed: number, signal: Counted): Buffer {
  const request = Buffer.from(sampleBatch(signal, { items: spans, seed }).bytes);
  const spanIdField = spanIdFields[signal];
  const leaves = new Leaves({ bytes: request });
  const span = new Cursor(request);
  while (leaves.next()) {
    span.over(leaves.start, leaves.end);
    while (span.next()) if (span.number === spanIdField) mark.copy(request, span.start);
  }
  return request;
}
