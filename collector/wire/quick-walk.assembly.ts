// The walk of validate.ts over what is usual, in AssemblyScript: `npm run wasm` makes quick-walk.binary.ts of
// it. It only says yes or no, and no may mean that it does not know. It reads up to 3 KiB past the end
// of a request, which are there and of any content, and compares with the end before it says yes.
//
// Items of a sender are much alike: a span has the fields of the one before, and most of the same lengths.
// So each is held against a model, an item that was walked before: with a mask that says which bits must be
// the same (tags, lengths, the highest bit of ASCII) and which are anybody's (times, ids, the rest of
// letters). Where all of them are, it is as sound as that one: sixteen bytes at a time, a quarter to a third
// of what the walk costs. A field that is not like the model's is walked, and those behind it are held against it again.

import {
  boundariesAt,
  maskAt,
  modelAt,
  mostModelBytes,
  mostModelFields,
} from "./quick-walk-layout.ts";
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
  unlike = 0;
  describedGroup = 0;
  describedScope = 0;
  return isMessage(plan, start, end, 1) ? items : -1;
}

/** A plan is: its model, if it is an item's u32 │ number of actions u32 │ the actions, one byte each │ plans of the fields, u32 each */
function isMessage(plan: usize, start: usize, end: usize, depth: i32): bool {
  return depth <= maxDepth && areFields(plan, start, start, end, depth);
}

function areFields(plan: usize, start: usize, from: usize, end: usize, depth: i32): bool {
  let at = from;
  while (at < end) {
    at = behindField(plan, start, at, end, depth);
    if (at == 0) return false;
  }
  return at == end;
}

