// The walk of validate.ts over what is usual, in AssemblyScript: `npm run wasm` makes quick-walk.binary.ts of
// it. It only says yes or no, and no may mean that it does not know. It reads up to 300 bytes past the end
// of a request, which are there and of any content, and compares with the end before it says yes.

import {
  attribute,
  bytesOfAnyKind,
  description,
  eightBytes,
  fourBytes,
  maxDepth,
  nested,
  packedEightBytes,
  packedVarints,
  spanId,
  text,
  traceId,
  varint,
} from "./walk-rules.ts";

let items: u32 = 0;
// The groups that were described last, known by where they begin.
let describedGroup: usize = 0;
let describedScope: usize = 0;
let planOfAttribute: usize = 0;
let actionsOfUnknown: usize = 0;

/** Where these lie, once and for all. */
export function prepare(attributes: usize, unknown: usize): void {
  planOfAttribute = attributes;
  actionsOfUnknown = unknown;
}

/** How many items there are between the two; -1 if that is for the thorough walk to find out. */
export function count(plan: usize, start: usize, end: usize): i32 {
  items = 0;
  describedGroup = 0;
  describedScope = 0;
  return isMessage(plan, start, end, 1) ? items : -1;
}

/** A plan is: isItem u32 │ number of actions u32 │ the actions, one byte each │ plans of the fields, u32 each */
function isMessage(plan: usize, start: usize, end: usize, depth: i32): bool {
  if (depth > maxDepth) return false;
  items += load<u32>(plan);
  const known = load<u32>(plan, 4);
  const actions = plan + 8;
  let at = start;
  while (at < end) {
    let tag: u32 = load<u8>(at++);
    if (tag - 8 >= 0x78) {
      if (tag < 8) return false; // field number 0
      const second: u32 = load<u8>(at++);
      tag = (tag & 0x7f) | (second << 7);
      if (second >= 0x80 || tag < 8) return false;
    }
    const from = tag < known ? actions + tag : actionsOfUnknown + (tag & 7);
    const action: i32 = load<u8>(from);
    if (action >= text) {
      let length: u32 = load<u8>(at++);
      if (length >= 0x80) {
        const second: u32 = load<u8>(at++);
        length = (length & 0x7f) | ((second & 0x7f) << 7);
        if (second >= 0x80) {
          const third: u32 = load<u8>(at++);
          if (third >= 0x80) return false;
          length |= third << 14;
        }
      }
      const valueEnd = at + length;
      if (valueEnd > end) return false;
      switch (action) {
        case text:
          if (!isText(at, valueEnd)) return false;
          break;
        case attribute:
          if (!isAttribute(at, valueEnd, depth)) return false;
          break;
        case description:
          if (isDescribed(start, depth == 2)) return false;
        case nested: {
          const child = load<u32>(actions + known + ((tag >>> 3) << 2));
          if (!isMessage(child, at, valueEnd, depth + 1)) return false;
          break;
        }
        case traceId:
          if (length != 16 && length != 0) return false;
          break;
        case spanId:
          if (length != 8 && length != 0) return false;
          break;
        case packedEightBytes:
          if (length % 8 != 0) return false;
          break;
        case packedVarints:
          if (!areVarints(at, valueEnd)) return false;
          break;
        case bytesOfAnyKind:
          break;
        default:
          return false;
      }
      at = valueEnd;
    } else if (action == varint) {
      at = varintEnd(at);
      if (at == 0) return false;
    } else if (action == eightBytes) at += 8;
    else if (action == fourBytes) at += 4;
    else return false;
  }
  return at == end;
}

/** Whether it was before: then its resource or scope stands in several parts. */
function isDescribed(start: usize, isGroup: bool): bool {
  const before = isGroup ? describedGroup : describedScope;
  if (isGroup) describedGroup = start;
  else describedScope = start;
  return before == start;
}

/** The usual forms in one go: 0a │ length │ key │ 12 │ length │ a text or a number */
function isAttribute(start: usize, end: usize, depth: i32): bool {
  const keyLength: usize = load<u8>(start, 1);
  const key = start + 2;
  const keyEnd = key + keyLength;
  const value = keyEnd + 2;
  const length = end - value;
  const isShort =
    value < end && // so that everything looked at below lies before the end
    load<u8>(start) == 0x0a &&
    load<u16>(keyEnd) == (0x12 | (length << 8)) &&
    length < 0x80 &&
    keyLength < 0x80 &&
    depth + 2 <= maxDepth;
  if (isShort) {
    const first: u32 = load<u16>(value);
    const isTextAlone = first == (0x0a | ((length - 2) << 8));
    if (isTextAlone) return isText(key, keyEnd) && isText(value + 2, end);
    const tag = first & 0xff;
    const isNumber =
      ((tag == 0x18 || tag == 0x10) && varintEnd(value + 1) == end) || (tag == 0x21 && length == 9);
    if (isNumber) return isText(key, keyEnd);
  }
  return isMessage(planOfAttribute, start, end, depth + 1);
}

function areVarints(start: usize, end: usize): bool {
  let at = start;
  while (at < end) {
    at = varintEnd(at);
    if (at == 0) return false;
  }
  return at == end;
}

/** 0 if it is too long. */
function varintEnd(from: usize): usize {
  return load<u8>(from) < 0x80 ? from + 1 : longVarintEnd(from);
}

function longVarintEnd(from: usize): usize {
  let at = from;
  for (let length = 1; length <= 10; length++) {
    const byte = load<u8>(at++);
    if (byte < 0x80) return length == 10 && byte > 1 ? 0 : at;
  }
  return 0;
}

/** Sixteen bytes at a time; of what comes behind the end, the bits are cut off. */
function isText(start: usize, end: usize): bool {
  let at = start;
  while (end - at >= 16) {
    if (i8x16.bitmask(v128.load(at)) != 0) return isUtf8(at, end);
    at += 16;
  }
  const own = (1 << (<i32>(end - at))) - 1;
  return (i8x16.bitmask(v128.load(at)) & own) == 0 || isUtf8(at, end);
}

/** Overlong forms, surrogates and what lies beyond U+10FFFF are refused, as protobuf asks. */
function isUtf8(start: usize, end: usize): bool {
  let at = start;
  while (at < end) {
    const first: u32 = load<u8>(at);
    if (first < 0x80) {
      at++;
      continue;
    }
    const more: u32 = first >= 0xc2 && first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (first < 0xc2 || more == 0 || at + more >= end) return false;
    const second: u32 = load<u8>(at, 1);
    const least: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const most: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return false;
    for (let next = at + 2; next <= at + more; next++) {
      if ((load<u8>(next) & 0xc0) != 0x80) return false;
    }
    at += more + 1;
  }
  return true;
}
