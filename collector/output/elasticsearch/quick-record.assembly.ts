// The document of a usual log record, in AssemblyScript: `npm run wasm` makes quick-record.binary.ts of it.
// It writes what log-documents.ts writes, byte for byte, or says that it does not know how. Only for
// bytes that validate() has accepted. It reads and writes up to 32 bytes behind a value or a document, which
// are there and of any content.

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
  observed,
  readAt,
  severityNames,
  severityNumber,
  severityText,
  spanId,
  tailAt,
  traceId,
} from "./quick-record-layout.ts";
import {
  clearAttributes,
  hasAttributes,
  isText,
  keepAttribute,
  reserve,
  valueEnd,
  valueStart,
  writeAttributes,
} from "./quick-attributes.assembly.ts";
import { enter, length, value, varint } from "./quick-fields.assembly.ts";
import {
  put,
  putText,
  writeId,
  writeInteger,
  writeNumber,
  writeText,
  writeTime,
} from "./quick-json.assembly.ts";

/** Events of this time go where the action says. */
let earliest: u64 = 0;
let latest: u64 = 0;
/** What of a document does not depend on the length of its record, at most. */
let fixed: usize = 0;

/** Names of attributes that are not for us lie at `at`. */
export function prepare(at: usize, count: usize): void {
  let five: u64 = 1;
  for (let power: usize = 0; power < <usize>fives; power++) {
    store<u64>(<usize>fivesAt + (power << 3), five);
    five *= 5;
  }
  reserve(at, count);
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
    if (!isText(body, bodyEnd)) return 0;
    out = putText(out, beforeBody);
    out = writeText(out, valueStart, valueEnd);
    out = putText(out, behindBody);
  }
  if (hasAttributes()) {
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

/** False if something in it is not usual, or it goes elsewhere. */
function read(start: usize, end: usize): bool {
  clear();
  let from = start;
  while (from < end) {
    const tag: u32 = load<u8>(from++);
    if ((tag & 7) == 2) {
      from = enter(from);
      const fieldEnd = from + length;
      if (from == 0 || fieldEnd > end) return false;
      switch (tag) {
        case 0x1a:
          levelText = from;
          levelTextEnd = fieldEnd;
          break;
        case 0x2a:
          body = from;
          bodyEnd = fieldEnd;
          break;
        case 0x32:
          if (!keepAttribute(from, fieldEnd)) return false;
          break;
        case 0x4a:
          trace = from;
          traceEnd = fieldEnd;
          break;
        case 0x52:
          span = from;
          spanEnd = fieldEnd;
          break;
        case 0x62:
          event = from;
          eventEnd = fieldEnd;
          break;
        default:
          return false;
      }
      from = fieldEnd;
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
  clearAttributes();
}

/** Zero is none, and so is what lies after 2262: date_nanos ends there. */
function known(nanos: u64): u64 {
  return nanos > 0x7fff_ffff_ffff_ffff ? 0 : nanos;
}
