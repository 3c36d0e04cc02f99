// Names the field that holds a byte of a request. Only faults need it, so the walk that finds them keeps
// no account of where it is.

import type { Signal } from "./batch.ts";
import { type Field, type Message, requests } from "./schema.ts";

/** Such as resource_spans[0].scope_spans[2].spans[7].name */
export function pathTo(signal: Signal, bytes: Uint8Array, offset: number): string {
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
    for (let scale = 1; at < end && scale < 2 ** 70; scale *= 128) {
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
