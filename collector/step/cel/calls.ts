// Calls of functions: which of those of the name is meant, by the types that are known when the
// expression is read and else by the values when it runs. What is absent stays absent: a function of it
// is null, and a question about it is answered with false.

import { suggestion } from "../../config/spelling.ts";
import { compilePattern } from "../pattern/pattern.ts";
import { PatternFault } from "../pattern/syntax.ts";
import { type Code, folded } from "./code.ts";
import { functionNames, type Overload, overloads } from "./functions.ts";
import { ExpressionFault, type Node, shown } from "./syntax.ts";
import * as types from "./types.ts";
import { Failure, typeNameOf, type Value } from "./values.ts";

type Call = Extract<Node, { kind: "call" }>;

/** Of which the first value is the receiver, if there is one. */
export function calls(call: Call, values: readonly Code[]): Code {
  const { name, receiver, at } = call;
  if (name === "matches") return matches(call, values);
  const named = overloads.filter((one) => one.name === name);
  if (named.length === 0) {
    const hint = suggestion(name, [...functionNames, ...macroNames]);
    throw new ExpressionFault(at, `there is no function "${shown(name)}"${hint}`);
  }
  const wrong = receiver ? "global" : "member";
  const styled = named.filter(({ style }) => style !== wrong);
  if (styled.length === 0) {
    const right = receiver ? `${name}(…)` : `value.${name}(…)`;
    throw new ExpressionFault(at, `${name} is written ${right}`);
  }
  const fit = styled.filter(
    ({ takes }) =>
      takes.length === values.length &&
      takes.every((type, index) => types.mayBe(type, values[index]?.type ?? types.dyn)),
  );
  if (fit.length === 0) throw new ExpressionFault(at, wordsFor(name, styled, values));
  const type = fit.map(({ gives }) => gives).reduce(types.common);
  const code = folded({ type, run: running(name, fit, values) }, values);
  const value = code.constant?.value;
  // What can only fail is a mistake: timestamp("yesterday").
  if (value instanceof Failure) throw new ExpressionFault(at, value.words);
  return code;
}

const macroNames = ["has", "all", "exists", "exists_one", "map", "filter"];

function wordsFor(name: string, named: readonly Overload[], values: readonly Code[]): string {
  const given = values.map(({ type }) => types.nameOf(type)).join(", ");
  const known = named.map(
    ({ takes }) => takes.map((type) => types.nameOf(type)).join(", ") || "nothing",
  );
  return `${name} takes ${[...new Set(known)].join(" or ")}, but is given ${given || "nothing"}`;
}

function running(name: string, fit: readonly Overload[], values: readonly Code[]): Code["run"] {
  const runs = values.map(({ run }) => run);
  const isQuestion = fit.every(({ gives }) => gives.kind === "bool") && name !== "bool";
  const takesNull = name === "type" || name === "dyn";
  return (item) => {
    const given: Value[] = [];
    for (const run of runs) {
      const value = run(item);
      if (value instanceof Failure) return value;
      given.push(value);
    }
    if (!takesNull && given.includes(null)) return isQuestion ? false : null;
    const overload = fit.find(({ takes }) =>
      takes.every((type, index) => types.isOfType(given[index] ?? null, type)),
    );
    if (!overload) return new Failure(`no ${name} of ${given.map(typeNameOf).join(", ")}`);
    // The types have just been compared with those that it takes.
    return overload.run(...(given as never[]));
  };
}

/** Only with a pattern that is known beforehand: one from a stranger's data would be work for him. */
function matches({ args, receiver, at }: Call, values: readonly Code[]): Code {
  const [text, pattern] = values;
  const patternNode = args.at(-1);
  if (!text || !pattern || !patternNode || values.length !== 2) {
    throw new ExpressionFault(at, 'matches is written value.matches("pattern")');
  }
  if (!types.mayBe(text.type, types.string)) {
    const node = receiver ?? args[0] ?? patternNode;
    throw new ExpressionFault(node.at, `${types.nameOf(text.type)} where a string is needed`);
  }
  const source = pattern.constant?.value;
  if (typeof source !== "string") {
    throw new ExpressionFault(patternNode.at, "the pattern must be a text in quotes");
  }
  const matcher = compiled(source, patternNode.at);
  const run: Code["run"] = (item) => {
    const value = text.run(item);
    if (typeof value === "string") return matcher.test(value);
    if (value instanceof Failure) return value;
    return value === null ? false : new Failure(`no matches of ${typeNameOf(value)}`);
  };
  return folded({ type: types.bool, run }, [text, pattern]);
}

function compiled(source: string, at: number) {
  try {
    return compilePattern(source);
  } catch (error) {
    if (error instanceof PatternFault) {
      throw new ExpressionFault(at, `the pattern ${error.message}`);
    }
    throw error;
  }
}
