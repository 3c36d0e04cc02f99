// The one walk over foreign bytes. It checks what everything behind it relies on — wire types, lengths,
// varints, depth, UTF-8, id lengths — and counts the items, without making an object per item. What it
// accepts may be read with Cursor and merged by concatenation; what it refuses changes nothing.

import type { Batch, Signal } from "./batch.ts";
import { type Field, type Message, requests } from "./schema.ts";

export type Validation =
  | { readonly kind: "valid"; readonly batch: Batch }
  /** `items` is how many the walk had come to. */
  | { readonly kind: "invalid"; readonly problem: WireProblem; readonly items: number };

export interface WireProblem {
  /** Such as resource_spans[0].scope_spans[2].spans[7].name */
  readonly path: string;
  readonly offset: number;
  readonly why: string;
}

/** Messages within messages, the request being the first. */
export const maxDepth = 64;

export function validate(signal: Signal, bytes: Uint8Array): Validation {
  const walk = new Walk(bytes);
  try {
    walk.message(plans[signal], 0, bytes.length, 1);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { offset, why } = error;
    const problem = { path: pathTo(signal, bytes, offset), offset, why };
    return { kind: "invalid", problem, items: walk.items };
  }
  return { kind: "valid", batch: { signal, bytes, items: walk.items } };
}

