// The document of a usual log record, in AssemblyScript: `npm run wasm` makes quick-record.binary.ts of it.
// It writes what log-documents.ts writes, byte for byte, or says that it does not know how. Only for
// bytes that validate() has accepted. It reads up to 16 bytes behind a value and writes up to 32 behind a
// document, which are there and of any content.

import {
  actionAt,
  attributes,
  beforeBody,
  behindBody,
  behindId,
  droppedAttributes,
  eventName,
  mostPairs,
  observed,
  pairBytes,
  pairsAt,
  severityNames,
  severityNumber,
  severityText,
  spanId,
  tailAt,
  textsAt,
  traceId,
} from "./quick-record-layout.ts";

/** The number as JavaScript writes it, of which the length is told. */
declare function writeDouble(value: f64, at: usize): usize;

/** Where the next byte is written. */
let out: usize = 0;
/** Events of this time go where the action says. */
let earliest: u64 = 0;
let latest: u64 = 0;
/** Names of attributes that are not for us: how many, where, and a bit for each length that occurs. */
let reservedCount: usize = 0;
let reservedAt: usize = 0;
let reservedLengths: u64 = 0;

export function prepare(at: usize, count: usize): void {
  reservedAt = at;
  reservedCount = count;
  for (let index: usize = 0; index < count; index++) {
    reservedLengths |= (<u64>1) << (<u64>load<u32>(load<u32>(at + (index << 2))) & 63);
  }
}

/** Seconds, the last one included. */
export function aim(from: f64, to: f64): void {
  earliest = from <= 0 ? 0 : <u64>from * 1_000_000_000;
  latest = to >= 9_223_372_036 ? 0x7fff_ffff_ffff_ffff : <u64>to * 1_000_000_000 + 999_999_999;
}

/** Where the document ends that it has written from `at` on; 0 if it is for the thorough writer. */
export function write(start: usize, end: usize, number: u32, at: usize): usize {
  let time: u64 = 0;
  let seen: u64 = 0;
  let level: i32 = 0;
  let dropped: u64 = 0;
  let levelText: usize = 0;
  let levelTextEnd: usize = 0;
  let trace: usize = 0;
  let traceEnd: usize = 0;
  let span: usize = 0;
  let spanEnd: usize = 0;
  let event: usize = 0;
  let eventEnd: usize = 0;
  let body: usize = 0;
  let bodyEnd: usize = 0;
  const pairs: usize = pairsAt;
  let pair = pairs;
  let from = start;
  while (from < end) {
    const tag: u32 = load<u8>(from++);
    if ((tag & 7) == 2) {
      from = enter(from);
      const valueEnd = from + length;
      if (from == 0 || valueEnd > end) return 0;
      switch (tag) {
        case 0x1a:
          levelText = from;
          levelTextEnd = valueEnd;
          break;
        case 0x2a:
          body = from;
          bodyEnd = valueEnd;
          break;
        case 0x32:
          if (pair == pairs + mostPairs * pairBytes || !collect(from, valueEnd, pair)) return 0;
          pair += pairBytes;
          break;
        case 0x4a:
          trace = from;
          traceEnd = valueEnd;
          break;
        case 0x52:
          span = from;
          spanEnd = valueEnd;
          break;
        case 0x62:
          event = from;
          eventEnd = valueEnd;
          break;
        default:
          return 0;
      }
      from = valueEnd;
    } else if (tag == 0x09) {
      time = known(load<u64>(from));
      from += 8;
    } else if (tag == 0x59) {
      seen = known(load<u64>(from));
      from += 8;
    } else if (tag == 0x10) {
      from = varint(from);
      level = <i32>value;
    } else if (tag == 0x38) {
      from = varint(from);
      dropped = value;
    } else if (tag == 0x45) from += 4;
    else return 0;
  }
  const isSound = from == end && dropped <= u32.MAX_VALUE;
  if (!isSound || time < earliest || time > latest || (time | seen) == 0) return 0;

  out = at;
  put(actionAt);
  writeNumber(number);
  putText(behindId);
  writeTime(time != 0 ? time : seen);
  if (seen != 0) {
    putText(observed);
    writeTime(seen);
  }
  if (level != 0) {
    putText(severityNumber);
    writeInteger(level);
  }
  if (levelTextEnd > levelText) {
    putText(severityText);
    writeText(levelText, levelTextEnd);
  } else if (level >= 1 && level <= 24) putText(severityNames + level - 1);
  writeId(traceId, trace, traceEnd);
  writeId(spanId, span, spanEnd);
  if (eventEnd > event) {
    putText(eventName);
    writeText(event, eventEnd);
  }
  if (bodyEnd > body) {
    if (!readValue(body, bodyEnd) || kind != 0x0a) return 0;
    putText(beforeBody);
    writeText(valueStart, valueEnd);
    putText(behindBody);
  }
  if (pair > pairs) {
    putText(attributes);
    if (!writeAttributes(pair)) return 0;
  }
  if (dropped > 0) {
    putText(droppedAttributes);
    writeNumber(dropped);
  }
  put(tailAt);
  return out;
}

