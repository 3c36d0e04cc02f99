// Reads a regular expression in the syntax of RE2, which is what CEL's `matches` takes. What could not be
// matched in linear time — backreferences, look-around — is not in it.

import { printable, shorten } from "../../wire/printable.ts";
import { CharacterSet, named, posix } from "./character-set.ts";

export type Pattern =
  | { readonly kind: "empty" }
  | { readonly kind: "set"; readonly set: CharacterSet }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  | {
      readonly kind: "repeat";
      readonly part: Pattern;
      readonly least: number;
      readonly most: number;
    };

export type Assertion =
  | "text start"
  | "text end"
  | "line start"
  | "line end"
  | "word edge"
  | "no word edge";

export class PatternFault extends Error {
  override readonly name = "PatternFault";

  constructor(words: string) {
    super(shorten(printable(words), maxWords));
  }
}

const maxWords = 300;

export const maxPatternLength = 1000;
/** What RE2 allows. */
const maxRepeat = 1000;
const maxDepth = 100;

/** Throws a PatternFault. */
export function parsePattern(source: string): Pattern {
  if (source.length > maxPatternLength) {
    throw new PatternFault(`is too long, at most ${maxPatternLength} characters are allowed`);
  }
  const reader = new Reader(Array.from(source));
  const pattern = reader.choice({ isCaseless: false, isMultiline: false, hasAll: false });
  if (!reader.isDone) throw new PatternFault('has a ")" too many');
  return pattern;
}

interface Flags {
  readonly isCaseless: boolean;
  readonly isMultiline: boolean;
  /** The dot takes line ends too. */
  readonly hasAll: boolean;
}