/** For other messages than requests: whether they may be read with Cursor. */
export function isReadable(message: Message, bytes: Uint8Array): boolean {
  try {
    new Walk(bytes).message(planOf(message), 0, bytes.length, 1);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

export function describeProblem({ path, offset, why }: WireProblem): string {
  return `${path ? `${path}: ` : ""}${why} (at byte ${offset})`;
}

// ── what the walk knows of a message, laid out for speed ─────────────────────────────────────────

const unknown = 0;
const varint = 1;
const eightBytes = 2;
const fourBytes = 3;
const text = 4;
const plainBytes = 5;
const traceId = 6;
const spanId = 7;
const nested = 8;
const packedVarints = 9;
const packedEightBytes = 10;

interface Plan {
  readonly isItem: boolean;
  /** What a field is, by its number. */
  readonly kinds: Uint8Array;
  readonly children: readonly (Plan | undefined)[];
}

const made = new Map<Message, Plan>();

function planOf(message: Message): Plan {
  const known = made.get(message);
  if (known) return known;
  const children: (Plan | undefined)[] = [];
  const kinds = Uint8Array.from(message.fields, (field) => (field ? kindOf(field) : unknown));
  const plan = { isItem: message.isItem, kinds, children };
  made.set(message, plan); // before its children: AnyValue holds itself
  for (const field of message.fields) {
    children.push(field && typeof field.type === "object" ? planOf(field.type) : undefined);
  }
  return plan;
}

function kindOf({ type, repeated, idLength }: Field): number {
  if (typeof type === "object") return nested;
  switch (type) {
    case "string":
      return text;
    case "bytes":
      return idLength === 16 ? traceId : idLength === 8 ? spanId : plainBytes;
    case "fixed32":
      return fourBytes;
    case "double":
    case "fixed64":
    case "sfixed64":
      return repeated ? packedEightBytes : eightBytes;
    default:
      return repeated ? packedVarints : varint;
  }
}

const plans: Readonly<Record<Signal, Plan>> = {
  traces: planOf(requests.traces),
  metrics: planOf(requests.metrics),
  logs: planOf(requests.logs),
};

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

class Walk {
  items = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  message(plan: Plan, start: number, end: number, depth: number): void {
    if (depth > maxDepth) throw new Fault(start, `nested deeper than ${maxDepth} messages`);
    if (plan.isItem) this.items++;
    const { kinds, children } = plan;
    this.#at = start;
    while (this.#at < end) {
      const from = this.#at;
      const tag = this.#tag(end);
      const number = tag >>> 3;
      const kind = number < kinds.length ? kinds[number]! : unknown;
      switch (tag & 7) {
        case 0:
          if (kind !== varint && kind !== unknown && kind !== packedVarints) {
            throw wrongType(from, number, 0);
          }
          this.#skipVarint(end);
          break;
        case 1:
          if (kind !== eightBytes && kind !== unknown && kind !== packedEightBytes) {
            throw wrongType(from, number, 1);
          }
          this.#skip(8, end);
          break;
        case 2: {
          const valueEnd = this.#valueEnd(end);
          if (kind === nested) this.message(children[number]!, this.#at, valueEnd, depth + 1);
          else this.#value(kind, number, { from, end: valueEnd });
          this.#at = valueEnd;
          break;
        }
        case 5:
          if (kind !== fourBytes && kind !== unknown) throw wrongType(from, number, 5);
          this.#skip(4, end);
          break;
        default:
          throw new Fault(from, `wire type ${tag & 7}, which OTLP does not use`);
      }
    }
  }

  /** A length-delimited value that is not a message. */
  #value(kind: number, number: number, { from, end }: { from: number; end: number }): void {
    const start = this.#at;
    const length = end - start;
    switch (kind) {
      case text:
        this.#checkUtf8(start, end);
        return;
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
        while (this.#at < end) this.#skipVarint(end);
        return;
      case plainBytes:
      case unknown:
        return;
      default:
        throw wrongType(from, number, 2);
    }
  }

  #tag(end: number): number {
    const from = this.#at;
    let tag = this.#bytes[this.#at++]!;
    if (tag >= 0x80) {
      tag &= 0x7f;
      for (let scale = 128; ; scale *= 128) {
        if (this.#at >= end) throw new Fault(from, "cut off within a field's tag");
        const byte = this.#bytes[this.#at++]!;
        tag += (byte & 0x7f) * scale;
        if (tag > 0xffff_ffff || scale > 2 ** 28)
          throw new Fault(from, "field number out of range");
        if (byte < 0x80) break;
      }
    }
    if (tag < 8) throw new Fault(from, "field number 0");
    return tag;
  }

  #valueEnd(end: number): number {
    const from = this.#at;
    let length = 0;
    let scale = 1;
    for (;;) {
      if (this.#at >= end) throw new Fault(from, "cut off within a length");
      const byte = this.#bytes[this.#at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
      if (scale > 2 ** 28) throw new Fault(from, "a length of more than five bytes");
    }
    if (length > end - this.#at) {
      throw new Fault(from, `length ${length}, but only ${end - this.#at} bytes remain`);
    }
    return this.#at + length;
  }

  #skipVarint(end: number): void {
    const from = this.#at;
    for (let count = 1; ; count++) {
      if (this.#at >= end) throw new Fault(from, "cut off within a number");
      const byte = this.#bytes[this.#at++]!;
      if (byte < 0x80) {
        if (count === 10 && byte > 1) throw new Fault(from, "a number of more than 64 bits");
        return;
      }
      if (count === 10) throw new Fault(from, "a number of more than ten bytes");
    }
  }

  #skip(count: number, end: number): void {
    if (end - this.#at < count) {
      throw new Fault(this.#at, `${count} bytes expected, but only ${end - this.#at} remain`);
    }
    this.#at += count;
  }

  /**
   * Overlong forms, surrogates and what lies beyond U+10FFFF are refused, as protobuf asks. Four bytes of
   * ASCII are taken at a time: text is most of what is sent.
   */
  #checkUtf8(start: number, end: number): void {
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      if (at + 4 <= end && (this.#view.getInt32(at) & 0x8080_8080) === 0) {
        at += 4;
        continue;
      }
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

const wrongType = (from: number, number: number, wireType: number): Fault =>
  new Fault(from, `field ${number} has wire type ${wireType}, which is not its own`);

const wrongId = (from: number, what: string, limit: number, length: number): Fault =>
  new Fault(from, `a ${what} of ${length} bytes; it must have ${limit}`);

const notText = (at: number): Fault => new Fault(at, "not valid UTF-8");

// ── the path of a fault, found only when there is one ────────────────────────────────────────────

function pathTo(signal: Signal, bytes: Uint8Array, offset: number): string {
  const steps: string[] = [];
  let message: Message | undefined = requests[signal];
  let start = 0;
  let end = bytes.length;
  while (message) {
    const found = fieldAt(bytes, { start, end, offset });
    const field: Field | undefined = found && message.fields[found.number];
    if (!found || !field) break;
    steps.push(field.repeated ? `${field.name}[${found.index}]` : field.name);
    message = typeof field.type === "object" && found.wireType === 2 ? field.type : undefined;
    // A fault in the tag or length itself belongs to the field, not to what is in it.
    if (offset < found.start) break;
    ({ start, end } = found);
  }
  return steps.join(".");
}

interface Found {
  readonly number: number;
  readonly wireType: number;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** The field that holds the byte at `offset`. Everything before it has been found sound by the walk. */
function fieldAt(
  bytes: Uint8Array,
  { start, end, offset }: { start: number; end: number; offset: number },
): Found | undefined {
  const seen: number[] = [];
  let at = start;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; at < end && scale < 2 ** 53; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < end) {
    const tag = number();
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    const index = seen[field] ?? 0;
    if (field < 32) seen[field] = index + 1;
    let valueStart = at;
    if (wireType === 0) number();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = number();
      valueStart = at;
      at += length;
    } else return { number: field, wireType, index, start: at, end };
    if (offset < at || at >= end) {
      return { number: field, wireType, index, start: valueStart, end: Math.min(at, end) };
    }
  }
  return undefined;
}
