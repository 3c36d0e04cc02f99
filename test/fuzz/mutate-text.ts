// Mutations of text with brackets, quotes and numbers: JSON, YAML, headers.

import type { Draft, Material } from "./mutate.ts";
import type { Random } from "./random.ts";

export function mutateText(draft: Draft, material: Material): void {
  const { random } = material;
  const token = someToken(draft.bytes.subarray(0, draft.length), random);
  if (!token) return;
  const { at, end } = token;
  switch (random.below(6)) {
    case 0:
      draft.replace(at, end - at, new Uint8Array(0));
      return;
    case 1:
      draft.replace(end, 0, Buffer.concat([Buffer.from(","), draft.bytes.subarray(at, end)]));
      return;
    case 2:
      draft.replace(at, end - at, Buffer.from(random.of(literals)));
      return;
    case 3: {
      const open = random.of(["[", "{", '{"a":', "[[[["]);
      const text = draft.bytes.subarray(at, end);
      const close = open === "[[[[" ? "]]]]" : open === "[" ? "]" : "}";
      draft.replace(at, end - at, Buffer.concat([Buffer.from(open), text, Buffer.from(close)]));
      return;
    }
    default: {
      const donor = material.other();
      const foreign = someToken(donor, random);
      if (foreign) draft.replace(at, end - at, donor.subarray(foreign.at, foreign.end));
    }
  }
}

const literals = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "-1",
  "1.0",
  "1e3",
  "0.1e1",
  "1e400",
  "-1e-400",
  "9007199254740993",
  "18446744073709551615",
  "18446744073709551616",
  "-9223372036854775808",
  "9223372036854775808",
  '"18446744073709551615"',
  '"1e3"',
  '"NaN"',
  '"Infinity"',
  '"-Infinity"',
  '""',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  "{}",
  "[]",
  "[null]",
  '"AAEC_-8="',
  '"0123456789abcdef"',
  '"0123456789ABCDEF0123456789abcdef"',
  "é",
];

/** From a bracket or quote to its partner, or a run of digits and letters. */
function someToken(bytes: Uint8Array, random: Random): { at: number; end: number } | undefined {
  if (bytes.length === 0) return undefined;
  const from = random.below(bytes.length);
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) return { at, end: endOfString(bytes, at) };
    if (byte === 0x5b || byte === 0x7b) return { at, end: endOfBrackets(bytes, at) };
    if (!isWord(byte)) continue;
    let end = at;
    while (end < bytes.length && isWord(bytes[end]!)) end++;
    return { at, end };
  }
  return undefined;
}

function isWord(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || (byte | 0x20) - 0x61 < 26 || byte === 0x2d || byte === 0x2e
  );
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return Math.min(at + 1, bytes.length);
}

function endOfBrackets(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) at = endOfString(bytes, at) - 1;
    else if (byte === 0x5b || byte === 0x7b) depth++;
    else if ((byte === 0x5d || byte === 0x7d) && --depth === 0) return at + 1;
  }
  return bytes.length;
}
