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
  documentsAt,
  documentsEnd,
  droppedAttributes,
  endsAt,
  enoughAt,
  eventName,
  fives,
  fivesAt,
  mostAt,
  mostFixedBytes,
  mostGrowth,
  mostPairs,
  observed,
  pairBytes,
  pairsAt,
  readAt,
  severityNames,
  severityNumber,
  severityText,
  spanId,
  tailAt,
  traceId,
} from "./quick-record-layout.ts";
import { enter, length, value, varint } from "./quick-fields.assembly.ts";
import {
  put,
  putByte,
  putText,
  writeFraction,
  writeId,
  writeInteger,
  writeNumber,
  writeText,
  writeTime,
  writeWord,
} from "./quick-json.assembly.ts";

/** Events of this time go where the action says. */
let earliest: u64 = 0;
let latest: u64 = 0;
/** What of a document does not depend on the length of its record, at most. */
let fixed: usize = 0;
/** Names of attributes that are not for us: how many, where, and a bit for each length that occurs. */
let reservedCount: usize = 0;
let reservedAt: usize = 0;
let reservedLengths: u64 = 0;

export function prepare(at: usize, count: usize): void {
  let five: u64 = 1;
  for (let power: usize = 0; power < <usize>fives; power++) {
    store<u64>(<usize>fivesAt + (power << 3), five);
    five *= 5;
  }
  reservedAt = at;
  reservedCount = count;
  for (let index: usize = 0; index < count; index++) {
    reservedLengths |= (<u64>1) << (<u64>load<u32>(load<u32>(at + (index << 2))) & 63);
  }
}

/** For what is framed by action and tail. Seconds, the last one included. */
export function aim(from: f64, to: f64): void {
  fixed = <usize>load<u32>(actionAt) + <usize>load<u32>(tailAt) + mostFixedBytes;
  earliest = from <= 0 ? 0 : <u64>from * 1_000_000_000;
  latest = to >= 9_223_372_036 ? 0x7fff_ffff_ffff_ffff : <u64>to * 1_000_000_000 + 999_999_999;
}

/**
 * Writes documents of the log records between the two, which are fields of their group, from `at` on. Ends
 * before the first one that is for the thorough writer, and behind the one with which it has `most` or has
 * come to `enough`. Tells how many there are; where each of them ends, and how far it has read, lies in the
 * memory.
 */
export function write(start: usize, end: usize, number: u32, at: usize): u32 {
  const enough: usize = load<u32>(enoughAt);
  const most = load<u32>(mostAt);
  let from = start;
  let out = at;
  let count: u32 = 0;
  while (from < end && count < most && out < enough) {
    const tag: u32 = load<u8>(from);
    if (tag >= 0x80 || (tag & 7) != 2) break;
    const record = enter(from + 1);
    const recordEnd = record + length;
    if (record == 0) break;
    if (tag == 0x12) {
      if (out + fixed + length * <usize>mostGrowth > <usize>documentsEnd) break;
      const written = writeRecord(record, recordEnd, number + count, out);
      if (written == 0) break;
      out = written;
      store<u32>(<usize>endsAt + (count << 2), out - documentsAt);
      count++;
      store<u32>(readAt, recordEnd);
    }
    from = recordEnd;
  }
  return count;
}

