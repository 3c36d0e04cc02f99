// Pieces of JSON, in AssemblyScript: texts, ids, numbers and times, one behind the other.

import { textsAt } from "./quick-record-layout.ts";

/** The number as JavaScript writes it, of which the length is told. */
declare function writeDouble(value: f64, at: usize): usize;

/** Where the next byte is written. */
let out: usize = 0;

export function begin(at: usize): void {
  out = at;
}

/** Up to where. */
export function written(): usize {
  return out;
}

export function putByte(byte: u32): void {
  store<u8>(out++, byte);
}

export function putText(number: usize): void {
  put(load<u32>(<usize>textsAt + (number << 2)));
}

/** A text with its length before it. */
export function put(text: usize): void {
  const size: usize = load<u32>(text);
  const from = text + 4;
  for (let done: usize = 0; done < size; done += 16) v128.store(out + done, v128.load(from + done));
  out += size;
}

/** Four letters, the first one in the lowest bits. */
export function writeWord(letters: u32): void {
  store<u32>(out, letters);
  out += 4;
}

/** The text quoted; sixteen bytes at a time where nothing needs an escape. */
export function writeText(start: usize, end: usize): void {
  store<u8>(out++, 0x22);
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
    if (plain < 16 && from < end) writeEscape(load<u8>(from++));
  }
  store<u8>(out++, 0x22);
}

function writeEscape(letter: u32): void {
  store<u8>(out++, 0x5c);
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
  if (short != 0) {
    store<u8>(out++, short);
    return;
  }
  writeWord(0x30303075 | ((0x30 + (letter >>> 4)) << 24)); // u000 or u001
  const low = letter & 15;
  store<u8>(out++, low < 10 ? 0x30 + low : 0x57 + low);
}

/** An id of zeros is none. */
export function writeId(name: usize, start: usize, end: usize): void {
  const size = end - start;
  if (size == 16) {
    const id = v128.load(start);
    if (!v128.any_true(id)) return;
    putText(name);
    writeHex(id);
    v128.store(out + 17, secondHalf);
    out += 33;
  } else if (size == 8) {
    if (load<u64>(start) == 0) return;
    putText(name);
    writeHex(v128.load(start));
    out += 17;
  } else return;
  store<u8>(out++, 0x22);
}

let secondHalf: v128 = i64x2.splat(0);

/** A quote, and the digits of the first eight bytes; those of the others are in `secondHalf`. */
function writeHex(bytes: v128): void {
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
  store<u8>(out, 0x22);
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  v128.store(out + 1, first);
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

/** So many digits, with leading zeros; what is written last stands last. */
function writeDigits(digits: u32, width: usize): void {
  let rest = digits;
  for (let at = out + width - 1; at >= out; at--) {
    const next = rest / 10;
    store<u8>(at, 0x30 + rest - next * 10);
    rest = next;
  }
  out += width;
}

export function writeNumber(number: u64): void {
  if (number < 10) {
    store<u8>(out++, 0x30 + <u32>number);
    return;
  }
  let width: usize = 1;
  for (let most: u64 = 10; width < 20 && number >= most; most *= 10) width++;
  if (number <= u32.MAX_VALUE) return writeDigits(<u32>number, width);
  let rest = number;
  for (let at = out + width - 1; at >= out; at--) {
    const next = rest / 10;
    store<u8>(at, 0x30 + <u32>(rest - next * 10));
    rest = next;
  }
  out += width;
}

export function writeInteger(number: i64): void {
  if (number < 0) store<u8>(out++, 0x2d);
  writeNumber(number < 0 ? <u64>-number : number);
}

/**
 * A decimal of up to 15 digits is the only one so short that stands for a double, so the first one found,
 * which has the fewest digits, is the one that JavaScript writes. About one in a thousand needs more.
 */
export function writeFraction(given: f64): void {
  const size = abs(given);
  if (!(size < 1e15) || (size < 1e-5 && size != 0)) {
    out += writeDouble(given, out);
    return;
  }
  let scale: f64 = 1;
  let whole: f64 = size;
  let places: usize = 0;
  let power: u64 = 1;
  while (true) {
    whole = nearest(size * scale);
    if (whole / scale == size) break;
    scale *= 10;
    power *= 10;
    places++;
    if (places > 9 || size * scale >= 1e15) {
      out += writeDouble(given, out);
      return;
    }
  }
  if (<i64>reinterpret<u64>(given) < 0) store<u8>(out++, 0x2d);
  const digits = <u64>whole;
  const before = digits / power;
  writeNumber(before);
  store<u8>(out++, 0x2e);
  if (places == 0) store<u8>(out++, 0x30);
  else writeDigits(<u32>(digits - before * power), places);
}

/** The second that was written last, and how. */
let second: u64 = u64.MAX_VALUE;
let secondFirst: v128 = i64x2.splat(0);
let secondLast: u64 = 0;

/** "2026-01-02T03:04:05.123456789Z" */
export function writeTime(nanos: u64): void {
  const seconds = nanos / 1_000_000_000;
  if (seconds == second) {
    v128.store(out, secondFirst);
    store<u64>(out, secondLast, 16);
    out += 21;
  } else {
    const start = out;
    writeSecond(seconds);
    second = seconds;
    secondFirst = v128.load(start);
    secondLast = load<u64>(start, 16);
  }
  writeDigits(<u32>(nanos - seconds * 1_000_000_000), 9);
  store<u16>(out, 0x225a);
  out += 2;
}

function writeSecond(seconds: u64): void {
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
  store<u8>(out++, 0x22);
  writeDigits(year + era * 400 + (month <= 2 ? 1 : 0), 4);
  part(0x2d, month);
  part(0x2d, ofYear - (153 * march + 2) / 5 + 1);
  part(0x54, rest / 3600);
  part(0x3a, (rest / 60) % 60);
  part(0x3a, rest % 60);
  store<u8>(out++, 0x2e);
}

function part(before: u32, number: u32): void {
  store<u8>(out++, before);
  writeDigits(number, 2);
}
