import { describe, expect, it } from "vitest";
import { check } from "../../../collector/config/check.ts";
import { folderWith, load, problems } from "./folder.ts";

const output = "outputs:\n  debug:\n    steps: ";

describe("the steps of an output", () => {
  it("are those that it names, in its order", async () => {
    const yaml = `steps:
  tenth: { sample: { ratio: 0.1 } }
  secrets: { redact: }
${output}[secrets, tenth]`;
    const [debug] = (await load({ yaml })).config.outputs;
    expect(debug).toMatchObject({ type: "debug", settings: { verbosity: "summary" } });
    expect(debug?.settings).not.toHaveProperty("steps");
    expect(debug?.steps.map(({ name, type }) => [name, type])).toEqual([
      ["secrets", "redact"],
      ["tenth", "sample"],
    ]);
    expect(debug?.steps[1]?.settings).toEqual({ ratio: 0.1 });
  });

  it("can be named by a variable", async () => {
    const yaml = "steps:\n  a: { redact: }\n  b: { redact: }";
    const env = { SONDE_DEBUG_STEPS: "b,a" };
    const [debug] = (await load({ yaml, env })).config.outputs;
    expect(debug?.steps.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  it("are none unless some are named", async () => {
    const { config } = await load({ yaml: "steps:\n  a: { redact: }" });
    expect(config.outputs.map(({ steps }) => steps)).toEqual([[]]);
  });

  it("are listed by `sonde check` with their settings and where they stand", async () => {
    const yaml = `steps:
  health: { filter: { drop: 'span.name == "x"' } }
  stage:
    set:
      span: { a: 1, b: { delete: true } }
${output}[health]`;
    const { text, exitCode } = await check({ env: {}, cwd: folderWith({ yaml }) });
    const rows = text.split("\n").map((line) => line.split(/ {2,}/));
    expect(exitCode).toBe(0);
    expect(rows).toEqual(
      expect.arrayContaining([
        ["outputs.debug.steps", "SONDE_DEBUG_STEPS", "health", "sonde.yaml:8"],
        ["steps.health.filter.drop", "-", String.raw`"span.name == \"x\""`, "sonde.yaml:2"],
        ["steps.stage.set.span", "-", 'a=1,b={"delete":true}', "sonde.yaml:5"],
      ]),
    );
  });
});

describe("a mistake in a step", () => {
  it.each([
    ["  a: { flter: {} }", '2 steps.a.flter: no such type of step; did you mean "filter"?'],
    [
      "  a: { route: {} }",
      "2 steps.a.route: no such type of step; there are filter, redact, sample, set",
    ],
    ["  a: 5", "2 steps.a: has nothing to do; give it one of filter, redact, sample, set"],
    ["  a: {}", "2 steps.a: has nothing to do; give it one of filter, redact, sample, set"],
    [
      "  A: { redact: }",
      "2 steps.A: not a name for a step; use up to 64 of a-z, 0-9, - and _, a letter first",
    ],
    [
      "  a: { redact: , sample: { ratio: 1 } }",
      "2 steps.a: is several steps; make one of each, and name them in order at the output",
    ],
    ["  a: { filter: x }", "2 steps.a.filter: is not a group of names with values"],
    ["  a: { filter: {} }", "2 steps.a.filter: needs one of drop and keep, with a condition"],
    [
      "  a:\n    filter: { drop: 'true', keep: 'true' }",
      "3 steps.a.filter: needs one of drop and keep, with a condition",
    ],
    [
      "  a: { filter: { dorp: 'true' } }",
      '2 steps.a.filter.dorp: no such setting; did you mean "drop"?',
      "2 steps.a.filter: needs one of drop and keep, with a condition",
    ],
    [
      "  a:\n    sample:\n      ratio: 1.1",
      "4 steps.a.sample.ratio: 1.1 is too large, at most 1 is allowed",
    ],
    [
      "  a: { sample: { ratio: -0.1 } }",
      "2 steps.a.sample.ratio: -0.1 is too small, at least 0 is needed",
    ],
    ["  a: { sample: }", "2 steps.a.sample.ratio: is missing"],
    [
      "  a: { set: {} }",
      "2 steps.a.set: needs attributes below resource, scope, span, log or datapoint",
    ],
    [
      "  a:\n    set:\n      span:\n        x: { value: 1, delete: true }",
      "5 steps.a.set.span.x: a group of names with values needs one of value, expression and delete",
    ],
    [
      "  a: { set: { span: { x: [1] } } }",
      "2 steps.a.set.span.x: a list is not what an attribute can be set to; give a text, a number, " +
        "true, false, or a group with one of value, expression and delete",
    ],
    [
      "  a:\n    set:\n      span:\n        x:\n          expression: log.body",
      '6 steps.a.set.span.x.expression: "log.body": at column 1: there is no log here, only ' +
        "signal, resource, scope, span, duration",
    ],
    [
      "  a:\n    redact:\n      patterns:\n        - ok\n        - (a",
      '6 steps.a.redact.patterns: "(a": lacks a closing ")"',
    ],
    [
      "  a: { redact: { keys: ['/(?=a)/'] } }",
      '2 steps.a.redact.keys: "/(?=a)/" has a group (?… that is not known; look-around is not possible',
    ],
  ])("%j", async (yaml, ...words) => {
    expect(await problems({ yaml: `steps:\n${yaml}` })).toEqual(
      words.map((line) => `sonde.yaml:${line}`),
    );
  });

  it("in an expression is told with its place in the text", async () => {
    const yaml = `steps:
  one: { filter: { drop: 'span.atributes["x"] == "y"' } }
  two:
    filter:
      keep: |
        span.name == "x" &&
          span.kindd == 2
`;
    expect(await problems({ yaml })).toEqual([
      String.raw`sonde.yaml:2 steps.one.filter.drop: "span.atributes[\"x\"] == \"y\"": ` +
        'at column 6: span has no "atributes"; did you mean "attributes"?',
      String.raw`sonde.yaml:5 steps.two.filter.keep: "span.name == \"x\" &&\n  span.kindd == 2\n": ` +
        'at line 2, column 8: span has no "kindd"; did you mean "kind"?',
    ]);
  });

  it("in the name of a step is told at the output, with what may be meant", async () => {
    const yaml = `steps:
  drop-health: { redact: }
${output}
      - drop-health
      - drop-helth
      - nothing-like-it`;
    expect(await problems({ yaml })).toEqual([
      'sonde.yaml:7 outputs.debug.steps: "drop-helth" is not the name of a step; did you mean "drop-health"?',
      'sonde.yaml:8 outputs.debug.steps: "nothing-like-it" is not the name of a step',
    ]);
    expect(await problems({ yaml: `${output}[a]` })).toEqual([
      'sonde.yaml:3 outputs.debug.steps: "a" is not the name of a step; there are no steps',
    ]);
  });

  it("is told once, not again at each output that has the step", async () => {
    const yaml = `steps:\n  a: { flter: }\n  b: { sample: }\n${output}[a, b]`;
    expect(await problems({ yaml })).toHaveLength(2);
  });

  it("is none of the general settings", async () => {
    expect(await problems({ yaml: "step: {}" })).toEqual([
      'sonde.yaml:1 step: no such setting; did you mean "steps"?',
    ]);
  });
});
