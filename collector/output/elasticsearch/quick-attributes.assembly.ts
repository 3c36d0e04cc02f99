// The attributes of a record, in AssemblyScript. Each name is kept as it was written, and with it the value
// that it had: an attribute that comes again the same is copied, and of one with another value the name is.

import {
  behindAt,
  cameAt,
  cameBytes,
  jsonAt,
  jsonBytes,
  jsonNameSizeAt,
  jsonSizeAt,
  knownAt,
  knownBytes,
  knownPlaces,
  mostNameBytes,
  mostPairs,
  nameSizeAt,
  pairBytes,
  pairsAt,
  recordAt,
  sizeAt,
} from "./quick-record-layout.ts";
import { enter, length, value, varint } from "./quick-fields.assembly.ts";
import {
  copy,
  equalBytes,
  putByte,
  writeBoolean,
  writeFraction,
  writeInteger,
  writeNumber,
  writeText,
  writeWord,
} from "./quick-json.assembly.ts";

/** Names that are not for us: how many, where, and a bit for each length that occurs. */
let reservedCount: usize = 0;
let reservedAt: usize = 0;
let reservedLengths: u64 = 0;

export function reserve(at: usize, count: usize): void {
  reservedAt = at;
  reservedCount = count;
  for (let index: usize = 0; index < count; index++) {
    reservedLengths |= (<u64>1) << (<u64>load<u32>(load<u32>(at + (index << 2))) & 63);
  }
}

// ── the record's ─────────────────────────────────────────────────────────────────────────────────

let pairsEnd: usize = 0;
/** Counts the records, so that a name that stands twice in one is found. */
let record: u32 = 0;

export function clearAttributes(): void {
  pairsEnd = pairsAt;
}

/** One KeyValue: 0a │ length │ name │ 12 │ length │ value. False if there are too many. */
export function keepAttribute(start: usize, end: usize): bool {
  if (pairsEnd == <usize>(pairsAt + mostPairs * pairBytes)) return false;
  store<u32>(pairsEnd, start);
  store<u32>(pairsEnd, end, 4);
  pairsEnd += pairBytes;
  return true;
}

export function hasAttributes(): bool {
  return pairsEnd > <usize>pairsAt;
}

/** Where they end; 0 if something in them is for the thorough writer. */
export function writeAttributes(at: usize): usize {
  record++;
  last = noPlace;
  let out = at;
  let before: u32 = 0x7b;
  for (let pair: usize = pairsAt; pair < pairsEnd; pair += pairBytes) {
    out = putByte(out, before);
    before = 0x2c;
    out = writeAttribute(out, load<u32>(pair), load<u32>(pair, 4));
    if (out == 0) return 0;
  }
  return putByte(out, 0x7d);
}

// ── those known ──────────────────────────────────────────────────────────────────────────────────

/** Names are looked for in so many places. */
const most: usize = 4;

/** Stands before the first attribute of each record. */
const noPlace: usize = <usize>knownAt - <usize>cameAt;

/** That of the attribute before, which tells where the next one was. */
let last: usize = noPlace;

/** Its name and value, without what stands between two. */
function writeAttribute(at: usize, start: usize, end: usize): usize {
  const size: usize = load<u8>(start, 1);
  if (start == end || load<u8>(start) != 0x0a || start + 2 + size > end) return 0;
  let place: usize = load<u32>(last, behindAt);
  let same = sameAt(place, start, end);
  if (same == 0) {
    const first = placeOf(start + 2, size);
    for (let next: usize = 0; same == 0 && next < most; next++) {
      place = nthPlace(first + next);
      same = sameAt(place, start, end);
    }
    if (same == 0) return learn(first, at, start, end);
    store<u32>(last, place, behindAt);
  }
  last = place;
  if (load<u32>(place, recordAt) == record) return 0;
  store<u32>(place, record, recordAt);
  if (same == end - start && same == load<u32>(place, sizeAt)) {
    return copy(at, place + <usize>jsonAt, load<u32>(place, jsonSizeAt));
  }
  store<u32>(place, 0, sizeAt); // one that changes
  const out = writeValueOf(
    copy(at, place + <usize>jsonAt, load<u32>(place, jsonNameSizeAt)),
    start + 2 + size,
    end,
  );
  // Those that change with each record need not be kept each time.
  if ((record & 15) == 0 && out != 0) keepValue(place, start, end, at, out);
  return out;
}

/** How many bytes of the attribute are those that lie there; 0 if that is one of another name. */
function sameAt(place: usize, start: usize, end: usize): usize {
  const same = equalBytes(start, place + <usize>cameAt, min<usize>(end - start, cameBytes));
  const name: usize = load<u32>(place, nameSizeAt); // its length is in these bytes, so it is no longer one
  return name != 0 && same >= name ? same : 0;
}

function nthPlace(number: usize): usize {
  return <usize>knownAt + (number & <usize>(knownPlaces - 1)) * <usize>knownBytes;
}

function placeOf(name: usize, size: usize): usize {
  const mark =
    size < 8
      ? (load<u64>(name) & (((<u64>1) << ((<u64>size) << 3)) - 1)) | ((<u64>size) << 56)
      : load<u64>(name) ^ rotl<u64>(load<u64>(name + size - 8), 23) ^ size;
  return <usize>((mark * 0x9e37_79b9_7f4a_7c15) >> 56);
}

