// Mutations of protobuf that keep it whole: a field somewhere in the tree of messages is left out, doubled,
// moved, given another number, type or value, or taken from another input, and the lengths of all the
// messages around it are put right. What is a message is guessed: what can be read as fields.

import { type Draft, type Material, someBytes, someFixed, someVarint, varint } from "./mutate.ts";
import type { Random } from "./random.ts";

interface Field {
  /** Of the tag. */
  readonly at: number;
  readonly number: number;
  readonly wireType: number;
  readonly valueAt: number;
  readonly end: number;
}

export function mutateFields(draft: Draft, material: Material): void {
  const { random } = material;
  const input = draft.bytes.subarray(0, draft.length);
  const path = somePath(input, random);
  const last = path.at(-1);
  if (!last) return;
  const replacement = random.of(edits)(input, last, material);
  draft.fill(rebuild(input, path, replacement));
}

/** Fields within fields, down to a random one. */
function somePath(bytes: Uint8Array, random: Random): Field[] {
  const path: Field[] = [];
  let start = 0;
  let end = bytes.length;
  for (;;) {
    const fields = fieldsIn(bytes, start, end);
    if (!fields) return path;
    const field = random.of(fields);
    path.push(field);
    if (field.wireType !== 2 || random.once(6)) return path;
    start = field.valueAt;
    ({ end } = field);
  }
}

/** Undefined where these bytes are no fields. */
function fieldsIn(bytes: Uint8Array, start: number, end: number): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = start; at < end;) {
    const tag = numberAt(bytes, at, end);
    if (!tag || tag.value < 8) return undefined;
    let valueAt = tag.end;
    const wireType = tag.value % 8;
    let to = valueAt;
    if (wireType === 1) to += 8;
    else if (wireType === 5) to += 4;
    else {
      const value = numberAt(bytes, valueAt, end);
      if (!value || (wireType !== 0 && wireType !== 2)) return undefined;
      to = value.end;
      if (wireType === 2) {
        valueAt = to;
        to += value.value;
      }
    }
    if (to > end) return undefined;
    fields.push({ at, number: Math.floor(tag.value / 8), wireType, valueAt, end: to });
    at = to;
  }
  return fields.length > 0 ? fields : undefined;
}

function numberAt(
  bytes: Uint8Array,
  start: number,
  end: number,
): { value: number; end: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 10; at++) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return { value, end: at + 1 };
    scale *= 128;
  }
  return undefined;
}

function rebuild(bytes: Uint8Array, path: readonly Field[], replacement: Uint8Array): Uint8Array {
  let made = replacement;
  for (let level = path.length - 1; level > 0; level--) {
    const parent = path[level - 1]!;
    const child = path[level]!;
    const before = bytes.subarray(parent.valueAt, child.at);
    const behind = bytes.subarray(child.end, parent.end);
    made = field(parent.number, Buffer.concat([before, made, behind]));
  }
  const top = path[0]!;
  return Buffer.concat([bytes.subarray(0, top.at), made, bytes.subarray(top.end)]);
}

function field(number: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([tag(number, 2), varint(BigInt(value.length)), value]);
}

function tag(number: number, wireType: number): Uint8Array {
  return varint(BigInt(number) * 8n + BigInt(wireType));
}

type Edit = (bytes: Uint8Array, field: Field, material: Material) => Uint8Array;

const whole = (bytes: Uint8Array, { at, end }: Field): Uint8Array => bytes.subarray(at, end);
const valueOf = (bytes: Uint8Array, { valueAt, end }: Field): Uint8Array =>
  bytes.subarray(valueAt, end);

