// Regular expressions of our own: refused in words, or run over a text in a time that goes with both.

import { compilePattern, type Matcher } from "../../../collector/step/pattern/pattern.ts";
import { PatternFault } from "../../../collector/step/pattern/syntax.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "pattern",
    covers: [
      "collector/step/pattern/syntax.ts",
      "collector/step/pattern/pattern.ts",
      "collector/step/pattern/character-set.ts",
    ],
    seeds: () => patterns.map((source) => Buffer.from(source)),
    words: [
      ..."(?i) (?: (?P<a> (?s-m: {2} {0,3} {1000} () [^a-c] [[:alpha:]]".split(" "),
      ..."\\b \\B \\A \\z \\x{1F600} | * +? ^ $ \n \u00e9".split(" "),
    ],
    maxBytes: 160,
    // A program has up to 2,000 instructions for each character of the text, however short the pattern.
    turns: 200_000,
    run,
    inspect: compare,
  },
];

const separator = "\0";
const patterns = [
  "(a|b)*c?$\0abab",
  "^[a-c]{2,3}\\b.\0abc d",
  "(?i)stra\u00dfe|(?s:.)\\d+\0STRASSE 12",
  "(a{0,3}|())+?(?m)^b$\0a\nb",
  "[[:digit:]\\-x]\\x41\\B\0-A",
  "(a*)*b|(a|)+\0aaab",
  "((((){1000}){1000}){1000}){1000}a\0a",
];

const maxText = 12;

/** The pattern, and the text behind the first separator. */
function partsOf(input: Uint8Array): { source: string; text: string } {
  const [source = "", ...rest] = Buffer.from(input).toString("utf8").split(separator);
  return { source, text: rest.join(separator).slice(0, maxText) };
}

function run(input: Uint8Array): boolean {
  const { source, text } = partsOf(input);
  const matcher = compiled(source);
  if (!matcher) return false;
  const isMatch = matcher.test(text);
  demand(matcher.test(text) === isMatch, () => "the second time it is another answer");
  const found = matcher.find(text);
  demand(isMatch || found.length === 0, () => `finds ${found.join()} where nothing matches`);
  let last = -1;
  for (const [start, end] of found) {
    demand(start > last && end > start && end <= text.length, () => found.join());
    last = end;
  }
  return true;
}

function compiled(source: string): Matcher | undefined {
  try {
    return compilePattern(source);
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    demand(/^[^]{1,200}$/.test(error.message), () => error.message);
    return undefined;
  }
}

/** Where JavaScript's own mean the same and cannot take long. */
function compare(input: Uint8Array, isTaken: boolean): void {
  const { source, text } = partsOf(input);
  if (!isTaken || source.length > 30 || !/^[a-c]*$/.test(text)) return;
  if (!/^(?:[a-c|*+?.^$]|\((?!\?)|\)|\[\^?[a-c]+\]|\{[0-3](?:,[0-3]?)?\})*$/.test(source)) return;
  const theirs = own(source);
  if (!theirs) return;
  const ours = compilePattern(source).test(text);
  demand(ours === theirs.test(text), () => `${source} in ${text}: ${ours}`);
}

/** Undefined for what is none to JavaScript, such as ^*. */
function own(source: string): RegExp | undefined {
  try {
    return new RegExp(source, "u");
  } catch {
    return undefined;
  }
}
