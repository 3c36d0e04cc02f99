// Pieces of JSON, in AssemblyScript: texts, ids, numbers and times. Each writer is told where to write and
// tells where it ends; kept in a variable of the module, that place would be stored and loaded for each byte.

import { fivesAt, textsAt } from "./quick-record-layout.ts";

/** The number as JavaScript writes it, of which the length is told. */
declare function writeDouble(value: f64, at: usize): usize;

export function putByte(at: usize, byte: u32): usize {
  store<u8>(at, byte);
  return at + 1;
}

export function putText(at: usize, number: usize): usize {
  return put(at, load<u32>(<usize>textsAt + (number << 2)));
}

/** A text with its length before it. */
export function put(at: usize, text: usize): usize {
  return copy(at, text + 4, load<u32>(text));
}

/** Up to 31 bytes behind it are overwritten. */
export function copy(at: usize, from: usize, size: usize): usize {
  for (let done: usize = 0; done < size; done += 32) {
    v128.store(at + done, v128.load(from + done));
    v128.store(at + done + 16, v128.load(from + done + 16));
  }
  return at + size;
}

/** How many are the same from the beginning on. */
export function equalBytes(one: usize, other: usize, size: usize): usize {
  for (let done: usize = 0; done < size; done += 16) {
    const same = i8x16.bitmask(i8x16.eq(v128.load(one + done), v128.load(other + done)));
    if (same != 0xffff) return min<usize>(size, done + ctz(~same));
  }
  return size;
}

/** Four letters, the first one in the lowest bits. */
export function writeWord(at: usize, letters: u32): usize {
  store<u32>(at, letters);
  return at + 4;
}

export function writeBoolean(at: usize, given: bool): usize {
  store<u64>(at, given ? 0x65757274 : 0x65_736c6166); // true, false
  return at + 5 - <usize>given;
}

/** The text quoted; sixteen bytes at a time where nothing needs an escape. */
export function writeText(at: usize, start: usize, end: usize): usize {
  let out = putByte(at, 0x22);
  let from = start;
  while (from < end) {
    const letters = v128.load(from);
    v128.store(out, letters);
    const isQuote = i8x16.eq(letters, i8x16.splat(0x22));
    const isBackslash = i8x16.eq(letters, i8x16.splat(0x5c));
    const isControl = i8x16.lt_u(letters, i8x16.splat(0x20));
    const special = i8x16.bitmask(v128.or(v128.or(isQuote, isBackslash), isControl));
    const plain = min<usize>(end - from, special == 0 ? 16 : ctz(special));
    from += plain;
    out += plain;
    if (plain < 16 && from < end) out = writeEscape(out, load<u8>(from++));
  }
  return putByte(out, 0x22);
}

function writeEscape(at: usize, letter: u32): usize {
  store<u8>(at, 0x5c);
  let short: u32 = 0;
  switch (letter) {
    case 0x22:
    case 0x5c:
      short = letter;
      break;
    case 0x08:
      short = 0x62;
      break;
    case 0x09:
      short = 0x74;
      break;
    case 0x0a:
      short = 0x6e;
      break;
    case 0x0c:
      short = 0x66;
      break;
    case 0x0d:
      short = 0x72;
      break;
  }
  if (short != 0) return putByte(at + 1, short);
  const out = writeWord(at + 1, 0x30303075 | ((0x30 + (letter >>> 4)) << 24)); // u000 or u001
  const low = letter & 15;
  return putByte(out, low < 10 ? 0x30 + low : 0x57 + low);
}

/** An id of zeros is none. */
export function writeId(at: usize, name: usize, start: usize, end: usize): usize {
  const size = end - start;
  if (size == 16) {
    const id = v128.load(start);
    if (!v128.any_true(id)) return at;
    const out = putText(at, name);
    writeHex(out, id);
    v128.store(out + 17, secondHalf);
    return putByte(out + 33, 0x22);
  }
  if (size == 8) {
    if (load<u64>(start) == 0) return at;
    const out = putText(at, name);
    writeHex(out, v128.load(start));
    return putByte(out + 17, 0x22);
  }
  return at;
}
let secondHalf: v128 = i64x2.splat(0);