/** Of the message from `start` to `end`; 0 if it is for the thorough walk. It may lie behind the end. */
function behindField(plan: usize, start: usize, from: usize, end: usize, depth: i32): usize {
  const known = load<u32>(plan, 4);
  const actions = plan + 8;
  let at = from;
  let tag: u32 = load<u8>(at++);
  if (tag - 8 >= 0x78) {
    if (tag < 8) return 0; // field number 0
    const second: u32 = load<u8>(at++);
    tag = (tag & 0x7f) | (second << 7);
    if (second >= 0x80 || tag < 8) return 0;
  }
  const actionAt = tag < known ? actions + tag : actionsOfUnknown + (tag & 7);
  const action: i32 = load<u8>(actionAt);
  if (action < text) {
    if (action == varint) return behindVarint(at);
    if (action == eightBytes) return behindAny(at, 8);
    return action == fourBytes ? behindAny(at, 4) : 0;
  }
  let length: u32 = load<u8>(at++);
  if (length >= 0x80) {
    const second: u32 = load<u8>(at++);
    length = (length & 0x7f) | ((second & 0x7f) << 7);
    if (second >= 0x80) {
      const third: u32 = load<u8>(at++);
      if (third >= 0x80) return 0;
      length |= third << 14;
    }
  }
  const valueEnd = at + length;
  if (valueEnd > end) return 0;
  switch (action) {
    case text:
      return isText(at, valueEnd) ? valueEnd : 0;
    case attribute:
      return isAttribute(at, valueEnd, depth) ? valueEnd : 0;
    case description:
      if (isDescribed(start, depth == 2)) return 0;
    case nested: {
      const child = load<u32>(actions + known + ((tag >>> 3) << 2));
      const isSound =
        load<u32>(child) != 0
          ? isItem(child, at, valueEnd, depth + 1)
          : isMessage(child, at, valueEnd, depth + 1);
      return isSound ? valueEnd : 0;
    }
    case traceId:
      return length == 16 || length == 0 ? behindAny(at, length) : 0;
    case spanId:
      return length == 8 || length == 0 ? behindAny(at, length) : 0;
    case packedEightBytes:
      return length % 8 == 0 ? behindAny(at, length) : 0;
    case packedVarints:
      return areVarints(at, valueEnd) ? valueEnd : 0;
    case bytesOfAnyKind:
      return behindAny(at, length);
    default:
      return 0;
  }
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
    toMask == 0 && // a model is walked field by field
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
    at = behindVarint(at);
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
  if ((i8x16.bitmask(v128.load(at)) & own) != 0) return isUtf8(at, end);
  if (toMask != 0) loosen(start, end, onlyHighestBit);
  return true;
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

// ── items that are like the one before ───────────────────────────────────────────────────────────

/** From where a byte of the item that becomes a model lies to its byte of the mask; 0 while none does. */
let toMask: usize = 0;
/** Items of this request that were not like their model. */
let unlike: u32 = 0;

/** With more fields than this that differ, an item is no more held against its model. */
const mostMisses: u32 = 8;
/** Of those that are not like it, every so many becomes the model, which costs twice the walk. */
const modelEvery: u32 = 16;

const onlyHighestBit: u8 = 0x80;

function isItem(plan: usize, start: usize, end: usize, depth: i32): bool {
  items++;
  const model: usize = load<u32>(plan);
  const length: usize = load<u32>(model);
  let at = start;
  let done: usize = 0; // of the model
  let boundary = model + boundariesAt;
  for (let misses: u32 = 0; done < length && misses < mostMisses; misses++) {
    const alike = alikeUntil(model, done, length, at);
    if (alike == length && at + (length - done) == end) return true;
    let next: usize = load<u32>(boundary);
    while (next <= alike && at + (next - done) <= end) {
      at += next - done;
      done = next;
      boundary += 4;
      next = load<u32>(boundary);
    }
    if (at == end) return true;
    if (done == length) break;
    // Fields mostly stand in the order of their numbers: one of the two may lack what the other has.
    const tag = load<u8>(at);
    const modelTag = load<u8>(model + done, modelAt);
    if (tag <= modelTag) {
      at = behindField(plan, start, at, end, depth);
      if (at == 0 || at > end) return false;
      if (at == end) return true;
    }
    if (tag >= modelTag) {
      done = next;
      boundary += 4;
    }
  }
  const isNewModel = unlike++ % modelEvery == 0 && end - start <= <usize>mostModelBytes;
  if (isNewModel) return becomesModel(model, plan, start, end, depth);
  return areFields(plan, start, at, end, depth);
}

/** Where in the model the first byte is that the bytes from `at` on are not like; at most its length. */
function alikeUntil(model: usize, from: usize, length: usize, at: usize): usize {
  const ahead = at - from;
  for (let place = from; place < length; place += 16) {
    const its = model + place;
    const differing = v128.and(
      v128.xor(v128.load(ahead + place), v128.load(its, modelAt)),
      v128.load(its, maskAt),
    );
    if (v128.any_true(differing)) {
      const equal = i8x16.bitmask(i8x16.eq(differing, i8x16.splat(0)));
      return place + <usize>ctz(~equal);
    }
  }
  return length;
}

/** A walk that notes where fields end and what may differ. */
function becomesModel(model: usize, plan: usize, start: usize, end: usize, depth: i32): bool {
  const length = end - start;
  store<u32>(model, 0); // until it is known to be sound
  memory.fill(model + maskAt, 0xff, length);
  memory.fill(model + maskAt + length, 0, 16);
  toMask = model + maskAt - start;
  let boundary = model + boundariesAt;
  const enough = boundary + 4 * <usize>mostModelFields;
  let at = start;
  while (at < end && at != 0) {
    at = behindField(plan, start, at, end, depth);
    store<u32>(boundary, at - start);
    if (boundary < enough) boundary += 4;
  }
  toMask = 0;
  if (at != end) return false;
  store<u32>(boundary, <u32>-1); // that nothing reaches
  if (boundary == enough) return true;
  memory.copy(model + modelAt, start, length);
  store<u32>(model, length);
  return true;
}

/** Says which bits of these must be as in the model. */
function loosen(start: usize, end: usize, bits: u8): void {
  memory.fill(start + toMask, bits, end - start);
}

function behindAny(at: usize, length: usize): usize {
  if (toMask != 0) loosen(at, at + length, 0);
  return at + length;
}

/** Of as many bytes as in the model: of ten, the last one must be the same. 0 if it is too long. */
function behindVarint(at: usize): usize {
  const end = varintEnd(at);
  if (toMask != 0 && end != 0) loosen(at, min(end, at + 9), onlyHighestBit);
  return end;
}
