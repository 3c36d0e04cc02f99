// What an expression costs and says stays within bounds, whatever is compared and whatever is written.

import { describe, expect, it } from "vitest";
import type { Failure } from "../../../../collector/step/cel/values.ts";
import { PatternFault } from "../../../../collector/step/pattern/syntax.ts";
import type { AnyValue } from "../../../support/otlp-shapes.ts";
import { batchOf, openStep } from "../steps.ts";
import { evaluate, faultOf } from "./evaluate.ts";

/** Loops within loops: each puts the variable of the one around it into a list twice. */
function doubled(levels: number, inner: (names: readonly [string, string]) => string): string {
  let text = inner([`x${levels}`, `y${levels}`]);
  for (let level = levels; level > 0; level--) {
    const twice = (name: string): string =>
      `[{'a': ${name}${level - 1}, 'b': ${name}${level - 1}}]`;
    text = `[${twice("y")}].all(y${level}, ${text})`;
    text = `[${twice("x")}].all(x${level}, ${text})`;
  }
  return `[1].all(x0, [1].all(y0, ${text}))`;
}

describe("what doubles with each level", () => {
  const equal = ([x, y]: readonly [string, string]): string => `${x} == ${y}`;

  it("is compared while it is small", () => {
    expect(evaluate(doubled(10, equal))).toBe(true);
    expect(evaluate(doubled(10, ([x, y]) => `${x} != ${y} || ${x} in [${y}]`))).toBe(true);
  });

  it.each(["==", "!="])("comes to an end with a failure: %s", (operator) => {
    const began = performance.now();
    const value = evaluate(doubled(24, ([x, y]) => `${x} ${operator} ${y}`));
    expect((value as Failure).words).toContain("more than 1000000 steps to compare");
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it("does so for `in`, and || goes on behind it", () => {
    const value = evaluate(doubled(24, ([x, y]) => `${x} in [${y}]`));
    expect((value as Failure).words).toContain("steps to compare");
    expect(evaluate(doubled(24, (names) => `${equal(names)} || true`))).toBe(true);
  });

  it("is not written as an attribute", async () => {
    const twelve = "x, x, x, x, x, x, x, x, x, x, x, x";
    let expression = "[1]";
    for (let level = 0; level < 8; level++) expression = `${expression}.map(x, [${twelve}])`;
    const step = await openStep("set", { log: { made: { expression } } });
    const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [{}] }] }] });
    expect(step.apply(batch)).toBe(batch);
    expect(step.told[0]).toContain("more than 1000000 values in an attribute");
  });
});

describe("maps of very many keys", () => {
  const values = Array.from({ length: 50_000 }, (_, index) => ({
    key: `key ${index}`,
    value: { intValue: String(index) },
  }));
  const body: AnyValue = { kvlistValue: { values } };
  const attributes = [{ key: "same", value: { kvlistValue: { values: values.toReversed() } } }];
  const batch = batchOf("logs", {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ body, attributes }] }] }],
  });

  it("are compared in the time that it takes to read them", async () => {
    const step = await openStep("filter", { drop: 'log.body == log.attributes["same"]' });
    const began = performance.now();
    expect(step.apply(batch).items).toBe(0);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it("are written as an attribute in that time", async () => {
    const step = await openStep("set", { log: { made: { expression: "log.body" } } });
    const began = performance.now();
    expect(step.apply(batch).bytes.length).toBeGreaterThan(batch.bytes.length * 1.4);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

it("a list or a map is no key, also where that shows only when it runs", () => {
  for (const key of ["[1]", "{1: 2}", "1.5", "null"]) {
    expect((evaluate(`{dyn(${key}): 1} == {}`) as Failure).words).toContain("as a key of a map");
  }
});

describe("what is said", () => {
  const long = "x".repeat(15_000);
  const nines = "9".repeat(10_000);

  it.each([
    ["a name", long],
    ["a field", `span.${long}`],
    ["a function", `${long}(1)`],
    ["a name in backticks", `1 \`${long}\``],
    ["a number", nines],
    ["an unsigned number", `${nines}u`],
    ["a number with a fraction", `${nines}.0`],
    ["a type", `${"[".repeat(90)}1${"]".repeat(90)} < 1`],
    ["a time zone", `timestamp('2026-01-31T12:00:00Z').getHours('${long}')`],
  ])("of a long %s is short", (_, text) => {
    expect(faultOf(text)!.length).toBeLessThan(400);
  });

  it.each(["\u001b", "\u009b", "\u202e", "\0"])("has no raw %j", (letter) => {
    for (const text of [letter, `'\\${letter}'`, `'a'.matches('[\uffff-${letter}]')`]) {
      const words = faultOf(text);
      expect(words).toMatch(/^at column/);
      expect(words).not.toContain(letter);
    }
    const time = "timestamp('2026-01-31T12:00:00Z')";
    const zone = evaluate(`['${letter}'].map(x, ${time}.getHours(x))`);
    expect((zone as Failure).words).not.toContain(letter);
    expect(new PatternFault(letter).message).not.toContain(letter);
  });
});
