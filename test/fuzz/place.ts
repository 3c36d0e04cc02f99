// Which field of which message a byte of a request belongs to, found apart from collector/wire/validate.ts.
// All before that byte has to be sound.

import type { Signal } from "../../collector/wire/batch.ts";
import { type Field, type Message, requests } from "../../collector/wire/schema.ts";

export interface Place {
  /** Such as resource_spans[0].scope_spans[2].spans[7].name, without what the schema does not know. */
  readonly path: string;
  /** How many messages are around it, the request among them. */
  readonly depth: number;
  /** The last of the path. */
  readonly field: Field | undefined;
  /** Of the tag that stands there, or in front of it. */
  readonly number: number;
  readonly wireType: number;
  /** Whether a number of more than eight bytes stands in one of the messages before it. */
}

export function placeOf(signal: Signal, bytes: Uint8Array, offset: number): Place {
  let message: Message | undefined = requests[signal];
  let [start, end] = [0, bytes.length];
  const steps: string[] = [];
  let place: Place = {
    path: "",
    depth: 0,
    field: undefined,
    number: 0,
    wireType: 0,
  };
  for (let depth = 1; message; depth++) {
    const found: Found | undefined = find(bytes, { start, end, offset });
    if (!found) break;
    const field: Field | undefined = message.fields[found.number];
    if (field) steps.push(field.repeated ? `${field.name}[${found.index}]` : field.name);
    const { number, wireType } = found;
    place = { path: steps.join("."), depth, field, number, wireType };
    const isInside = wireType === 2 && offset >= found.valueAt;
    message = isInside && typeof field?.type === "object" ? field.type : undefined;
    [start, end] = [found.valueAt, found.end];
  }
  return place;
}

interface Found {
  readonly number: number;
  readonly wireType: number;
  /** How many fields of this number stand before it. */
  readonly index: number;
  readonly valueAt: number;
  readonly end: number;
}

interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

function find(request: Uint8Array, { start, end, offset }: Stretch): Found | undefined {
  const bytes = request.subarray(0, end);
  const seen = new Map<number, number>();
  for (let at = start; at < end;) {
    const tag = readVarint(bytes, at);
    const number = Number(tag.value >> 3n);
    const wireType = Number(tag.value & 7n);
    const value = wireType === 0 || wireType === 2 ? readVarint(bytes, tag.end) : undefined;
    const valueAt = wireType === 2 ? value!.end : tag.end;
    const size =
      wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? Number(value!.value) : 0;
    const next = Math.min(wireType === 0 ? value!.end : valueAt + size, end);
    const index = seen.get(number) ?? 0;
    seen.set(number, index + 1);
    if (offset < next || next >= end || wireType === 3 || wireType === 4 || wireType > 5) {
      return { number, wireType, index, valueAt, end: next };
    }
    at = next;
  }
  return undefined;
}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; end: number } {
  let value = 0n;
  let at = start;
  for (let shift = 0n; at < bytes.length; shift += 7n) {
    const byte = bytes[at++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { value, end: at };
}
