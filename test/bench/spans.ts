// Spans that can be told apart: each carries a number in the last four bytes of its span id, so that the
// sink knows which arrived, which did not, and which came twice.

import { Cursor } from "../../collector/wire/cursor.ts";
import { Leaves } from "../../collector/wire/leaves.ts";
import { sampleBatch } from "../support/otlp.ts";

const spanIdField = 2;
const numberAt = 4;

/** Where the number of each span of a request stands. */
export function numberOffsets(request: Uint8Array): number[] {
  const offsets: number[] = [];
  const leaves = new Leaves({ bytes: request });
  const span = new Cursor(request);
  while (leaves.next()) {
    span.over(leaves.start, leaves.end);
    while (span.next()) if (span.number === spanIdField) offsets.push(span.start + numberAt);
  }
  return offsets;
}

/** Makes requests of numbered spans from a few that are prepared, which costs hardly more than a copy. */
export class NumberedRequests {
  readonly #spansPerRequest: number;
  readonly #templates: readonly { readonly bytes: Buffer; readonly offsets: readonly number[] }[];

  constructor(spansPerRequest: number) {
    this.#spansPerRequest = spansPerRequest;
    this.#templates = [1, 2, 3, 4].map((seed) => {
      const bytes = Buffer.from(sampleBatch("traces", { items: spansPerRequest, seed }).bytes);
      return { bytes, offsets: numberOffsets(bytes) };
    });
  }

  /** Spans numbered from `first` on. */
  make(first: number): Buffer {
    const which = (first / this.#spansPerRequest) % this.#templates.length;
    const { bytes, offsets } = this.#templates[Math.floor(which)]!;
    const request = Buffer.from(bytes);
    offsets.forEach((offset, index) => request.writeUInt32BE(first + index, offset));
    return request;
  }
}