/** A quote, and the digits of the first eight bytes; those of the others are in `secondHalf`. */
function writeHex(at: usize, bytes: v128): void {
  const digits = i8x16(
    0x30,
    0x31,
    0x32,
    0x33,
    0x34,
    0x35,
    0x36,
    0x37,
    0x38,
    0x39,
    0x61,
    0x62,
    0x63,
    0x64,
    0x65,
    0x66,
  );
  const high = i8x16.swizzle(digits, i8x16.shr_u(bytes, 4));
  const low = i8x16.swizzle(digits, v128.and(bytes, i8x16.splat(15)));
  store<u8>(at, 0x22);
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  v128.store(at + 1, first);
  secondHalf = i8x16.shuffle(
    high,
    low,
    8,
    24,
    9,
    25,
    10,
    26,
    11,
    27,
    12,
    28,
    13,
    29,
    14,
    30,
    15,
    31,
  );
}

// ── numbers and times ────────────────────────────────────────────────────────────────────────────

const zeros: u64 = 0x3030_3030_3030_3030;

/** The eight digits of a number, each a byte of its own, the first one in the lowest bits. */
function eightDigits(number: u32): u64 {
  const thousands = number / 10_000;
  let digits = <u64>thousands | ((<u64>(number - thousands * 10_000)) << 32);
  const hundreds = ((digits * 10_486) >> 20) & 0x0000_007f_0000_007f;
  digits = hundreds | ((digits - hundreds * 100) << 16);
  const tens = ((digits * 103) >> 10) & 0x000f_000f_000f_000f;
  return tens | ((digits - tens * 10) << 8);
}

export function writeNumber(at: usize, number: u64): usize {
  if (number < 10) return putByte(at, 0x30 + <u32>number);
  if (number < 100_000_000) {
    const digits = eightDigits(<u32>number);
    const leading = ctz(digits) >> 3;
    store<u64>(at, (digits | zeros) >> (leading << 3));
    return at + 8 - <usize>leading;
  }
  const before = number / 100_000_000;
  const out = writeNumber(at, before);
  store<u64>(out, eightDigits(<u32>(number - before * 100_000_000)) | zeros);
  return out + 8;
}

export function writeInteger(at: usize, number: i64): usize {
  return number < 0 ? writeNumber(putByte(at, 0x2d), <u64>-number) : writeNumber(at, number);
}

/** As JavaScript does: with the fewest digits that stand for this double and no other. */
export function writeFraction(at: usize, given: f64): usize {
  const size = abs(given);
  // What has no point, or an e, is rare.
  if (!(size < 9_007_199_254_740_992) || (size < 1e-6 && size != 0)) {
    return at + writeDouble(given, at);
  }
  const bits = reinterpret<u64>(given);
  const out = <i64>bits < 0 ? putByte(at, 0x2d) : at;
  const whole = <u64>size;
  if (<f64>whole == size) {
    const end = writeNumber(out, whole);
    store<u16>(end, 0x302e);
    return end + 2;
  }
  const places = placesOf(size, bits);
  const end = writeNumber(out, shortest);
  const before = <i32>(end - out) - places; // digits before the point
  if (before > 0) {
    const point = out + before;
    v128.store(point + 1, v128.load(point));
    store<u8>(point, 0x2e);
    return end + 1;
  }
  const first = v128.load(out);
  const last = load<u8>(out, 16);
  store<u64>(out, 0x3030_3030_3030_2e30); // 0.000000
  v128.store(out + 2 - before, first);
  store<u8>(out + 18 - before, last);
  return end + 2 - before;
}

/** Of the decimal that was found last. */
let shortest: u64 = 0;

/** How many digits stand behind the point of the decimal that it makes `shortest`. */
function placesOf(size: f64, bits: u64): i32 {
  if (isMadeOf(size, 1e3)) return 3 - stripZeros();
  if (isMadeOf(size, 1e6)) return 6 - stripZeros();
  return shorten(bits & 0x000f_ffff_ffff_ffff, <i32>((bits >> 52) & 0x7ff));
}

/**
 * Whether some whole number of such parts rounds to the double: if it has up to 15 digits, no other decimal
 * with so few does.
 */
function isMadeOf(size: f64, parts: f64): bool {
  const count = nearest(size * parts);
  if (!(count < 1e15) || count / parts != size) return false;
  shortest = <u64>count;
  return true;
}

/**
 * Of the decimals with the fewest digits that round to the double, the nearest; tells how many of these
 * stand behind the point. It is Schubfach, by Raffaello Giulietti, for what lies between 1e-6 and 2^53 and
 * is no whole number: there the powers of ten are small enough for all of this to be exact.
 */
