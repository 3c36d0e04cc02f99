// From the text of an expression to its words, as the grammar of CEL has them.

import { ExpressionFault, type Literal, shown } from "./syntax.ts";
import { maxInt, minInt, Uint } from "./values.ts";

export interface Token {
  readonly kind: "end" | "literal" | "name" | "quoted name" | "sign";
  /** The name or the sign as it is written. */
  readonly text: string;
  readonly value: Literal;
  readonly start: number;
  readonly end: number;
}

/** A condition of this length is no condition but a mistake. */
export const maxLength = 16_384;

export function tokensOf(text: string): Token[] {
  if (text.length > maxLength) {
    throw new ExpressionFault(maxLength, `is too long, at most ${maxLength} characters`);
  }
  const tokens: Token[] = [];
  let at = skipBlank(text, 0);
  while (at < text.length) {
    const token = tokenAt(text, at);
    tokens.push(token);
    at = skipBlank(text, token.end);
  }
  tokens.push({ kind: "end", text: "", value: null, start: at, end: at });
  return tokens;
}

function skipBlank(text: string, from: number): number {
  blank.lastIndex = from;
  blank.test(text);
  return blank.lastIndex;
}

const blank = /(?:[ \t\n\f\r]|\/\/[^\n]*)*/y;
const number = /0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?|\d+[uU]?/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const quotedName = /`([A-Za-z0-9_.\-/ ]+)`/y;
const opening = /([rR]?[bB]?|[bB][rR])("""|'''|"|')/y;
const sign = /==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()[\]{}]/y;

function tokenAt(text: string, start: number): Token {
  const quote = matchAt(opening, text, start);
  if (quote) return stringAt(text, start, quote);
  const digits = matchAt(number, text, start)?.[0];
  if (digits) {
    const end = start + digits.length;
    if (/^[\w.]/.test(text.slice(end)) && /^\w/.test(text.slice(end))) {
      throw new ExpressionFault(start, "is not a number");
    }
    return { kind: "literal", text: digits, value: numberOf(digits, start), start, end };
  }
  const word = matchAt(name, text, start)?.[0];
  if (word) {
    const end = start + word.length;
    if (word === "in") return { kind: "sign", text: word, value: null, start, end };
    const constant = constants.get(word);
    if (constant === undefined) return { kind: "name", text: word, value: null, start, end };
    return { kind: "literal", text: word, value: constant, start, end };
  }
  const quoted = matchAt(quotedName, text, start);
  if (quoted) {
    const end = start + quoted[0].length;
    return { kind: "quoted name", text: quoted[1] ?? "", value: null, start, end };
  }
  const found = matchAt(sign, text, start)?.[0];
  if (found) {
    return { kind: "sign", text: found, value: null, start, end: start + found.length };
  }
  throw new ExpressionFault(start, wordsFor(text, start));
}

const constants: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/** What people who come from another language write. */
function wordsFor(text: string, start: number): string {
  switch (text[start]) {
    case "=":
      return '"=" compares nothing; did you mean "=="?';
    case "&":
      return 'there is no "&"; did you mean "&&"?';
    case "|":
      return 'there is no "|"; did you mean "||"?';
    case "`":
      return "a name in backticks has letters, digits, spaces and _ . - / only, and a second backtick";
    default: {
      const letter = String.fromCodePoint(text.codePointAt(start) ?? 0);
      return `${JSON.stringify(letter)} has no meaning here; is a quote missing?`;
    }
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

// ── numbers ──────────────────────────────────────────────────────────────────────────────────────

/** 2^63 is let through for the minus that may stand before it; whoever reads it without one refuses. */
function numberOf(digits: string, at: number): Literal {
  if (/^(?!0[xX]).*[.eE]/.test(digits)) {
    const value = Number(digits);
    if (Number.isFinite(value)) return value;
    throw new ExpressionFault(at, `${shown(digits)} is too large a number`);
  }
  if (/[uU]$/.test(digits)) {
    const value = BigInt(digits.slice(0, -1));
    if (value > 0xffff_ffff_ffff_ffffn) throw tooLarge(digits, at);
    return new Uint(value);
  }
  const value = BigInt(digits);
  if (value > -minInt) throw tooLarge(digits, at);
  return value;
}

function tooLarge(digits: string, at: number): ExpressionFault {
  const words = `${shown(digits)} has more than 64 bits, at most ${maxInt} is possible`;
  return new ExpressionFault(at, words);
}

// ── text ─────────────────────────────────────────────────────────────────────────────────────────

function stringAt(text: string, start: number, [whole, prefix = "", quote = ""]: RegExpExecArray) {
  const isRaw = /r/i.test(prefix);
  const from = start + whole.length;
  const to = closingQuote(text, { from, quote, isRaw });
  if (to === undefined) throw new ExpressionFault(start, `has no closing ${quote}`);
  const inner = text.slice(from, to);
  const isBytes = /b/i.test(prefix);
  const value = isRaw && !isBytes ? inner : unescaped(inner, { at: from, isRaw, isBytes });
  return { kind: "literal", text: whole, value, start, end: to + quote.length } as const;
}

interface Quoted {
  readonly from: number;
  readonly quote: string;
  readonly isRaw: boolean;
}

function closingQuote(text: string, { from, quote, isRaw }: Quoted): number | undefined {
  for (let at = from; at < text.length; at++) {
    if (text.startsWith(quote, at)) return at;
    const letter = text[at];
    if (letter === "\\" && !isRaw) at++;
    else if (quote.length === 1 && (letter === "\n" || letter === "\r")) return undefined;
  }
  return undefined;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ...["\\", "?", '"', "'", "`"].map((letter) => [letter, letter] as const),
]);

const escape =
  /\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))/suy;

interface Inner {
  readonly at: number;
  readonly isRaw: boolean;
  readonly isBytes: boolean;
}

/** In bytes an escaped number is a byte, in text a character. */
function unescaped(inner: string, { at, isRaw, isBytes }: Inner): string | Uint8Array {
  const parts: Uint8Array[] = [];
  let text = "";
  for (let from = 0; from < inner.length;) {
    const backslash = isRaw ? -1 : inner.indexOf("\\", from);
    const to = backslash < 0 ? inner.length : backslash;
    text += inner.slice(from, to);
    from = to;
    if (to === inner.length) break;
    const [whole, x, X, u, U, octal, letter] = matchAt(escape, inner, to) ?? [];
    const hex = x ?? X ?? u ?? U;
    const code = hex ? Number.parseInt(hex, 16) : octal ? Number.parseInt(octal, 8) : undefined;
    const known = letter === undefined ? undefined : escapes.get(letter);
    const isText = u !== undefined || U !== undefined;
    if (whole === undefined || (code === undefined && known === undefined)) {
      throw new ExpressionFault(at + to, `${inner.slice(to, to + 2)} is no escape; write \\\\`);
    }
    if (code !== undefined && (!isCharacter(code) || (isBytes && isText))) {
      throw new ExpressionFault(at + to, `${whole} is not a character`);
    }
    if (isBytes && code !== undefined) {
      parts.push(Buffer.from(text), Uint8Array.of(code));
      text = "";
    } else text += known ?? String.fromCodePoint(code ?? 0);
    from = to + whole.length;
  }
  return isBytes ? Uint8Array.from(Buffer.concat([...parts, Buffer.from(text)])) : text;
}

function isCharacter(code: number): boolean {
  return code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff);
}
