// Exemplars of points: the last one of a counter, and of each bucket of a histogram, is kept.

import { Cursor } from "../../wire/cursor.ts";
import { attributesIn, type Labels } from "./labels.ts";
import type { Point } from "./point.ts";
import {
  type Budget,
  type Exemplar,
  exemplarSize,
  maxExemplarLength,
  NumberSeries,
  type Series,
} from "./series.ts";

/** One for which there is no room is left out, which costs nobody a number. */
export function takeExemplars(
  series: Series,
  { exemplars }: Point,
  { bytes, budget, labels }: { bytes: Uint8Array; budget: Budget; labels: Labels },
): void {
  for (let at = 0; at < exemplars.length; at += 2) {
    const exemplar = read(bytes, exemplars[at]!, exemplars[at + 1]!, labels);
    if (series instanceof NumberSeries) {
      if (isOlder(exemplar, series.exemplar)) continue;
      if (!series.exemplar && !budget.take(exemplarSize)) continue;
      series.exemplar = exemplar;
      continue;
    }
    const place = bucketOf(series.buckets.bounds, exemplar.value);
    const kept = series.exemplars?.[place];
    if (isOlder(exemplar, kept)) continue;
    if (!kept && !budget.take(exemplarSize)) continue;
    series.exemplars ??= Array<Exemplar | undefined>(series.counts.length).fill(undefined);
    series.exemplars[place] = exemplar;
  }
}

const isOlder = (one: Exemplar, kept: Exemplar | undefined): boolean =>
  Number.isNaN(one.value) || (kept !== undefined && one.time < kept.time);

/** The first whose bound is not below the value. */
function bucketOf(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function read(bytes: Uint8Array, start: number, end: number, labels: Labels): Exemplar {
  let value = 0;
  let time = 0;
  let traceId = "";
  let spanId = "";
  const fields = new Cursor(bytes, start, end);
  while (fields.next()) {
    if (fields.number === 2) time = fields.roundedAt(0);
    else if (fields.number === 3) value = fields.double();
    else if (fields.number === 4) spanId = fields.hex();
    else if (fields.number === 5) traceId = fields.hex();
    else if (fields.number === 6) value = fields.roundedSigned();
  }
  const own: readonly (readonly [string, string])[] = [
    ["trace_id", traceId],
    ["span_id", spanId],
  ];
  const known = own.filter(([, id]) => id !== "");
  const others = attributesIn(bytes, { start, end }, 7);
  // What does not fit beside the ids is left out, all of it: half of it might mislead.
  const more =
    others.length > 0 ? labels.pairs(others, (name) => own.some(([id]) => id === name)) : [];
  const all = lengthOf([...known, ...more]) <= maxExemplarLength ? [...known, ...more] : known;
  return { labels: labels.text(all), value, time };
}

/** In characters, as OpenMetrics counts them. */
function lengthOf(pairs: readonly (readonly [string, string])[]): number {
  let length = 0;
  for (const [name, value] of pairs) for (const _ of name + value) length++;
  return length;
}
