// Secrets that are known by their own looks, whatever they are called: the tokens of well-known services,
// JSON web tokens, private keys, and the numbers of credit cards.

import { tokens } from "../../wire/secrets.ts";
import type { Hits } from "./scan.ts";

interface Look {
  readonly prefix: Uint8Array;
  /** Bytes behind the prefix that belong to it: at least so many, of these. */
  readonly least: number;
  readonly set: Uint8Array;
}

const word = setOf("A-Za-z0-9_");
const segments = setOf("A-Za-z0-9_\\-.");

/** By their first byte. */
const looks = new Map<number, Look[]>();
for (const [prefixes, least, bytes] of tokens) {
  const set = setOf(bytes);
  for (const prefix of prefixes.split(" ")) {
    const first = prefix.charCodeAt(0);
    const look = { prefix: Buffer.from(prefix), least, set };
    looks.set(first, [...(looks.get(first) ?? []), look]);
  }
}

/** First bytes of all that `findToken` knows. */
export const firstBytes: ReadonlySet<number> = new Set([...looks.keys(), ...Buffer.from("eBb")]);

/** And the first two, as one number: most words that begin like a token go on otherwise. */
export const firstPairs = new Uint8Array(1 << 16);
for (const { prefix } of [...looks.values()].flat()) mark(prefix);
for (const prefix of ["ey", "Be", "be", "BE", "Ba", "ba", "BA"]) mark(Buffer.from(prefix));

function mark(prefix: Uint8Array): void {
  firstPairs[prefix[0]! * 256 + prefix[1]!] = 1;
}

/**
 * At the beginning of a word. Gives where to go on: behind what was looked at, whether or not it was a
 * secret, so that nothing is looked at twice; 0 if nothing begins here.
 */
export function findToken(bytes: Uint8Array, at: number, end: number, hits: Hits): number {
  const first = bytes[at]!;
  if (first === 0x65) return findWebToken(bytes, at, end, hits);
  if ((first | 0x20) === 0x62) return findBearer(bytes, at, end, hits);
  for (const { prefix, least, set } of looks.get(first) ?? []) {
    if (!startsWith(bytes, at, prefix)) continue;
    const from = at + prefix.length;
    const to = runEnd(bytes, from, end, set);
    if (to - from >= least) hits.push(at, to);
    return to;
  }
  return 0;
}

const webToken = Buffer.from("eyJ");

/** Three parts of base64 with dots between: header, claims, signature. */
function findWebToken(bytes: Uint8Array, at: number, end: number, hits: Hits): number {
  if (!startsWith(bytes, at, webToken)) return 0;
  const to = runEnd(bytes, at, end, segments);
  let dots = 0;
  let least = to - at;
  let from = at;
  for (let next = at; next <= to && dots < 3; next++) {
    if (next < to && bytes[next] !== 0x2e) continue;
    if (dots < 2) least = Math.min(least, next - from);
    if (next < to) dots++;
    from = next + 1;
  }
  if (dots >= 2 && least >= 8) hits.push(at, to);
  return to;
}

const schemes = [Buffer.from("bearer "), Buffer.from("basic ")];
const credentials = setOf("A-Za-z0-9._~+/=\\-");

/** A digit among them tells credentials from a sentence about them. */
function findBearer(bytes: Uint8Array, at: number, end: number, hits: Hits): number {
  for (const scheme of schemes) {
    if (!startsWith(bytes, at, scheme, 0x20)) continue;
    const from = at + scheme.length;
    const to = runEnd(bytes, from, end, credentials);
    const hasDigit = bytes.subarray(from, to).some((byte) => byte >= 0x30 && byte <= 0x39);
    if (to - from >= 8 && hasDigit) hits.push(from, to);
    return to;
  }
  return 0;
}

const keyBegins = Buffer.from("-----BEGIN ");
const keyKind = Buffer.from("PRIVATE KEY-----");
const keyEnds = Buffer.from("-----END ");
/** Kinds have names such as "RSA PRIVATE KEY". */
const kindLength = 40;

/** A private key in PEM, to its end or to that of the text. */
export function findPrivateKey(bytes: Uint8Array, at: number, end: number, hits: Hits): number {
  if (bytes[at + 5] !== 0x42 || !startsWith(bytes, at, keyBegins)) return 0;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, end);
  const kind = text.subarray(0, Math.min(end, at + kindLength)).indexOf(keyKind, at);
  if (kind < 0) return 0;
  const ending = text.indexOf(keyEnds, kind);
  const line = ending < 0 ? -1 : text.subarray(0, ending + kindLength).indexOf("-----", ending + 5);
  const to = line < 0 ? end : line + 5;
  hits.push(at, to);
  return to;
}

/** Digits in groups, as they are printed on cards, with the right check digit. */
export function findCard(bytes: Uint8Array, at: number, end: number, hits: Hits): number {
  let digits = 0;
  let sum = 0;
  let other = 0;
  let to = at;
  for (let next = at; next < end && digits < 20; next++) {
    const byte = bytes[next]!;
    if (byte >= 0x30 && byte <= 0x39) {
      // Which digits count twice is only known at the last one, so both sums are kept.
      const value = byte - 0x30;
      const twice = value > 4 ? value * 2 - 9 : value * 2;
      [sum, other] = [other + value, sum + twice];
      digits++;
      to = next + 1;
    } else if ((byte !== 0x20 && byte !== 0x2d) || to < next) break;
  }
  const isCard = digits >= 13 && digits <= 19 && sum % 10 === 0 && !isWordAt(bytes, to, end);
  if (isCard && bytes[at]! >= 0x32 && bytes[at]! <= 0x36) hits.push(at, to);
  return to;
}

function isWordAt(bytes: Uint8Array, at: number, end: number): boolean {
  return at < end && word[bytes[at]!] === 1;
}

/** `fold` is 0x20 to take capital letters for small ones. */
function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array, fold = 0): boolean {
  for (let index = 0; index < prefix.length; index++) {
    if ((bytes[at + index]! | fold) !== prefix[index]) return false;
  }
  return true;
}

function runEnd(bytes: Uint8Array, from: number, end: number, set: Uint8Array): number {
  let to = from;
  while (to < end && set[bytes[to]!] === 1) to++;
  return to;
}

function setOf(ranges: string): Uint8Array {
  const pattern = new RegExp(`[${ranges}]`);
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    Number(byte < 128 && pattern.test(String.fromCharCode(byte))),
  );
}