function shorten(fraction: u64, exponent: i32): i32 {
  const digits: u64 = fraction | 0x0010_0000_0000_0000;
  const odd = digits & 1;
  const power = exponent - 1075; // of two, for these digits
  const isNarrow = fraction == 0; // the next double below is nearer than the one above
  let places = -((power * 1_262_611 - (isNarrow ? 524_031 : 0)) >> 22);
  const five = load<u64>(<usize>fivesAt + ((<usize>places) << 3));
  const low = (digits << 2) * five;
  const high = timesHigh(digits << 2, five);
  const shift = <u64>(-power - places);
  const above = low + (five << 1);
  const step = isNarrow ? five : five << 1;
  // Four times the double, and what lies half way to its neighbours, in units of the last place.
  const value = shifted(high, low, shift);
  const most = shifted(high + <u64>(above < low), above, shift) - odd;
  const least = shifted(high - <u64>(low < step), low - step, shift) + odd;
  const unit = value >> 2;
  const ten = unit / 10;
  const isBelow = least <= ten * 40;
  const isAbove = ten * 40 + 40 <= most;
  if (isBelow != isAbove) {
    shortest = ten + <u64>isAbove;
    return places - 1 - stripZeros();
  }
  const isUnit = least <= unit << 2;
  const isNext = (unit << 2) + 4 <= most;
  const middle = (unit << 2) + 2;
  const isNearer = value > middle || (value == middle && (unit & 1) == 1);
  shortest = unit + <u64>(isUnit != isNext ? isNext : isNearer);
  return places;
}

/** The upper half of the product. */
function timesHigh(one: u64, other: u64): u64 {
  const low = one & 0xffff_ffff;
  const high = one >> 32;
  const otherLow = other & 0xffff_ffff;
  const otherHigh = other >> 32;
  const middle = high * otherLow + ((low * otherLow) >> 32);
  const second = low * otherHigh + (middle & 0xffff_ffff);
  return high * otherHigh + (middle >> 32) + (second >> 32);
}

/** Of 128 bits those above `shift`; the last one is set as well if any below is. */
function shifted(high: u64, low: u64, shift: u64): u64 {
  const isInexact = (low & (((<u64>1) << shift) - 1)) != 0;
  return (shift == 0 ? 0 : high << (64 - shift)) | (low >> shift) | <u64>isInexact;
}

/** How many there were at the end of `shortest`. */
function stripZeros(): i32 {
  let count = 0;
  while (shortest % 10_000 == 0) {
    shortest /= 10_000;
    count += 4;
  }
  while (shortest % 10 == 0) {
    shortest /= 10;
    count++;
  }
  return count;
}

/** The second that was written last, and how. */
let second: u64 = u64.MAX_VALUE;
let secondFirst: v128 = i64x2.splat(0);
let secondLast: u64 = 0;

/** "2026-01-02T03:04:05.123456789Z" */
export function writeTime(at: usize, nanos: u64): usize {
  const seconds = nanos / 1_000_000_000;
  if (seconds == second) {
    v128.store(at, secondFirst);
    store<u64>(at, secondLast, 16);
  } else {
    writeSecond(at, seconds);
    second = seconds;
    secondFirst = v128.load(at);
    secondLast = load<u64>(at, 16);
  }
  const rest = <u32>(nanos - seconds * 1_000_000_000);
  const first = rest / 100_000_000;
  store<u8>(at, 0x30 + first, 21);
  store<u64>(at, eightDigits(rest - first * 100_000_000) | zeros, 22);
  store<u16>(at, 0x225a, 30);
  return at + 32;
}

/** "2026-01-02T03:04:05. */
function writeSecond(at: usize, seconds: u64): void {
  const day = <u32>(seconds / 86_400);
  const rest = <u32>(seconds - <u64>day * 86_400);
  // Years that begin in March, so that the leap day is the last one; eras of 400 years.
  const days = day + 719_468;
  const era = days / 146_097;
  const ofEra = days - era * 146_097;
  const year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
  const ofYear = ofEra - (365 * year + year / 4 - year / 100);
  const march = (5 * ofYear + 2) / 153;
  const month = march < 10 ? march + 3 : march - 9;
  const years = year + era * 400 + (month <= 2 ? 1 : 0);
  putByte(at, 0x22);
  twoDigits(at + 1, years / 100);
  twoDigits(at + 3, years % 100);
  part(at + 5, 0x2d, month);
  part(at + 8, 0x2d, ofYear - (153 * march + 2) / 5 + 1);
  part(at + 11, 0x54, rest / 3600);
  part(at + 14, 0x3a, (rest / 60) % 60);
  part(at + 17, 0x3a, rest % 60);
  putByte(at + 20, 0x2e);
}

function part(at: usize, before: u32, number: u32): void {
  store<u8>(at, before);
  twoDigits(at + 1, number);
}

function twoDigits(at: usize, number: u32): void {
  store<u8>(at, 0x30 + number / 10);
  store<u8>(at, 0x30 + (number % 10), 1);
}
