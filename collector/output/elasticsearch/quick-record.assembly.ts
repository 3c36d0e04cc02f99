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
  traceId,
} from "./quick-record-layout.ts";
import {
  begin,
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
  written,
} from "./quick-json.assembly.ts";

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
  if (!read(start, end)) return 0;
  begin(at);
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
  if (pairsEnd > <usize>pairsAt) {
    putText(attributes);
    if (!writeAttributes()) return 0;
  }
  if (dropped > 0) {
    putText(droppedAttributes);
    writeNumber(dropped);
  }
  put(tailAt);
  return written();
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

function writeAttributes(): bool {
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
    putByte(pair == pairsAt ? 0x7b : 0x2c);
    writeText(name, nameEnd);
    putByte(0x3a);
    if (!readValue(load<u32>(pair, 8), load<u32>(pair, 12))) return false;
    if (kind == 0x2a ? !writeList(valueStart, valueEnd) : !writeScalar()) return false;
  }
  putByte(0x7d);
  return true;
}

function writeScalar(): bool {
  switch (kind) {
    case 0x0a:
      writeText(valueStart, valueEnd);
      break;
    case 0x10:
      writeWord(<i32>value != 0 ? 0x65757274 : 0x736c6166); // true, fals
      if (<i32>value == 0) putByte(0x65);
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
    putByte(before);
    before = 0x2c;
    if (!writeScalar()) return false;
    from = itemEnd;
  }
  if (before == 0x5b) putByte(before);
  putByte(0x5d);
  return true;
}
