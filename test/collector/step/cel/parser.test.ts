import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxDepth } from "../../../../collector/step/cel/parser.ts";
import { maxLength } from "../../../../collector/step/cel/tokens.ts";
import { functionNames } from "../../../../collector/step/cel/functions.ts";
import { variables } from "../../../../collector/step/cel/variables.ts";
import { fuzz } from "../../../support/otlp-arbitrary.ts";
import { evaluate, faultOf } from "./evaluate.ts";

const word = fc.constantFrom(
  ...Object.keys(variables),
  ...functionNames,
  ..."attributes name kind x y has all exists map filter true null 1 -2 3u 4.5 'a' \"b\" b'c' r'\\' [] {}".split(
    " ",
  ),
  ..."( ) [ ] { } . , : ? ! - + * / % < > <= >= == != && || in ` ' \" \\ // \n".split(" "),
  "duration('1s')",
  "span.attributes['a']",
);

describe("reading an expression", () => {
  it("ends with a value or a fault at a place, whatever the text is", () => {
    const text = fc.oneof(
      fc.array(word, { maxLength: 12 }).map((words) => words.join("")),
      fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
      fc.string({ unit: "binary", maxLength: 30 }),
    );
    fc.assert(
      fc.property(text, (text) => {
        const fault = faultOf(text);
        if (fault === undefined) evaluate(text);
        else expect(fault).toMatch(/^at (line \d+, )?column \d+: ./);
      }),
      fuzz(5000),
    );
  });

  it.each([
    ["parentheses", (count: number) => `${"(".repeat(count)}true${")".repeat(count)}`],
    ["negations", (count: number) => `${"!".repeat(count)}true`],
    ["lists", (count: number) => `${"[".repeat(count)}${"]".repeat(count)} == []`],
    ["sums", (count: number) => `${"1 + ".repeat(count)}1 == 1`],
    ["choices", (count: number) => `${"true ? false : ".repeat(count)}true`],
    ["fields", (count: number) => `log.body${".a".repeat(count)} == 1`],
  ])(`of many %s ends with words, not with the stack`, (_, make) => {
    expect(faultOf(make(maxDepth - 5)) ?? "").not.toContain("nested too deeply");
    expect(faultOf(make(maxDepth + 1))).toContain("is nested too deeply, at most 100 levels");
    expect(faultOf(make(1_000))).toContain("is nested too deeply");
  });

  it("takes many alternatives, which are no levels", () => {
    const text = Array.from({ length: 500 }, (_, index) => `span.name == "${index}"`).join(" || ");
    expect(faultOf(text)).toBeUndefined();
  });

  it(`takes ${maxLength} characters, and not one more`, () => {
    expect(faultOf(`true${" ".repeat(maxLength - 4)}`)).toBeUndefined();
    expect(faultOf(`true${" ".repeat(maxLength - 3)}`)).toContain("is too long, at most 16384");
  });
});