/** Where its document ends; 0 if it is for the thorough writer. */
function writeRecord(start: usize, end: usize, number: u32, at: usize): usize {
  if (!read(start, end)) return 0;
  let out = put(at, actionAt);
  out = writeNumber(out, number);
  out = putText(out, behindId);
  out = writeTime(out, time != 0 ? time : seen);
  if (seen != 0) {
    out = putText(out, observed);
    out = writeTime(out, seen);
  }
  if (level != 0) {
    out = putText(out, severityNumber);
    out = writeInteger(out, level);
  }
  if (levelTextEnd > levelText) {
    out = putText(out, severityText);
    out = writeText(out, levelText, levelTextEnd);
  } else if (level >= 1 && level <= 24) out = putText(out, severityNames + level - 1);
  out = writeId(out, traceId, trace, traceEnd);
  out = writeId(out, spanId, span, spanEnd);
  if (eventEnd > event) {
    out = putText(out, eventName);
    out = writeText(out, event, eventEnd);
  }
  if (bodyEnd > body) {
    if (!readValue(body, bodyEnd) || kind != 0x0a) return 0;
    out = putText(out, beforeBody);
    out = writeText(out, valueStart, valueEnd);
    out = putText(out, behindBody);
  }
  if (pairsEnd > <usize>pairsAt) {
    out = putText(out, attributes);
    out = writeAttributes(out);
    if (out == 0) return 0;
  }
  if (dropped > 0) {
    out = putText(out, droppedAttributes);
    out = writeNumber(out, dropped);
  }
  return put(out, tailAt);
}

// The record that is being written: what is not there is 0, of texts both ends.
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
let pairsEnd: usize = 0;

/** False if something in it is not usual, or it goes elsewhere. */
function read(start: usize, end: usize): bool {
  clear();
  let from = start;
  while (from < end) {
    const tag: u32 = load<u8>(from++);
    if ((tag & 7) == 2) {
      from = enter(from);
      const valueEnd = from + length;
      if (from == 0 || valueEnd > end) return false;
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
          if (pairsEnd == pairsAt + mostPairs * pairBytes || !collect(from, valueEnd)) return false;
          pairsEnd += pairBytes;
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
          return false;
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
    else return false;
  }
  if (from != end || dropped > u32.MAX_VALUE) return false;
  return time >= earliest && time <= latest && (time | seen) != 0;
}

function clear(): void {
  time = seen = dropped = 0;
  level = 0;
  levelText = levelTextEnd = trace = traceEnd = span = spanEnd = 0;
  event = eventEnd = body = bodyEnd = 0;
  pairsEnd = pairsAt;
}

/** Zero is none, and so is what lies after 2262: date_nanos ends there. */
function known(nanos: u64): u64 {
  return nanos > 0x7fff_ffff_ffff_ffff ? 0 : nanos;
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────

// A pair is: name u32 │ its end u32 │ value u32 │ its end u32 │ a mark u64, equal for equal names

/** Keeps one KeyValue: 0a │ length │ name │ 12 │ length │ value */
function collect(start: usize, end: usize): bool {
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
  const pair = pairsEnd;
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

// Where it ends; 0 if something in it is for the thorough writer.

function writeAttributes(at: usize): usize {
  let out = at;
  for (let pair: usize = pairsAt; pair < pairsEnd; pair += pairBytes) {
    const name: usize = load<u32>(pair);
    const nameEnd: usize = load<u32>(pair, 4);
    const mark = load<u64>(pair, 16);
    for (let later = pair + pairBytes; later < pairsEnd; later += pairBytes) {
      if (load<u64>(later, 16) != mark) continue;
      const other: usize = load<u32>(later);
      const otherEnd: usize = load<u32>(later, 4);
      const size = nameEnd - name;
      if (otherEnd - other == size && isEqual(name, other, size)) return 0;
    }
    out = putByte(out, pair == pairsAt ? 0x7b : 0x2c);
    out = writeText(out, name, nameEnd);
    out = putByte(out, 0x3a);
    if (!readValue(load<u32>(pair, 8), load<u32>(pair, 12))) return 0;
    out = kind == 0x2a ? writeList(out, valueStart, valueEnd) : writeScalar(out);
    if (out == 0) return 0;
  }
  return putByte(out, 0x7d);
}

function writeScalar(at: usize): usize {
  switch (kind) {
    case 0x0a:
      return writeText(at, valueStart, valueEnd);
    case 0x10:
      if (<i32>value != 0) return writeWord(at, 0x65757274); // true
      return putByte(writeWord(at, 0x736c6166), 0x65); // false
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
