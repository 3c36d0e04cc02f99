// Finds secrets in a text without decoding it: one pass over its bytes that stops only at those a secret
// can be told by. Each look ahead or back from there is over bytes that no other look goes over again, or
// over a few, so that the time is that of the length whatever the text is.
//
//   ://user:password@      name=value      "name": "value"      name: value      Bearer …
//   AKIA… ghp_… xoxb-… eyJ….….…      -----BEGIN PRIVATE KEY-----      4111 1111 1111 1111

import { type Names, parameter, secret, type Verdict, harmless, allowed } from "./names.ts";
import { findCard, findPrivateKey, findToken, firstBytes, firstPairs } from "./tokens.ts";

/** Pairs of offsets, in order. */
export type Hits = number[];

const colon = 1;
const equalsSign = 2;
const dash = 3;
const letter = 4;
const digit = 5;

/** What to do at a byte: most of them begin nothing, and letters and digits only begin a word. */
function kindsOf({ isWellKnown, hasCards }: ScanOptions): Uint8Array {
  const kinds = new Uint8Array(256);
  kinds[0x3a] = colon;
  kinds[0x3d] = equalsSign;
  if (isWellKnown) {
    kinds[0x2d] = dash;
    for (const first of firstBytes) kinds[first] = letter;
  }
  if (hasCards) for (const first of Buffer.from("23456")) kinds[first] = digit;
  return kinds;
}

export interface ScanOptions {
  readonly names: Names;
  readonly isWellKnown: boolean;
  readonly hasCards: boolean;
}

export class Scanner {
  readonly #names: Names;
  readonly #isWellKnown: boolean;
  readonly #kinds: Uint8Array;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #end = 0;

  constructor(options: ScanOptions) {
    this.#names = options.names;
    this.#isWellKnown = options.isWellKnown;
    this.#kinds = kindsOf(options);
  }

  /** Adds to the hits; false if there are none. */
  scan(bytes: Uint8Array, start: number, end: number, hits: Hits): boolean {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const kinds = this.#kinds;
    const before = hits.length;
    for (let at = start; at < end; at++) {
      const kind = kinds[bytes[at]!]!;
      if (kind === 0) continue;
      if (kind >= letter) {
        if (kind === letter && firstPairs[bytes[at]! * 256 + bytes[at + 1]!] !== 1) continue;
        if (at > start && isWord[bytes[at - 1]!] === 1) continue;
      }
      const next = this.#look(kind, at, hits);
      if (next > at) at = next - 1;
    }
    return hits.length > before;
  }

  /** Where to go on; 0 for the next byte. */
  #look(kind: number, at: number, hits: Hits): number {
    const bytes = this.#bytes;
    switch (kind) {
      case colon:
        if (bytes[at + 1] !== 0x2f || bytes[at + 2] !== 0x2f) return this.#named(at, hits);
        return this.#isWellKnown ? this.#userInfo(at + 3, hits) : 0;
      case equalsSign:
        return this.#assigned(at, hits);
      case dash:
        return findPrivateKey(bytes, at, this.#end, hits);
      case letter:
        return findToken(bytes, at, this.#end, hits);
      default:
        return findCard(bytes, at, this.#end, hits);
    }
  }

  /** Behind `://`: everything before the last @ of the authority. */
  #userInfo(from: number, hits: Hits): number {
    const bytes = this.#bytes;
    let sign = -1;
    for (let at = from; at < this.#end && endsAuthority[bytes[at]!] === 0; at++) {
      if (bytes[at] === 0x40) sign = at;
    }
    if (sign <= from) return 0;
    hits.push(from, sign);
    return sign;
  }

  /** `name=value`: in a query, a form, a command line, a connection string. */
  #assigned(at: number, hits: Hits): number {
    const isComparison = this.#bytes[at + 1] === 0x3d;
    if (isComparison || this.#verdict(at) < parameter) return 0;
    return this.#value(at + 1, hits, endsValue);
  }

  /** `"name": "value"` and `name: value`, which is how objects and headers are logged. */
  #named(at: number, hits: Hits): number {
    const bytes = this.#bytes;
    let nameEnd = at;
    const isQuoted = at > this.#start && isQuote(bytes[at - 1]!);
    if (isQuoted && bytes[--nameEnd - 1] === backslash) nameEnd--;
    let from = at + 1;
    while (from < at + 4 && (bytes[from] === 0x20 || bytes[from] === 0x09)) from++;
    if (!isQuoted && from === at + 1) return 0; // a:b may be anything
    if (isQuoted && !isQuote(bytes[from]!) && bytes[from] !== backslash) return 0; // a number, null
    if (this.#verdict(nameEnd) < secret) return 0;
    // Cookies have spaces and semicolons among them.
    const isCookie = (bytes[nameEnd - 1]! | 0x20) === 0x65 || (bytes[nameEnd - 1]! | 0x20) === 0x73;
    return this.#value(from, hits, !isQuoted && isCookie ? endsLine : endsValue);
  }

  /** A value up to its closing quote, or to what stands behind values. */
  #value(start: number, hits: Hits, ends: Uint8Array): number {
    const bytes = this.#bytes;
    const isEscaped = bytes[start] === backslash;
    let from = isEscaped ? start + 1 : start;
    let to = from;
    if (from < this.#end && isQuote(bytes[from]!)) {
      to = this.#quoteEnd(++from, bytes[from - 1]!, isEscaped);
    } else {
      from = to = this.#behindScheme(start);
      while (to < this.#end && ends[bytes[to]!] === 0) to++;
    }
    if (to <= from || from >= this.#end) return 0;
    hits.push(from, to);
    return to;
  }

  #quoteEnd(from: number, quote: number, isEscaped: boolean): number {
    const bytes = this.#bytes;
    for (let at = from; at < this.#end; at++) {
      if (bytes[at] === quote) return isEscaped && bytes[at - 1] === backslash ? at - 1 : at;
      if (bytes[at] === backslash && !isEscaped) at++;
    }
    return this.#end;
  }

  /** Of `Authorization: Bearer abc` the first word may be read. */
  #behindScheme(from: number): number {
    const word = Buffer.from(this.#bytes.subarray(from, Math.min(this.#end, from + 8)));
    const [scheme] = /^(bearer|basic|digest|token) /i.exec(word.toString("latin1")) ?? [];
    return from + (scheme?.length ?? 0);
  }

  /** Of the name that ends here. */
  #verdict(end: number): Verdict {
    const bytes = this.#bytes;
    let from = end;
    while (from > this.#start && end - from < maxName && isName[bytes[from - 1]!] === 1) from--;
    while (from < end && isWord[bytes[from]!] === 0) from++; // --password
    if (from === end) return harmless;
    const verdict = this.#names.judge(bytes, from, end);
    return verdict === allowed ? harmless : verdict;
  }
}

const maxName = 64;
const backslash = 0x5c;

function isQuote(byte: number): boolean {
  return byte === 0x22 || byte === 0x27;
}

const isWord = table(/\w/);
const isName = table(/[\w.-]/);
const endsAuthority = table(/[\0- /?#\\"'<>`{}|^,)\]]/);
const endsValue = table(/[\0- &;,"'<>`)}\]|#\\]/);
const endsLine = table(/[\n\r]/);

function table(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    Number(byte < 128 && pattern.test(String.fromCharCode(byte))),
  );
}
