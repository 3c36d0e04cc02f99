// A histogram whose buckets grow by a constant factor, 2 ** (2 ** -scale), as OTLP defines it: it fits
// itself to what is recorded, halving its resolution when that spreads further than the buckets reach.

const mostBuckets = 160;
const finestScale = 20;

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
    while ((high >> by) - (low >> by) >= mostBuckets) by++;
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

function indexOf(value: number, scale: number): number {
  return Math.ceil(Math.log2(value) * 2 ** scale) - 1;
}

/** The same in buckets that are 2 ** `by` times as wide in the exponent. */
function coarser({ offset, counts }: ExponentialCounts, by: number) {
  const merged: number[] = [];
  for (const [at, count] of counts.entries()) {
    const to = ((offset + at) >> by) - (offset >> by);
    merged[to] = (merged[to] ?? 0) + count;
  }
  return { offset: offset >> by, counts: merged };
}
