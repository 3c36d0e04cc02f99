// Exponential histograms as ordinary ones: the text format knows no other. An exponential histogram may
// have 160 buckets a side and halves their number whenever its values spread, and every bucket is a
// series to Prometheus, whose functions want the same buckets from scrape to scrape. So all are brought
// to one coarse grid, four buckets for a doubling (19 % apart), which scales of 2 and more share.

export interface BucketRun {
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface ExponentialHistogram {
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: BucketRun;
  readonly negative: BucketRun;
}

const finestScale = 2;
const leastScale = -10;
const mostScale = 20;

/**
 * Fills in bounds and counts, the last of which is for what lies beyond the last bound; or says what
 * is wrong.
 *
 *   -b^2   -b^1   -b^0      0      b^0    b^1    b^2      bounds: upper ones, and the lowest edge
 *    ┊ neg 1 │ neg 0 │  …  zero  … ┊ pos 0 │ pos 1 │
 */
export function explicitBuckets(
  { scale, zeroCount, zeroThreshold, positive, negative }: ExponentialHistogram,
  into: { readonly bounds: number[]; readonly counts: number[] },
  maxBuckets: number,
): string | undefined {
  if (scale < leastScale || scale > mostScale) {
    return `scale ${scale}, which is not in ${leastScale}..${mostScale}`;
  }
  const grid = Math.min(scale, finestScale);
  const above = onGrid(positive, scale - grid);
  const below = onGrid(negative, scale - grid);
  if (above.counts.length + below.counts.length + 3 > maxBuckets) {
    return `more than ${maxBuckets} buckets`;
  }
  const edge = (index: number): number => 2 ** (index / 2 ** grid);
  const { bounds, counts } = into;
  bounds.length = counts.length = 0;
  const add = (bound: number, count: number): void => {
    // Bounds too small or too large for a double fall together.
    if (bounds.length > 0 && bound <= bounds.at(-1)!) counts[counts.length - 1]! += count;
    else {
      bounds.push(bound);
      counts.push(count);
    }
  };
  if (below.counts.length > 0) add(-edge(below.offset + below.counts.length), 0);
  for (let at = below.counts.length - 1; at >= 0; at--) {
    add(-edge(below.offset + at), below.counts[at]!);
  }
  const lowest = above.counts.length > 0 ? edge(above.offset) : Number.POSITIVE_INFINITY;
  add(Math.min(Math.max(zeroThreshold, 0) || 0, lowest), zeroCount);
  if (above.counts.length > 0) add(lowest, 0);
  for (let at = 0; at < above.counts.length; at++) {
    add(edge(above.offset + at + 1), above.counts[at]!);
  }
  if (bounds.at(-1) === Number.POSITIVE_INFINITY) bounds.pop();
  else counts.push(0);
  if (bounds[0] === Number.NEGATIVE_INFINITY) {
    bounds.shift();
    counts.splice(0, 2, counts[0]! + counts[1]!);
  }
  return undefined;
}

/** Without the empty buckets at both ends; `halvings` of the number of buckets. */
function onGrid({ offset, counts }: BucketRun, halvings: number): BucketRun {
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return { offset: 0, counts: [] };
  const last = counts.findLastIndex((count) => count > 0);
  const place = (at: number): number => Math.floor((offset + at) / 2 ** halvings);
  const coarse = Array<number>(place(last) - place(first) + 1).fill(0);
  for (let at = first; at <= last; at++) coarse[place(at) - place(first)]! += counts[at]!;
  return { offset: place(first), counts: coarse };
}

interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/**
 * Buckets of two points that lie on the grid, added. A bucket ends at its bound, so what the union puts
 * between two bounds stays true of both.
 */
export function addBuckets(one: Buckets, other: Buckets): { bounds: number[]; counts: number[] } {
  const bounds: number[] = [];
  const counts: number[] = [];
  let at = 0;
  let otherAt = 0;
  while (at < one.bounds.length || otherAt < other.bounds.length) {
    const bound = one.bounds[at] ?? Number.POSITIVE_INFINITY;
    const otherBound = other.bounds[otherAt] ?? Number.POSITIVE_INFINITY;
    const least = Math.min(bound, otherBound);
    bounds.push(least);
    const count = bound === least ? one.counts[at++]! : 0;
    counts.push(count + (otherBound === least ? other.counts[otherAt++]! : 0));
  }
  counts.push(one.counts.at(-1)! + other.counts.at(-1)!);
  return { bounds, counts };
}
