// A histogram whose buckets grow by a constant factor, 2 ** (2 ** -scale), as OTLP defines it: it fits
// itself to what is recorded, halving its resolution when that spreads further than the buckets reach.

import type { ExponentialHistogram } from "@opentelemetry/sdk-metrics";

/** As many as OpenTelemetry has where nothing else is asked for. */
export const usualSize = 160;
export const finestScale = 20;

/** What of it a reader has been given. */
export interface ExponentialCounts {
  readonly scale: number;
  readonly zeroCount: number;
  /** Of the first bucket; bucket i has values in (base ** i, base ** (i + 1)]. */
  readonly offset: number;
  readonly counts: readonly number[];
}

export class Exponential implements ExponentialCounts {
  scale = finestScale;
  zeroCount = 0;
  offset = 0;
  counts: number[] = [];
  readonly #maxSize: number;

  constructor(maxSize = usualSize) {
    this.#maxSize = maxSize;
  }

  /** Nothing below zero: these are durations. */
  record(value: number): void {
    if (!(value > 0)) {
      this.zeroCount++;
      return;
    }
    let index = indexOf(value, this.scale);
    if (this.counts.length === 0) {
      this.offset = index;
      this.counts.push(1);
      return;
    }
    const low = Math.min(this.offset, index);
    const high = Math.max(this.offset + this.counts.length - 1, index);
    let by = 0;
    while ((high >> by) - (low >> by) >= this.#maxSize) by++;
    if (by > 0) {
      const { offset, counts } = coarser(this, by);
      [this.offset, this.counts, this.scale] = [offset, counts, this.scale - by];
      index = indexOf(value, this.scale);
    }
    while (index < this.offset) {
      this.counts.unshift(0);
      this.offset--;
    }
    while (index >= this.offset + this.counts.length) this.counts.push(0);
    this.counts[index - this.offset]!++;
  }

  /** What has come since; all of it without `given`. */
  since(given: ExponentialCounts | undefined): ExponentialCounts {
    const { scale, zeroCount, offset } = this;
    const counts = [...this.counts];
    if (!given) return { scale, zeroCount, offset, counts };
    const before = given.counts.length > 0 ? coarser(given, given.scale - scale) : given;
    for (const [at, count] of before.counts.entries())
      counts[before.offset + at - offset]! -= count;
    return { scale, zeroCount: zeroCount - given.zeroCount, offset, counts };
  }
}

export interface ExponentialLimits {
  readonly maxSize: number;
  readonly maxScale: number;
}

/** The same within these limits, which is what would have been counted under them: steps down lose no count. */
export function fitted(
  histogram: ExponentialHistogram,
  { maxSize, maxScale }: ExponentialLimits,
): ExponentialHistogram {
  const { scale, positive, negative } = histogram;
  const isTooWide = ({ offset, bucketCounts }: typeof positive): boolean =>
    ((offset + bucketCounts.length - 1) >> by) - (offset >> by) >= maxSize;
  let by = Math.max(0, scale - maxScale);
  while (isTooWide(positive) || isTooWide(negative)) by++;
  if (by === 0) return histogram;
  const joined = ({ offset, bucketCounts }: typeof positive): typeof positive => {
    const { offset: start, counts } = coarser({ offset, counts: bucketCounts }, by);
    return { offset: start, bucketCounts: counts };
  };
  return {
    ...histogram,
    scale: scale - by,
    positive: joined(positive),
    negative: joined(negative),
  };
}

function indexOf(value: number, scale: number): number {
  return Math.ceil(Math.log2(value) * 2 ** scale) - 1;
}

/** The same in buckets that are 2 ** `by` times as wide in the exponent. */
function coarser({ offset, counts }: Pick<ExponentialCounts, "offset" | "counts">, by: number) {
  const merged: number[] = [];
  for (const [at, count] of counts.entries()) {
    const to = ((offset + at) >> by) - (offset >> by);
    merged[to] = (merged[to] ?? 0) + count;
  }
  return { offset: offset >> by, counts: merged };
}