const edits: readonly Edit[] = [
  function leaveOut() {
    return new Uint8Array(0);
  },
  function double(bytes, field, { random }) {
    const copies = random.once(16) ? random.few(8) * 16 : 2;
    return Buffer.concat(Array.from({ length: copies }, () => whole(bytes, field)));
  },
  function renumber(bytes, { wireType, valueAt, end, number }, { random }) {
    const other = random.once(8) ? random.next() >>> 3 : number + random.below(9) - 4;
    const length = wireType === 2 ? varint(BigInt(end - valueAt)) : new Uint8Array(0);
    return Buffer.concat([tag(Math.max(other, 0), wireType), length, bytes.subarray(valueAt, end)]);
  },
  function retype(_bytes, { number }, { random }) {
    return someField(number, random);
  },
  function setValue(bytes, one, { random }) {
    const { number, wireType } = one;
    // Of the same length every other time: ids have one that must be.
    if (wireType === 2 && random.once(2)) {
      const value = Buffer.from(valueOf(bytes, one));
      for (let left = random.few(8); left > 0 && value.length > 0; left--) {
        value[random.below(value.length)] = random.next();
      }
      return field(number, value);
    }
    if (wireType === 2) return field(number, someBytes(random, random.once(4) ? 200 : 20));
    const value = wireType === 0 ? someVarint(random) : numberOf(wireType, random);
    return Buffer.concat([tag(number, wireType), value]);
  },
  function addField(bytes, field, { random }) {
    return Buffer.concat([whole(bytes, field), someField(1 + random.below(18), random)]);
  },
  function addForeign(bytes, field, material) {
    const foreign = foreignField(material);
    return foreign ? Buffer.concat([whole(bytes, field), foreign]) : whole(bytes, field);
  },
  function exchange(bytes, field, material) {
    return foreignField(material) ?? whole(bytes, field);
  },
  // The same message in two parts, which protobuf merges.
  function part(bytes, parent, { random }) {
    const fields = parent.wireType === 2 ? fieldsIn(bytes, parent.valueAt, parent.end) : undefined;
    if (!fields) return whole(bytes, parent);
    const { at } = random.of(fields);
    return Buffer.concat([
      field(parent.number, bytes.subarray(parent.valueAt, at)),
      field(parent.number, bytes.subarray(at, parent.end)),
    ]);
  },
  // Deeper: the value becomes a field of a message of its own.
  function wrap(bytes, one, { random }) {
    let value = valueOf(bytes, one);
    const levels = random.once(8) ? 64 : random.few(8);
    for (let level = 0; level < levels; level++) value = field(random.of([1, 2, 5, 6]), value);
    return one.wireType === 2 ? field(one.number, value) : whole(bytes, one);
  },
  function unwrap(bytes, parent) {
    return parent.wireType === 2 ? valueOf(bytes, parent) : whole(bytes, parent);
  },
  function swapChildren(bytes, parent, { random }) {
    const fields = parent.wireType === 2 ? fieldsIn(bytes, parent.valueAt, parent.end) : undefined;
    if (!fields) return whole(bytes, parent);
    const { at } = random.of(fields);
    const [front, back] = [bytes.subarray(parent.valueAt, at), bytes.subarray(at, parent.end)];
    return field(parent.number, Buffer.concat([back, front]));
  },
  function longerLength(bytes, one, { random }) {
    if (one.wireType !== 2) return whole(bytes, one);
    const length = varint(BigInt(one.end - one.valueAt), random.below(11));
    return Buffer.concat([tag(one.number, 2), length, valueOf(bytes, one)]);
  },
  // A list of numbers packed into one field, or one of such a list apart.
  function pack(bytes, one) {
    if (one.wireType !== 2) return field(one.number, valueOf(bytes, one));
    if (one.end - one.valueAt < 8) return whole(bytes, one);
    return Buffer.concat([tag(one.number, 1), bytes.subarray(one.valueAt, one.valueAt + 8)]);
  },
];

function foreignField({ random, other }: Material): Uint8Array | undefined {
  const donor = other();
  const last = somePath(donor, random).at(-1);
  return last && whole(donor, last);
}

function someField(number: number, random: Random): Uint8Array {
  const wireType = random.of([0, 1, 2, 5, 3, 4]);
  if (wireType === 2) return field(number, someBytes(random, 20));
  if (wireType === 3) return Buffer.concat([tag(number, 3), tag(number, 4)]);
  const value = wireType === 0 ? someVarint(random) : numberOf(wireType, random);
  return Buffer.concat([tag(number, wireType), value]);
}

function numberOf(wireType: number, random: Random): Uint8Array {
  const size = wireType === 1 ? 8 : wireType === 5 ? 4 : 0;
  const value = someFixed(random);
  return Buffer.concat([value, value, value]).subarray(0, size);
}