/** Writes what is not known, and keeps it in a place that this record has not used. */
function learn(first: usize, at: usize, start: usize, end: usize): usize {
  const name = start + 2;
  const size: usize = load<u8>(start, 1);
  if (size > <usize>mostNameBytes || isNotForUs(name, size)) return 0;
  const named = writeText(at, name, name + size);
  if (named != at + size + 2) return 0; // one with escapes
  const out = writeValueOf(putByte(named, 0x3a), name + size, end);
  if (out == 0) return 0;
  for (let next: usize = 0; next < most; next++) {
    const place = nthPlace(first + next);
    if (load<u32>(place, recordAt) == record) continue;
    store<u32>(last, place, behindAt);
    last = place;
    store<u32>(place, record, recordAt);
    store<u32>(place, <u32>size + 2, nameSizeAt);
    store<u32>(place, <u32>size + 3, jsonNameSizeAt);
    copy(place + <usize>cameAt, start, size + 2);
    copy(place + <usize>jsonAt, at, size + 3);
    keepValue(place, start, end, at, out);
    return out;
  }
  return 0;
}

function keepValue(place: usize, start: usize, end: usize, json: usize, jsonEnd: usize): void {
  const isShort = end - start <= <usize>cameBytes && jsonEnd - json <= <usize>jsonBytes;
  store<u32>(place, isShort ? <u32>(end - start) : 0, sizeAt);
  if (!isShort) return;
  store<u32>(place, <u32>(jsonEnd - json), jsonSizeAt);
  copy(place + <usize>cameAt, start, end - start);
  copy(place + <usize>jsonAt, json, jsonEnd - json);
}

function isNotForUs(name: usize, size: usize): bool {
  const first = load<u8>(name);
  // Blank names, and "_" itself, share one name; what begins with such a letter may be one.
  if (size == 0 || first <= 0x20 || (size == 1 && first == 0x5f)) return true;
  return ((reservedLengths >> (size & 63)) & 1) != 0 && isReserved(name, size);
}

function isReserved(name: usize, size: usize): bool {
  for (let index: usize = 0; index < reservedCount; index++) {
    const reserved: usize = load<u32>(reservedAt + (index << 2));
    if (<usize>load<u32>(reserved) == size && equalBytes(reserved + 4, name, size) == size) {
      return true;
    }
  }
  return false;
}

// ── values ───────────────────────────────────────────────────────────────────────────────────────

/** Of the AnyValue that was read last: its tag, 0 for an empty one, and where its content lies. */
let kind: u32 = 0;
export let valueStart: usize = 0;
export let valueEnd: usize = 0;

export function isText(start: usize, end: usize): bool {
  return readValue(start, end) && kind == 0x0a;
}

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

/** What stands behind the name: the field with the value, or nothing. */
function writeValueOf(at: usize, nameEnd: usize, end: usize): usize {
  // 12 │ length │ tag │ the first byte of the value
  const head = load<u32>(nameEnd);
  const size = (head >>> 8) & 0xff;
  if ((head & 0xff) == 0x12 && size > 1 && nameEnd + 2 + size == end) {
    const first = head >>> 24;
    const tag = (head >>> 16) & 0xff;
    if (tag == 0x0a && first == size - 2 && first < 0x80) return writeText(at, nameEnd + 4, end);
    if (tag == 0x21 && size == 9) return writeFraction(at, load<f64>(nameEnd, 3));
    if (tag == 0x18 && size == 2) return writeNumber(at, first);
    if (tag == 0x10 && size == 2) return writeBoolean(at, first != 0);
  }
  let from = end;
  if (nameEnd < end) {
    if (load<u8>(nameEnd) != 0x12) return 0;
    from = enter(nameEnd + 1);
    if (from == 0 || from + length != end) return 0;
  }
  if (!readValue(from, end)) return 0;
  return kind == 0x2a ? writeList(at, valueStart, valueEnd) : writeScalar(at);
}

function writeScalar(at: usize): usize {
  switch (kind) {
    case 0x0a:
      return writeText(at, valueStart, valueEnd);
    case 0x10:
      return writeBoolean(at, <i32>value != 0);
    case 0x18:
      return writeInteger(at, value);
    case 0x21:
      return writeFraction(at, load<f64>(valueStart));
    case 0:
      return writeWord(at, 0x6c6c756e); // null
    default:
      return 0;
  }
}

/** Of scalars that are all of one kind. */
function writeList(at: usize, start: usize, end: usize): usize {
  let out = at;
  let before: u32 = 0x5b;
  let common: u32 = 0;
  for (let from = start; from < end;) {
    if (load<u8>(from) != 0x0a) return 0;
    from = enter(from + 1);
    const itemEnd = from + length;
    if (from == 0 || itemEnd > end || !readValue(from, itemEnd)) return 0;
    if (common == 0) common = kind;
    if (kind == 0 || kind != common) return 0;
    out = putByte(out, before);
    before = 0x2c;
    out = writeScalar(out);
    if (out == 0) return 0;
    from = itemEnd;
  }
  if (before == 0x5b) out = putByte(out, before);
  return putByte(out, 0x5d);
}
