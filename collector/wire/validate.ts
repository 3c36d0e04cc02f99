// The one walk over foreign bytes. It checks what everything behind it relies on — wire types, lengths,
// varints, depth, UTF-8, id lengths — and counts the items, without making an object per item. What it
// accepts may be read with Cursor and merged by concatenation; what it refuses changes nothing.

import type { Batch, Signal } from "./batch.ts";
import { joinParts } from "./join-parts.ts";
import { pathTo } from "./path.ts";
import { actionsOfUnknown, type Plan, planOf, planOfAttribute } from "./plan.ts";
import { quickCount } from "./quick-walk.ts";
import { type Message, requests } from "./schema.ts";
import {
  attribute,
  description,
  eightBytes,
  fourBytes,
  maxDepth,
  nested,
  noWireType,
  packedEightBytes,
  packedVarints,
  spanId,
  text,
  traceId,
  varint,
} from "./walk-rules.ts";

export type Validation =
  /** Its bytes are those that were given, but for a resource or a scope in several parts: see joinParts. */
  | { readonly kind: "valid"; readonly batch: Batch }
  /** `items` is how many the walk had come to. */
  | { readonly kind: "invalid"; readonly problem: WireProblem; readonly items: number };

export interface WireProblem {
  /** Such as resource_spans[0].scope_spans[2].spans[7].name */
  readonly path: string;
  readonly offset: number;
  readonly why: string;
}

export function validate(signal: Signal, bytes: Uint8Array): Validation {
  const items = quickCount(signal, bytes);
  if (items === undefined) return validateThoroughly(signal, bytes);
  return { kind: "valid", batch: { signal, bytes, items } };
}

/** Whatever the quick walk leaves: rare forms, large requests, and what is wrong with the others. */
export function validateThoroughly(signal: Signal, bytes: Uint8Array): Validation {
  const whole = { start: 0, end: bytes.length, depth: 1 };
  const { items, isParted, fault } = check(requests[signal], bytes, whole);
  if (!fault) {
    return { kind: "valid", batch: { signal, bytes: isParted ? joinParts(bytes) : bytes, items } };
  }
  const { offset, why } = fault;
  return { kind: "invalid", problem: { path: pathTo(signal, bytes, offset), offset, why }, items };
}

/** For other messages than requests: whether they may be read with Cursor. */
export function isReadable(message: Message, bytes: Uint8Array): boolean {
  return check(message, bytes, { start: 0, end: bytes.length, depth: 1 }).fault === undefined;
}

export interface Part {
  readonly start: number;
  readonly end: number;
  /** How many messages it lies in, itself being the last. */
  readonly depth: number;
}

/** The walk over one message within others. */
export function check(message: Message, bytes: Uint8Array, { start, end, depth }: Part): Checked {
  const walk = new Walk(bytes);
  try {
    walk.message(planOf(message), start, end, depth);
    return walk;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    walk.fault = error;
    return walk;
  }
}

export interface Checked {
  /** How many the walk had come to. */
  readonly items: number;
  /** Whether a resource or a scope stands in several parts. */
  readonly isParted: boolean;
  readonly fault: { readonly offset: number; readonly why: string } | undefined;
}

export function describeProblem({ path, offset, why }: WireProblem): string {
  return `${path ? `${path}: ` : ""}${why} (at byte ${offset})`;
}

// ── the walk ─────────────────────────────────────────────────────────────────────────────────────

class Fault extends Error {
  override readonly name = "Fault";
  readonly offset: number;
  readonly why: string;

  constructor(offset: number, why: string) {
    super(why);
    this.offset = offset;
    this.why = why;
  }
}

