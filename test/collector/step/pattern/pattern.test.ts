import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePattern, maxProgram } from "../../../../collector/step/pattern/pattern.ts";
import { maxPatternLength } from "../../../../collector/step/pattern/syntax.ts";
import { fuzz } from "../../../support/otlp-arbitrary.ts";

const piece = fc.constantFrom(
  ..."a b ab [ab] [^a] . \\b \\B ^ $ (a|b) (?:ab|b)* a* b+ a?? (a*)* (a|)+ a{2,3} b{0,2} (?:b|) c \\w \\s é 😀".split(
    " ",
  ),
);
const pattern = fc
  .array(fc.array(piece, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 2 })
  .map((options) => options.map((pieces) => pieces.join("")).join("|"));
const text = fc
  .array(fc.constantFrom("a", "b", "c", " ", "\n", "é", "😀"), { maxLength: 8 })
  .map((letters) => letters.join(""));

describe("a pattern", () => {
  it("matches what JavaScript's own regular expressions match", () => {
    fc.assert(
      fc.property(pattern, text, (source, text) => {
        const own = compilePattern(source);
        const theirs = new RegExp(inJavaScript(source), "u");
        expect([source, own.test(text)]).toEqual([source, theirs.test(text)]);
      }),
      fuzz(3000),
    );
  });

  it("finds all that is part of any match, and nothing else", () => {
    fc.assert(
      fc.property(pattern, text, (source, text) => {
        const covered = new Set<number>();
        for (const [from, to] of compilePattern(source).find(text)) {
          expect(from).toBeLessThan(to);
          for (let at = from; at < to; at++) covered.add(at);
        }
        expect([source, [...covered]]).toEqual([source, coveredBy(inJavaScript(source), text)]);
      }),
      fuzz(300),
    );
  });

  it.each([
    ["(?i)straße", "STRASSE straße", [[8, 14]]],
    ["(?i:a)b", "Ab AB", [[0, 2]]],
    ["(?s)a.b", "a\nb", [[0, 3]]],
    ["a.b", "a\nb", []],
    ["(?m)^b$", "a\nb\nc", [[2, 3]]],
    ["^b$", "a\nb\nc", []],
    ["[[:digit:]]+", "a12b", [[1, 3]]],
    ["[^[:alpha:]]", "a1", [[1, 2]]],
    ["[\\d-]+", "1-2a", [[0, 3]]],
    ["[]a]+", "a]b", [[0, 2]]],
    ["\\x41\\x{1F600}", "A😀", [[0, 3]]],
    ["(?P<name>a)(?<other>b)", "ab", [[0, 2]]],
    ["a{2}", "aaa", [[0, 3]]],
    ["a{,2}", "a{,2}", [[0, 5]]],
    ["\\Aa\\z", "a", [[0, 1]]],
    [
      "aXb|b",
      "aXb b",
      [
        [0, 3],
        [4, 5],
      ],
    ],
  ])("%s in %j", (source, text, places) => {
    expect(compilePattern(source).find(text)).toEqual(places);
    expect(compilePattern(source).test(text)).toBe(places.length > 0);
  });

  it.each([
    ["(a", 'lacks a closing ")"'],
    ["a)", 'has a ")" too many'],
    ["[a", 'lacks a closing "]"'],
    ["*a", 'has a "*" with nothing to repeat before it'],
    ["a**", "has a repetition of a repetition; use ( )"],
    ["a\\", "ends with a single \\"],
    ["(a)\\1", "has \\1: backreferences are not possible"],
    ["(?=a)", "has a group (?… that is not known; look-around is not possible"],
    ["(?<!a)", "has a group (?… that is not known; look-around is not possible"],
    ["[b-a]", "has a range b-a that ends before it begins"],
    ["[[:foo:]]", "has [:foo:], which is no class"],
    ["\\pL", "has \\p, which is not available"],
    ["\\x{110000}", "has \\x without a character's number"],
    ["a{1001}", "has a repetition {1001}; at most 1000 is allowed"],
    ["a{3,2}", "has a repetition {3,2}; at most 1000 is allowed"],
    ["(a{1000}){3}", "is too large; use smaller repetitions"],
    ["(".repeat(101), "is nested too deeply"],
    ["a".repeat(maxPatternLength + 1), "is too long, at most 1000 characters are allowed"],
  ])("%s: %s", (source, words) => {
    expect(() => compilePattern(source)).toThrow(words);
  });

  it("may be as large as it may be", () => {
    compilePattern("a{1000}");
    compilePattern(`(?:a{${maxProgram / 2 - 1}}){2}`);
    compilePattern("a".repeat(maxPatternLength));
    compilePattern(`${"(".repeat(99)}a${")".repeat(99)}`);
    expect(() => compilePattern(`(?:a{${maxProgram / 2}}){2}`)).toThrow("is too large");
  });

  it("may repeat nothing as often as it likes", () => {
    const matcher = compilePattern("((((){1000}){1000}){1000}){1000}a");
    expect(matcher.find("ba")).toEqual([[1, 2]]);
    expect(compilePattern("(){3,}b(){2,3}").test("b")).toBe(true);
  });

  it("may repeat a long class", () => {
    const letters = Array.from({ length: 450 }, (_, index) => String.fromCharCode(256 + 2 * index));
    const matcher = compilePattern(`[${letters.join("")}]{1000}`);
    expect(matcher.test(letters.join("").repeat(3))).toBe(true);
    expect(matcher.test(letters.join("").repeat(2))).toBe(false);
  });

  it("is never anything but compiled or refused, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (source) => {
        try {
          compilePattern(source).test("some text");
        } catch (error) {
          expect((error as Error).name).toBe("PatternFault");
        }
      }),
      fuzz(3000),
    );
  });
});

describe("texts that are made to take long", () => {
  // JavaScript's own take years for the first two; a busy machine is why the limit is far off.
  it.each([
    ["(a+)+$", `${"a".repeat(1e6)}!`],
    ["(a|a)*b", "a".repeat(1e6)],
    ["(.*)(.*)(.*)(.*)(.*)[^a]{50}x", "a".repeat(1e6)],
    ["(x+x+)+y", "x".repeat(1e6)],
    ["[ab]*a[ab]{12}c", "ab".repeat(1e5)],
  ])("%s are answered in time that goes with their length", (source, text) => {
    const matcher = compilePattern(source);
    const began = performance.now();
    expect(matcher.test(text)).toBe(false);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("are searched through in such time too, where there is something to find", () => {
    const began = performance.now();
    expect(compilePattern("a(.*b)?").find(`${"a".repeat(1e5)}c`)).toEqual([[0, 1e5]]);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

/** What differs between the two: white space, line ends, and how an empty option is written. */
function inJavaScript(source: string): string {
  return source.replaceAll("\\s", "[\\t\\n\\f\\r ]");
}

function lengthOf(text: string): number {
  return Array.from(text).length;
}

function coveredBy(source: string, text: string): number[] {
  const covered = new Set<number>();
  for (let from = 0; from < text.length; from++) {
    for (let to = from + 1; to <= text.length; to++) {
      const exactly = new RegExp(
        `(?<=^[^]{${lengthOf(text.slice(0, from))}})(?:${source})(?=[^]{${lengthOf(text.slice(to))}}$)`,
        "u",
      );
      const found = exactly.exec(text);
      if (found?.index !== from || found[0].length !== to - from) continue;
      for (let at = from; at < to; at++) covered.add(at);
    }
  }
  return [...covered].toSorted((a, b) => a - b);
}
