// Spans that can be told apart: the id of each is a mark and a number, so that the sink knows which
// arrived, which did not, and which came twice, without reading anything else of them.

import { Cursor } from "../../collector/wire/cursor.ts";
import { Leaves } from "../../collector/wire/leaves.ts";
import { sampleBatch } from "../support/otlp.ts";

const spanIdField = 2;
/** What every span id begins with, after the field's tag and its length of 8. */
const mark = Buffer.from("SPAN");
const found = Buffer.concat([Buffer.from([(spanIdField << 3) | 2, 8]), mark]);

/** Where the number of each span of a request stands; no other bytes of these spans look like that. */
export function numberOffsets(request: Buffer): number[] {
  const offsets: number[] = [];
  for (let at = request.indexOf(found); at >= 0; at = request.indexOf(found, at)) {
    at += found.length;
    offsets.push(at);
  }
  return offsets;
}

/** A request of so many spans, none of which has a number yet. Each takes about 445 bytes. */
export function unnumbered(spans: number, seed: number): Buffer {
  const request = Buffer.from(sampleBatch("traces", { items: spans, seed }).bytes);
  const leaves = new Leaves({ bytes: request });
  const span = new Cursor(request);
  while (leaves.next()) {
    span.over(leaves.start, leaves.end);
    while (span.next()) if (span.number === spanIdField) mark.copy(request, span.start);
  }
  return request;
}