/** Places are handed on as arguments and results: in a field, each step would be a load and a store. */
class Walk {
  items = 0;
  isParted = false;
  fault: Fault | undefined;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the number read last ends. */
  #after = 0;
  /** The groups that were described last, known by where they begin. */
  #describedGroup = -1;
  #describedScope = -1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  message(plan: Plan, start: number, end: number, depth: number): void {
    if (depth > maxDepth) throw new Fault(start, `nested deeper than ${maxDepth} messages`);
    if (plan.isItem) this.items++;
    const bytes = this.#bytes;
    const { actions } = plan;
    for (let at = start; at < end;) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag >= 0x80 || tag < 8) {
        tag = this.#longTag(from, end);
        at = this.#after;
      }
      const action = tag < actions.length ? actions[tag]! : actionsOfUnknown[tag & 7]!;
      if (action >= text && action <= description) {
        let valueEnd = at + 1 + bytes[at]!;
        if (bytes[at]! < 0x80 && valueEnd <= end) at++;
        else {
          valueEnd = this.#valueEnd(at, end);
          at = this.#after;
        }
        if (action === text) this.#checkText(at, valueEnd);
        else if (action === attribute) this.#attribute(at, valueEnd, depth);
        else if (action === nested) {
          this.message(plan.children[tag >>> 3]!, at, valueEnd, depth + 1);
        } else if (action === description) {
          this.#describe(start, depth === 2);
          this.message(plan.children[tag >>> 3]!, at, valueEnd, depth + 1);
        } else this.#value(action, { from, start: at, end: valueEnd });
        at = valueEnd;
      } else if (action === varint) at = this.#varintEnd(at, end);
      else if (action === eightBytes) at = fixedEnd(at, 8, end);
      else if (action === fourBytes) at = fixedEnd(at, 4, end);
      else throw wrongType(from, tag, action);
    }
  }

  #describe(start: number, isGroup: boolean): void {
    if (start === (isGroup ? this.#describedGroup : this.#describedScope)) this.isParted = true;
    if (isGroup) this.#describedGroup = start;
    else this.#describedScope = start;
  }

  /**
   * Most of what is sent are attributes, most of them a short key with a short text or a number:
   *   0a │ length │ key │ 12 │ length │ 0a │ length │ text
   *   0a │ length │ key │ 12 │ length │ 18 │ varint
   * These are taken in one go, which halves the cost of the whole walk; any other goes its usual way.
   */
  #attribute(start: number, end: number, depth: number): void {
    const bytes = this.#bytes;
    const key = start + 2;
    const keyEnd = key + bytes[start + 1]!;
    const value = keyEnd + 2;
    const isShort =
      value < end && // so that everything looked at below lies before the end
      depth + 2 <= maxDepth &&
      bytes[start] === 0x0a &&
      bytes[start + 1]! < 0x80 &&
      bytes[keyEnd] === 0x12 &&
      bytes[keyEnd + 1]! < 0x80 &&
      bytes[keyEnd + 1] === end - value;
    if (isShort) {
      const isText = bytes[value] === 0x0a && bytes[value + 1] === end - value - 2;
      if (isText) {
        this.#checkText(key, keyEnd);
        this.#checkText(value + 2, end);
        return;
      }
      if (bytes[value] === 0x18 && this.#varintEnd(value + 1, end) === end) {
        this.#checkText(key, keyEnd);
        return;
      }
    }
    this.message(planOfAttribute, start, end, depth + 1);
  }

  /** A length-delimited value that is neither a message nor text. */
  #value(action: number, { from, start, end }: Stretch): void {
    const length = end - start;
    switch (action) {
      case traceId:
        if (length !== 16 && length !== 0) throw wrongId(from, "trace id", 16, length);
        return;
      case spanId:
        if (length !== 8 && length !== 0) throw wrongId(from, "span id", 8, length);
        return;
      case packedEightBytes:
        if (length % 8 !== 0)
          throw new Fault(from, `${length} bytes are no list of 8-byte numbers`);
        return;
      case packedVarints:
        for (let at = start; at < end;) at = this.#varintEnd(at, end);
        return;
      default: // bytes of any kind
    }
  }

  /** Of more than one byte; or a field number 0. */
  #longTag(from: number, end: number): number {
    let at = from;
    let tag = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= end) throw new Fault(from, "cut off within a field's tag");
      const byte = this.#bytes[at++]!;
      tag += (byte & 0x7f) * scale;
      if (tag > 0xffff_ffff || scale > 2 ** 28) throw new Fault(from, "field number out of range");
      if (byte < 0x80) break;
    }
    if (tag < 8) throw new Fault(from, "field number 0");
    this.#after = at;
    return tag;
  }

  /** Reads a length; `#after` is where the value begins. */
  #valueEnd(from: number, end: number): number {
    let at = from;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= end) throw cutOff(from, end, "cut off within a length");
      if (scale > 2 ** 28) throw new Fault(from, "a length of more than five bytes");
      const byte = this.#bytes[at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (length > end - at) {
      throw new Fault(from, `length ${length}, but only ${end - at} bytes remain`);
    }
    this.#after = at;
    return at + length;
  }

  #varintEnd(from: number, end: number): number {
    let at = from;
    for (let count = 1; ; count++) {
      if (at >= end) throw cutOff(from, end, "cut off within a number");
      const byte = this.#bytes[at++]!;
      if (byte < 0x80) {
        if (count === 10 && byte > 1) throw new Fault(from, "a number of more than 64 bits");
        return at;
      }
      if (count === 10) throw new Fault(from, "a number of more than ten bytes");
    }
  }

  /**
   * Four bytes of ASCII are taken at a time: text is most of what is sent. The last four may overlap those
   * before them, which is cheaper than to look at what is left one by one.
   */
  #checkText(start: number, end: number): void {
    const view = this.#view;
    const last = end - 4;
    if (last < start) {
      const bytes = this.#bytes;
      for (let at = start; at < end; at++) if (bytes[at]! >= 0x80) return this.#checkUtf8(at, end);
      return;
    }
    let high = view.getInt32(last, true);
    for (let at = start; at < last; at += 4) high |= view.getInt32(at, true);
    if ((high & 0x8080_8080) !== 0) this.#checkUtf8(start, end);
  }

  /** Overlong forms, surrogates and what lies beyond U+10FFFF are refused, as protobuf asks. */
  #checkUtf8(start: number, end: number): void {
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      const first = bytes[at]!;
      if (first < 0x80) {
        at++;
        continue;
      }
      const more = first >= 0xc2 && first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
      if (first < 0xc2 || more === 0 || at + more >= end) throw notText(at);
      const second = bytes[at + 1]!;
      const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      if (second < least || second > most) throw notText(at);
      for (let next = at + 2; next <= at + more; next++) {
        if ((bytes[next]! & 0xc0) !== 0x80) throw notText(at);
      }
      at += more + 1;
    }
  }
}

interface Stretch {
  /** Where the field begins. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

function fixedEnd(at: number, count: number, end: number): number {
  if (end - at >= count) return at + count;
  throw cutOff(at, end, `${count} bytes expected, but only ${end - at} remain`);
}

/** Where nothing at all follows a tag, the place is the tag: the next byte is another field's. */
function cutOff(at: number, end: number, why: string): Fault {
  return new Fault(Math.min(at, end - 1), why);
}

function wrongType(from: number, tag: number, action: number): Fault {
  const wireType = tag & 7;
  if (action === noWireType)
    return new Fault(from, `wire type ${wireType}, which OTLP does not use`);
  return new Fault(from, `field ${tag >>> 3} has wire type ${wireType}, which is not its own`);
}

const wrongId = (from: number, what: string, limit: number, length: number): Fault =>
  new Fault(from, `a ${what} of ${length} bytes; it must have ${limit}`);

const notText = (at: number): Fault => new Fault(at, "not valid UTF-8");