/** Zero is none, and so is what lies after 2262: date_nanos ends there. */
function known(nanos: u64): u64 {
  return nanos > 0x7fff_ffff_ffff_ffff ? 0 : nanos;
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────

/** Of the value that `enter` stands before. */
let length: usize = 0;
let value: u64 = 0;

/** Reads a length of up to three bytes; 0 if it is longer. */
function enter(from: usize): usize {
  let at = from;
  length = load<u8>(at++);
  if (length < 0x80) return at;
  const second: usize = load<u8>(at++);
  length = (length & 0x7f) | ((second & 0x7f) << 7);
  if (second < 0x80) return at;
  const third: usize = load<u8>(at++);
  length |= third << 14;
  return third < 0x80 ? at : 0;
}

function varint(from: usize): usize {
  let at = from;
  let byte: u64 = load<u8>(at++);
  value = byte & 0x7f;
  for (let shift: u64 = 7; byte >= 0x80 && shift < 70; shift += 7) {
    byte = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
  }
  return at;
}

// A pair is: name u32 │ its end u32 │ value u32 │ its end u32 │ a mark u64, equal for equal names

/** Keeps one KeyValue: 0a │ length │ name │ 12 │ length │ value */
function collect(start: usize, end: usize, pair: usize): bool {
  if (start == end || load<u8>(start) != 0x0a) return false;
  const name = enter(start + 1);
  const nameEnd = name + length;
  if (name == 0 || nameEnd > end) return false;
  let from: usize = end;
  if (nameEnd < end) {
    if (load<u8>(nameEnd) != 0x12) return false;
    from = enter(nameEnd + 1);
    if (from == 0 || from + length != end) return false;
  }
  const first = load<u8>(name);
  const size = nameEnd - name;
  // Blank names, and "_" itself, share one name; what begins with such a letter may be one.
  if (size == 0 || first <= 0x20 || (size == 1 && first == 0x5f)) return false;
  if ((reservedLengths >> (size & 63)) & 1 && isReserved(name, size)) return false;
  store<u32>(pair, name);
  store<u32>(pair, nameEnd, 4);
  store<u32>(pair, from, 8);
  store<u32>(pair, end, 12);
  store<u64>(pair, markOf(name, size), 16);
  return true;
}

function markOf(name: usize, size: usize): u64 {
  if (size < 8)
    return (load<u64>(name) & (((<u64>1) << ((<u64>size) << 3)) - 1)) | ((<u64>size) << 56);
  return load<u64>(name) ^ rotl<u64>(load<u64>(name + size - 8), 23) ^ size;
}

function isReserved(name: usize, size: usize): bool {
  for (let index: usize = 0; index < reservedCount; index++) {
    const reserved: usize = load<u32>(reservedAt + (index << 2));
    if (<usize>load<u32>(reserved) == size && isEqual(reserved + 4, name, size)) return true;
  }
  return false;
}

function isEqual(one: usize, other: usize, size: usize): bool {
  for (let index: usize = 0; index < size; index++) {
    if (load<u8>(one + index) != load<u8>(other + index)) return false;
  }
  return true;
}

/** Of the AnyValue that was read last: its tag, 0 for an empty one, and where its content lies. */
let kind: u32 = 0;
let valueStart: usize = 0;
let valueEnd: usize = 0;

/** False if it has several fields, or is longer than usual. */
function readValue(start: usize, end: usize): bool {
  kind = 0;
  if (start == end) return true;
  kind = load<u8>(start);
  valueStart = start + 1;
  valueEnd = end;
  if (kind == 0x0a || kind == 0x2a) {
    valueStart = enter(valueStart);
    return valueStart != 0 && valueStart + length == end;
  }
  if (kind == 0x10 || kind == 0x18) return varint(valueStart) == end;
  return kind == 0x21 && end - start == 9;
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────────

function writeAttributes(pairsEnd: usize): bool {
  for (let pair: usize = pairsAt; pair < pairsEnd; pair += pairBytes) {
    const name: usize = load<u32>(pair);
    const nameEnd: usize = load<u32>(pair, 4);
    const mark = load<u64>(pair, 16);
    for (let later = pair + pairBytes; later < pairsEnd; later += pairBytes) {
      if (load<u64>(later, 16) != mark) continue;
      const other: usize = load<u32>(later);
      const otherEnd: usize = load<u32>(later, 4);
      const size = nameEnd - name;
      if (otherEnd - other == size && isEqual(name, other, size)) return false;
    }
    store<u8>(out++, pair == pairsAt ? 0x7b : 0x2c);
    writeText(name, nameEnd);
    store<u8>(out++, 0x3a);
    if (!readValue(load<u32>(pair, 8), load<u32>(pair, 12))) return false;
    if (kind == 0x2a ? !writeList(valueStart, valueEnd) : !writeScalar()) return false;
  }
  store<u8>(out++, 0x7d);
  return true;
}

function writeScalar(): bool {
  switch (kind) {
    case 0x0a:
      writeText(valueStart, valueEnd);
      break;
    case 0x10:
      writeWord(<i32>value != 0 ? 0x65757274 : 0x736c6166); // true, fals
      if (<i32>value == 0) store<u8>(out++, 0x65);
      break;
    case 0x18:
      writeInteger(value);
      break;
    case 0x21:
      writeFraction(load<f64>(valueStart));
      break;
    case 0:
      writeWord(0x6c6c756e); // null
      break;
    default:
      return false;
  }
  return true;
}

/** Of scalars that are all of one kind. */
function writeList(start: usize, end: usize): bool {
  let before: u32 = 0x5b;
  let common: u32 = 0;
  for (let from = start; from < end;) {
    if (load<u8>(from) != 0x0a) return false;
    from = enter(from + 1);
    const itemEnd = from + length;
    if (from == 0 || itemEnd > end || !readValue(from, itemEnd)) return false;
    if (common == 0) common = kind;
    if (kind == 0 || kind != common) return false;
    store<u8>(out++, before);
    before = 0x2c;
    if (!writeScalar()) return false;
    from = itemEnd;
  }
  if (before == 0x5b) store<u8>(out++, before);
  store<u8>(out++, 0x5d);
  return true;
}

function putText(number: usize): void {
  put(load<u32>(<usize>textsAt + (number << 2)));
}

/** A text with its length before it. */
function put(text: usize): void {
  const size: usize = load<u32>(text);
  const from = text + 4;
  for (let done: usize = 0; done < size; done += 16) v128.store(out + done, v128.load(from + done));
  out += size;
}

/** Four letters, the first one in the lowest bits. */
function writeWord(letters: u32): void {
  store<u32>(out, letters);
  out += 4;
}

/** The text quoted; sixteen bytes at a time where nothing needs an escape. */
function writeText(start: usize, end: usize): void {
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
function writeId(name: usize, start: usize, end: usize): void {
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

function writeNumber(number: u64): void {
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

function writeInteger(number: i64): void {
  if (number < 0) store<u8>(out++, 0x2d);
  writeNumber(number < 0 ? <u64>-number : number);
}

/**
 * A decimal of up to 15 digits is the only one so short that stands for a double, so the first one found,
 * which has the fewest digits, is the one that JavaScript writes. About one in a thousand needs more.
 */
function writeFraction(given: f64): void {
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
function writeTime(nanos: u64): void {
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
