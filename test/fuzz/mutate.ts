// Makes a new input of one that was found: bits, bytes, numbers, words, pieces moved and mixed. It knows
// nothing of formats; mutate-fields.ts and mutate-text.ts do.

import type { Random } from "./random.ts";

/** An input in the making, of limited length. */
export class Draft {
  readonly bytes: Buffer;
  length = 0;

  constructor(maxBytes: number) {
    this.bytes = Buffer.alloc(maxBytes);
  }

  fill(input: Uint8Array): void {
    this.length = Math.min(input.length, this.bytes.length);
    this.bytes.set(this.length < input.length ? input.subarray(0, this.length) : input);
  }

  /** Puts bytes in the place of `count` others; what does not fit is cut off at the end. */
  replace(at: number, count: number, by: Uint8Array): void {
    const { bytes, length } = this;
    const tail = Math.min(at + count, length);
    const put = Math.min(by.length, bytes.length - at);
    const kept = Math.min(length - tail, bytes.length - at - put);
    const isOwn = by.buffer === bytes.buffer;
    const piece = isOwn ? Uint8Array.prototype.slice.call(by, 0, put) : by.subarray(0, put);
    bytes.copyWithin(at + put, tail, tail + kept);
    bytes.set(piece, at);
    this.length = at + put + kept;
  }

  input(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.bytes, 0, this.length);
  }
}

export interface Material {
  readonly random: Random;
  /** Words of the format. */
  readonly words: readonly Uint8Array[];
  /** Another input. */
  readonly other: () => Uint8Array;
}

type Mutation = (draft: Draft, material: Material) => void;

export function mutate(draft: Draft, material: Material): void {
  material.random.of(mutations)(draft, material);
}

const interestingBytes = [0, 1, 0x0a, 0x12, 0x20, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xfe, 0xff];

const interestingNumbers = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  65_535n,
  65_536n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  (1n << 53n) - 1n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  0x7ff0_0000_0000_0000n, // as doubles: infinity, NaN, −0 and the smallest
  0x7ff8_0000_0000_0001n,
];

/** Also in more bytes than needed, which protobuf allows up to ten. */
export function someVarint(random: Random): Uint8Array {
  return varint(random.of(interestingNumbers), random.once(4) ? random.below(11) : 0);
}

export function varint(value: bigint, leastBytes = 0): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 0x7fn));
    rest >>= 7n;
  } while (rest > 0n || bytes.length < leastBytes);
  for (let at = 0; at < bytes.length - 1; at++) bytes[at]! |= 0x80;
  return Uint8Array.from(bytes);
}

const eightBytes = Buffer.alloc(8);

export function someFixed(random: Random): Uint8Array {
  eightBytes.writeBigUInt64LE(random.of(interestingNumbers));
  return eightBytes.subarray(0, random.once(2) ? 4 : 8);
}

export function someBytes(random: Random, most: number): Uint8Array {
  return Uint8Array.from({ length: random.below(most + 1) }, () => random.next() & 0xff);
}

const nothing = new Uint8Array(0);

const mutations: readonly Mutation[] = [
  function flipBit({ bytes, length }, { random }) {
    if (length > 0) bytes[random.below(length)]! ^= 1 << random.below(8);
  },
  function setByte({ bytes, length }, { random }) {
    if (length > 0) bytes[random.below(length)] = random.next();
  },
  function setInterestingByte({ bytes, length }, { random }) {
    if (length > 0) bytes[random.below(length)] = random.of(interestingBytes);
  },
  function addToByte({ bytes, length }, { random }) {
    if (length > 0) bytes[random.below(length)]! += random.below(33) - 16;
  },
  function insertBytes(draft, { random }) {
    draft.replace(random.below(draft.length + 1), 0, someBytes(random, 8));
  },
  function insertRun(draft, { random }) {
    const run = new Uint8Array(1 + random.below(64)).fill(random.next());
    draft.replace(random.below(draft.length + 1), 0, run);
  },
  function deleteBytes(draft, { random }) {
    draft.replace(random.below(draft.length), 1 + random.below(random.once(4) ? 64 : 8), nothing);
  },
  function cutOff(draft, { random }) {
    if (random.once(4)) draft.length = random.below(draft.length);
  },
  function duplicate(draft, { random }) {
    const { at, end } = piece(random, draft.length);
    draft.replace(
      random.once(2) ? end : random.below(draft.length + 1),
      0,
      draft.bytes.subarray(at, end),
    );
  },
  function copyOver(draft, { random }) {
    const { at, end } = piece(random, draft.length);
    const into = random.below(draft.length);
    draft.replace(into, Math.min(end - at, draft.length - into), draft.bytes.subarray(at, end));
  },
  function setVarint(draft, { random }) {
    const at = random.below(draft.length);
    let end = at;
    while (end < draft.length && end - at < 9 && draft.bytes[end]! >= 0x80) end++;
    draft.replace(at, random.once(4) ? 0 : end - at + 1, someVarint(random));
  },
  function setFixed(draft, { random }) {
    const value = someFixed(random);
    draft.replace(random.below(draft.length), value.length, value);
  },
  insertWord,
  insertWord,
  crossOver,
  crossOver,
];

function insertWord(draft: Draft, { random, words }: Material): void {
  if (words.length === 0) return;
  const word = random.of(words);
  draft.replace(random.below(draft.length + 1), random.once(2) ? word.length : 0, word);
}

function crossOver(draft: Draft, { random, other }: Material): void {
  const donor = other();
  const { at, end } = piece(random, donor.length);
  const into = random.below(draft.length + 1);
  draft.replace(into, random.once(2) ? end - at : 0, donor.subarray(at, end));
}

function piece(random: Random, length: number): { at: number; end: number } {
  const at = random.below(length);
  const size = 1 + random.below(random.once(4) ? length : 32);
  return { at, end: Math.min(at + size, length) };
}
