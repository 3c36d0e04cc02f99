// Splits one metric by its points: each piece keeps name, description, unit and metadata, and what the
// points share — temporality, whether it is monotonic.
//
//   metric › 1 name, 2 description, 3 unit, 12 metadata, and one of
//     5 gauge, 7 sum, 9 histogram, 10 exponential histogram, 11 summary › 1 point, 2 and 3 what they share

import { Cursor } from "./cursor.ts";
import { Writer } from "./writer.ts";

export interface SplitLimits {
  readonly maxItems: number;
  /** A single leaf, or a single point of a metric, may be larger: it comes alone. */
  readonly maxBytes: number;
}

/** A leaf, or a part of one. */
export interface Piece {
  readonly items: number;
  /** Where it stands with tag and length, as in its scope. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The metric itself where it is within limits, or cannot be split. */
export function* piecesOfMetric(metric: Cursor, limits: SplitLimits): Generator<Piece> {
  const { bytes, fieldStart, end } = metric;
  const look = new Cursor(bytes, metric.start, end);
  const kinds = new Set<number>();
  let items = 0;
  while (look.next()) {
    if (!dataFields.has(look.number)) continue;
    kinds.add(look.number);
    items += pointsIn(look);
  }
  const [kind] = kinds;
  // Of several kinds of data in one metric only the last counts; apart, each would.
  const isDivisible = kind !== undefined && kinds.size === 1 && items > 1;
  const isWithin = items <= limits.maxItems && end - fieldStart <= limits.maxBytes;
  if (!isDivisible || isWithin) yield { items, bytes, start: fieldStart, end };
  else yield* piecesByPoints(metric, kind, limits);
}

const dataFields: ReadonlySet<number> = new Set([5, 7, 9, 10, 11]);

function pointsIn({ bytes, start, end }: Cursor): number {
  const fields = new Cursor(bytes, start, end);
  let points = 0;
  while (fields.next()) if (fields.number === 1) points++;
  return points;
}

/** Of the metric and of its data, a tag of one byte and a length of at most five each. */
const mostHeadBytes = 12;

function* piecesByPoints(metric: Cursor, kind: number, limits: SplitLimits): Generator<Piece> {
  const { description, shared } = describe(metric, kind);
  const room = limits.maxBytes - description.length - shared.length - mostHeadBytes;
  const writer = new Writer();
  let points: Uint8Array[] = [];
  let bytes = 0;
  const finish = (): Piece => {
    writer.begin(2);
    writer.raw(description);
    writer.begin(kind);
    writer.raw(shared);
    for (const point of points) writer.raw(point);
    writer.end();
    writer.end();
    const written = writer.finish();
    const piece = { items: points.length, bytes: written, start: 0, end: written.length };
    points = [];
    bytes = 0;
    return piece;
  };
  const fields = new Cursor(metric.bytes, metric.start, metric.end);
  const data = new Cursor(metric.bytes, 0, 0);
  while (fields.next()) {
    if (fields.number !== kind) continue;
    data.over(fields.start, fields.end);
    while (data.next()) {
      if (data.number !== 1) continue;
      const point = data.bytes.subarray(data.fieldStart, data.end);
      const isFull = points.length >= limits.maxItems || bytes + point.length > room;
      if (isFull && points.length > 0) yield finish();
      points.push(point);
      bytes += point.length;
    }
  }
  yield finish();
}

/** All fields of the metric but its data, and all of the data but the points. */
function describe(metric: Cursor, kind: number): { description: Uint8Array; shared: Uint8Array } {
  const description = new Writer();
  const shared = new Writer();
  const { bytes } = metric;
  const fields = new Cursor(bytes, metric.start, metric.end);
  const data = new Cursor(bytes, 0, 0);
  while (fields.next()) {
    if (fields.number !== kind) {
      description.raw(bytes.subarray(fields.fieldStart, fields.end));
      continue;
    }
    data.over(fields.start, fields.end);
    while (data.next()) {
      if (data.number !== 1) shared.raw(bytes.subarray(data.fieldStart, data.end));
    }
  }
  return { description: description.finish(), shared: shared.finish() };
}
