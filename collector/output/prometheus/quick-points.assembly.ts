// Reads points of sums, gauges and histograms that come in the order that is expected and in a usual form,
// in AssemblyScript: `npm run wasm` makes quick-points.binary.ts of it. At the first other one it stops. Only
// for bytes that validate() has accepted.

import {
  began,
  boundsAt,
  counts,
  pointEnd,
  pointStart,
  recordsAt,
  sum,
  time,
  value,
} from "./quick-points-layout.ts";

/** Attributes of the next point; behind those that were read. */
let expected: usize = 0;
/** Of the present point, and whether its attributes are those. */
let start: u64 = 0;
let now: u64 = 0;
let isKnown = false;

export function reached(): usize {
  return expected;
}

/** How many points it has read of the fields between the two: at most so many. */
export function read(
  boundCount: u32,
  begin: usize,
  end: usize,
  firstExpected: usize,
  expectedEnd: usize,
  most: u32,
): u32 {
  expected = firstExpected;
  const recordBytes = (counts + (boundCount > 0 ? boundCount + 1 : 0)) << 3;
  let record: usize = recordsAt;
  let points: u32 = 0;
  let at = begin;
  while (points < most && at < end && expected < expectedEnd) {
    const tag: u32 = load<u8>(at);
    if (tag != 0x0a) {
      // Temporality and whether a sum is monotonic may stand anywhere; they are known already.
      if ((tag != 0x10 && tag != 0x18) || load<u8>(at, 1) >= 0x80) break;
      at += 2;
      continue;
    }
    let length: u32 = load<u8>(at, 1);
    let point = at + 2;
    if (length >= 0x80) {
      const second: u32 = load<u8>(at, 2);
      if (second >= 0x80) break;
      length = (length & 0x7f) | (second << 7);
      point++;
    }
    const behind = point + length;
    if (behind > end) break;
    start = now = 0;
    isKnown = load<u32>(expected) == 0;
    const isRead =
      boundCount > 0
        ? readHistogram(point, behind, record, boundCount)
        : readNumber(point, behind, record);
    if (!isRead || !isKnown) break;
    store<f64>(record + (began << 3), <f64>start);
    store<f64>(record + (time << 3), <f64>now);
    store<f64>(record + (pointStart << 3), <f64>point);
    store<f64>(record + (pointEnd << 3), <f64>behind);
    expected += 4 + load<u32>(expected);
    record += recordBytes;
    points++;
    at = behind;
  }
  return points;
}

function readNumber(begin: usize, end: usize, record: usize): bool {
  let at = begin;
  let given: f64 = 0;
  let hasValue = false;
  while (at < end) {
    const tag: u32 = load<u8>(at++);
    if (tag == 0x21) {
      given = load<f64>(at);
      hasValue = true;
      at += 8;
    } else if (tag == 0x31) {
      given = <f64>load<i64>(at);
      hasValue = true;
      at += 8;
    } else {
      at = tag == 0x3a ? behindAttributes(at, end) : behindOther(tag, at, 0x40);
      if (at == 0) return false;
    }
  }
  store<f64>(record + (value << 3), given);
  return at == end && hasValue;
}

function readHistogram(begin: usize, end: usize, record: usize, boundCount: u32): bool {
  let at = begin;
  let count: u64 = 0;
  let total: u64 = 0;
  let given: f64 = NaN;
  let hasCounts = false;
  let hasBounds = false;
  while (at < end) {
    const tag: u32 = load<u8>(at++);
    if (tag == 0x21) {
      count = load<u64>(at);
      at += 8;
    } else if (tag == 0x29) {
      given = load<f64>(at);
      at += 8;
    } else if (tag == 0x32) {
      at = behindLength(at, (boundCount + 1) << 3);
      if (at == 0 || hasCounts) return false;
      hasCounts = true;
      const countsEnd = at + ((boundCount + 1) << 3);
      if (countsEnd > end) return false;
      let into = record + (counts << 3);
      for (; at < countsEnd; at += 8) {
        const one = load<u64>(at);
        if (one > mostExact) return false; // the sum of what is rounded may be another
        total += one;
        store<f64>(into, <f64>one);
        into += 8;
      }
    } else if (tag == 0x3a) {
      at = behindLength(at, boundCount << 3);
      if (at == 0 || hasBounds || at + (boundCount << 3) > end) return false;
      hasBounds = true;
      if (!isSame(at, boundsAt, boundCount << 3)) return false;
      at += boundCount << 3;
    } else if (tag == 0x59 || tag == 0x61) {
      at += 8; // least and most
    } else {
      at = tag == 0x4a ? behindAttributes(at, end) : behindOther(tag, at, 0x50);
      if (at == 0) return false;
    }
  }
  if (at != end || !hasCounts || !hasBounds || total != count || total > mostExact) return false;
  store<f64>(record + (value << 3), <f64>count);
  store<f64>(record + (sum << 3), given);
  return true;
}

/** What a double holds exactly. */
const mostExact: u64 = 0x20_0000_0000_0000;

/** Where all attributes end if they are those of the next point; otherwise 0. */
function behindAttributes(at: usize, end: usize): usize {
  if (isKnown || !isExpected(at - 1, end)) return 0;
  isKnown = true;
  return at - 1 + load<u32>(expected);
}

/** What numbers and histograms have alike, but for the number of the flags; 0 for all else. */
function behindOther(tag: u32, at: usize, flags: u32): usize {
  if (tag == 0x11) start = load<u64>(at);
  else if (tag == 0x19) now = load<u64>(at);
  else return tag == flags && load<u8>(at) == 0 ? at + 1 : 0;
  return at + 8;
}

/** Behind a length that is the expected one; otherwise 0. */
function behindLength(at: usize, length: u32): usize {
  const first: u32 = load<u8>(at);
  if (first < 0x80) return first == length ? at + 1 : 0;
  const second: u32 = load<u8>(at, 1);
  return second < 0x80 && ((first & 0x7f) | (second << 7)) == length ? at + 2 : 0;
}

/** Whether the attributes from there on are those of the next point. */
function isExpected(at: usize, end: usize): bool {
  const length: usize = load<u32>(expected);
  return at + length <= end && isSame(at, expected + 4, length);
}

/** Sixteen bytes at a time; of what comes behind the end, the bits are cut off. */
function isSame(some: usize, others: usize, length: usize): bool {
  let at: usize = 0;
  for (; length - at >= 16; at += 16) {
    const unequal = v128.xor(v128.load(some + at), v128.load(others + at));
    if (v128.any_true(unequal)) return false;
  }
  const equal = i8x16.bitmask(i8x16.eq(v128.load(some + at), v128.load(others + at)));
  const own = (1 << (<i32>(length - at))) - 1;
  return (equal & own) == own;
}
