// Exponential histograms, added up and as ordinary ones: text knows no other. An exponential histogram may
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

/**
 * Two of them added, at the finest scale at which the sum is of bounded size. What lies within the wider
 * zero bucket belongs to it, as far as whole buckets do.
 */
export function addExponential(
  one: ExponentialHistogram,
  other: ExponentialHistogram,
): ExponentialHistogram {
  const zeroThreshold = Math.max(one.zeroThreshold || 0, other.zeroThreshold || 0);
  for (let scale = Math.min(one.scale, other.scale); ; scale--) {
    const positive = addRuns(
      onGrid(one.positive, one.scale - scale),
      onGrid(other.positive, other.scale - scale),
    );
    const negative = addRuns(
      onGrid(one.negative, one.scale - scale),
      onGrid(other.negative, other.scale - scale),
    );
    if (!positive || !negative) continue;
    const above = splitAtZero(positive, scale, zeroThreshold);
    const below = splitAtZero(negative, scale, zeroThreshold);
    const zeroCount = one.zeroCount + other.zeroCount + above.within + below.within;
    return { scale, zeroCount, zeroThreshold, positive: above.run, negative: below.run };
  }
}

/** A side of a sum of many; the SDKs' limit is 160. */
const mostAddedBuckets = 320;

/** Undefined where the buckets lie too far apart. */
function addRuns(one: BucketRun, other: BucketRun): BucketRun | undefined {
  const runs = [one, other].filter(({ counts }) => counts.length > 0);
  if (runs.length === 0) return one;
  const offset = Math.min(...runs.map((run) => run.offset));
  const end = Math.max(...runs.map((run) => run.offset + run.counts.length));
  if (end - offset > mostAddedBuckets) return undefined;
  const counts = Array<number>(end - offset).fill(0);
  for (const run of runs) {
    run.counts.forEach((count, at) => (counts[run.offset - offset + at]! += count));
  }
  return { offset, counts };
}

function splitAtZero(
  run: BucketRun,
  scale: number,
  threshold: number,
): { run: BucketRun; within: number } {
  const { offset, counts } = run;
  let within = 0;
  let at = 0;
  while (at < counts.length && 2 ** ((offset + at + 1) / 2 ** scale) <= threshold) {
    within += counts[at++]!;
  }
  return at === 0
    ? { run, within }
    : { run: { offset: offset + at, counts: counts.slice(at) }, within };
}

/** As a native histogram has it, whose scales are few; undefined where it is too coarse for one. */
export function asNative(histogram: ExponentialHistogram): ExponentialHistogram | undefined {
  const { scale, positive, negative } = histogram;
  if (scale < leastNativeScale) return undefined;
  if (scale <= mostNativeScale) return histogram;
  const halvings = scale - mostNativeScale;
  return {
    ...histogram,
    scale: mostNativeScale,
    positive: onGrid(positive, halvings),
    negative: onGrid(negative, halvings),
  };
}

const leastNativeScale = -4;
const mostNativeScale = 8;