class Reader {
  readonly #letters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(letters: readonly string[]) {
    this.#letters = letters;
  }

  get isDone(): boolean {
    return this.#at >= this.#letters.length;
  }

  choice(flags: Flags): Pattern {
    if (++this.#depth > maxDepth) throw new PatternFault("is nested too deeply");
    const options: Pattern[] = [];
    let now = flags;
    do {
      const { pattern, flags: after } = this.#sequence(now);
      options.push(pattern);
      now = after;
    } while (this.#takes("|"));
    this.#depth--;
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  /** `(?i)` counts from where it stands to the end of the group. */
  #sequence(given: Flags): { pattern: Pattern; flags: Flags } {
    const parts: Pattern[] = [];
    let flags = given;
    while (!this.isDone && !this.#is("|") && !this.#is(")")) {
      const set = this.#flagsAlone(flags);
      if (set) flags = set;
      else parts.push(this.#repeated(this.#atom(flags)));
    }
    const pattern: Pattern = parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
    return { pattern, flags };
  }

  #repeated(part: Pattern): Pattern {
    let repeated = part;
    for (let count = 0; ; count++) {
      const range = this.#range();
      if (!range) return repeated;
      if (count > 0) throw new PatternFault("has a repetition of a repetition; use ( )");
      this.#takes("?"); // as few as possible or as many, the same texts match
      repeated = { kind: "repeat", part: repeated, ...range };
    }
  }

  #range(): { least: number; most: number } | undefined {
    if (this.#takes("*")) return { least: 0, most: Infinity };
    if (this.#takes("+")) return { least: 1, most: Infinity };
    if (this.#takes("?")) return { least: 0, most: 1 };
    const found = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#rest(12));
    if (!found) return undefined;
    this.#at += found[0].length;
    const least = Number(found[1]);
    const most = found[2] === undefined ? least : found[3] ? Number(found[3]) : Infinity;
    if (least > maxRepeat || (most !== Infinity && most > maxRepeat) || most < least) {
      throw new PatternFault(`has a repetition ${found[0]}; at most ${maxRepeat} is allowed`);
    }
    return { least, most };
  }

  #atom(flags: Flags): Pattern {
    const letter = this.#take();
    switch (letter) {
      case "(":
        return this.#group(flags);
      case "[":
        return { kind: "set", set: this.#class(flags) };
      case ".":
        return { kind: "set", set: flags.hasAll ? named.any : named.notNewline };
      case "^":
        return { kind: "assertion", assertion: flags.isMultiline ? "line start" : "text start" };
      case "$":
        return { kind: "assertion", assertion: flags.isMultiline ? "line end" : "text end" };
      case "*":
      case "+":
      case "?":
        throw new PatternFault(`has a "${letter}" with nothing to repeat before it`);
      case "\\":
        return this.#escape(flags);
      default:
        return { kind: "set", set: single(letter, flags) };
    }
  }

  #group(flags: Flags): Pattern {
    let inner = flags;
    if (this.#takes("?")) {
      const name = /^P?<[A-Za-z_]\w{0,63}>/.exec(this.#rest(70));
      const set = /^([imsU]{0,4})(?:-([imsU]{1,4}))?:/.exec(this.#rest(12));
      if (name) this.#at += name[0].length;
      else if (set) {
        this.#at += set[0].length;
        inner = changed(flags, set[1], set[2]);
      } else
        throw new PatternFault("has a group (?… that is not known; look-around is not possible");
    }
    const pattern = this.choice(inner);
    if (!this.#takes(")")) throw new PatternFault('lacks a closing ")"');
    return pattern;
  }

  #flagsAlone(flags: Flags): Flags | undefined {
    const found = /^\(\?([imsU]{0,4})(?:-([imsU]{1,4}))?\)/.exec(this.#rest(14));
    if (!found) return undefined;
    this.#at += found[0].length;
    return changed(flags, found[1], found[2]);
  }

  #escape(flags: Flags): Pattern {
    if (this.isDone) throw new PatternFault("ends with a single \\");
    const letter = this.#letters[this.#at]!;
    const assertion = assertions.get(letter);
    if (assertion) {
      this.#at++;
      return { kind: "assertion", assertion };
    }
    if (/[1-9]/.test(letter))
      throw new PatternFault(`has \\${letter}: backreferences are not possible`);
    return { kind: "set", set: this.#escapedSet(flags) };
  }

  /** Behind the backslash, within a class or outside. */
  #escapedSet(flags: Flags): CharacterSet {
    const letter = this.#take();
    const known = classes.get(letter);
    if (known) return known;
    return single(this.#escapedLetter(letter), flags);
  }

  #escapedLetter(letter: string): string {
    const control = controls.get(letter);
    if (control !== undefined) return control;
    if (letter === "x") {
      const found = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(this.#rest(8));
      const code = Number.parseInt(found?.[1] ?? found?.[2] ?? "110000", 16);
      if (!found || code > 0x10_ffff)
        throw new PatternFault("has \\x without a character's number");
      this.#at += found[0].length;
      return String.fromCodePoint(code);
    }
    if (/[A-Za-z0-9]/.test(letter))
      throw new PatternFault(`has \\${letter}, which is not available`);
    return letter;
  }

  /** Behind the opening bracket. */
  #class(flags: Flags): CharacterSet {
    const isNegated = this.#takes("^");
    const sets: CharacterSet[] = [];
    for (let isFirst = true; isFirst || !this.#is("]"); isFirst = false) {
      if (this.isDone) throw new PatternFault('lacks a closing "]"');
      sets.push(this.#classPart(flags));
    }
    this.#at++;
    const union = CharacterSet.union(sets);
    return isNegated ? union.negated() : union;
  }

  #classPart(flags: Flags): CharacterSet {
    const found = /^\[:(\^?)([a-z]{1,8}):\]/.exec(this.#rest(14));
    if (found) {
      this.#at += found[0].length;
      const set = posix.get(found[2] ?? "");
      if (!set) throw new PatternFault(`has ${found[0]}, which is no class`);
      return found[1] ? set.negated() : set;
    }
    const first = this.#take();
    let low = first;
    if (first === "\\") {
      if (this.isDone) throw new PatternFault('lacks a closing "]"');
      const letter = this.#take();
      const known = classes.get(letter);
      if (known) return known;
      low = this.#escapedLetter(letter);
    }
    if (!this.#is("-") || this.#letters[this.#at + 1] === "]") return single(low, flags);
    this.#at++;
    let high = this.isDone ? "" : this.#take();
    if (high === "\\" && !this.isDone) high = this.#escapedLetter(this.#take());
    if (high === "" || codeOf(high) < codeOf(low)) {
      throw new PatternFault(`has a range ${low}-${high} that ends before it begins`);
    }
    const set = CharacterSet.range(codeOf(low), codeOf(high));
    return flags.isCaseless ? set.withoutCase() : set;
  }

  #is(letter: string): boolean {
    return this.#letters[this.#at] === letter;
  }

  #takes(letter: string): boolean {
    if (!this.#is(letter)) return false;
    this.#at++;
    return true;
  }

  #take(): string {
    return this.#letters[this.#at++]!; // whoever calls has seen that there is one
  }

  #rest(count: number): string {
    return this.#letters.slice(this.#at, this.#at + count).join("");
  }
}

const assertions: ReadonlyMap<string, Assertion> = new Map([
  ["A", "text start"],
  ["z", "text end"],
  ["b", "word edge"],
  ["B", "no word edge"],
]);

const classes: ReadonlyMap<string, CharacterSet> = new Map([
  ["d", named.digit],
  ["D", named.digit.negated()],
  ["s", named.space],
  ["S", named.space.negated()],
  ["w", named.word],
  ["W", named.word.negated()],
]);

const controls: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["f", "\f"],
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
  ["v", "\v"],
]);

function single(letter: string, { isCaseless }: Flags): CharacterSet {
  const set = CharacterSet.range(codeOf(letter), codeOf(letter));
  return isCaseless ? set.withoutCase() : set;
}

function codeOf(letter: string): number {
  return letter.codePointAt(0) ?? 0;
}

function changed(flags: Flags, on = "", off = ""): Flags {
  const now = (letter: string, before: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || before;
  return {
    isCaseless: now("i", flags.isCaseless),
    isMultiline: now("m", flags.isMultiline),
    hasAll: now("s", flags.hasAll),
  };
}
