// A condition of a step: an expression that is true or false of an item, and the items it is about.

import type { Signal } from "../wire/batch.ts";
import { needCondition, truth } from "./cel/code.ts";
import { compileExpression, type Expression } from "./cel/compile.ts";
import { ExpressionFault, placed } from "./cel/syntax.ts";
import type { Failure } from "./cel/values.ts";
import { type Variable, type VariableName, variables } from "./cel/variables.ts";
import type { Item } from "./item.ts";

export interface Condition {
  /** It is about items of this signal only; undefined if it is about all of them. */
  readonly signal: Signal | undefined;
  /** It is about single data points, not about metrics. */
  readonly isOfPoints: boolean;
  test(item: Item): boolean | Failure;
}

/** Throws an ExpressionFault. */
export function compileCondition(text: string, allowed?: readonly VariableName[]): Condition {
  const expression = compileExpression(text, allowed);
  needCondition(expression, { kind: "literal", value: null, start: 0, end: 0, at: 0 });
  const { run, uses } = expression;
  return {
    signal: signalOf(uses),
    isOfPoints: uses.has("datapoint"),
    test: (item) => truth(run(item)),
  };
}

function signalOf(uses: Expression["uses"]): Signal | undefined {
  let found: { name: VariableName; signal: Signal } | undefined;
  for (const name of uses) {
    const { of: signal }: Variable = variables[name];
    if (signal === undefined) continue;
    if (found && found.signal !== signal) {
      const words = `${found.name} and ${name} are never of one item; make a step of each`;
      throw new ExpressionFault(0, words);
    }
    found = { name, signal };
  }
  return found?.signal;
}

/** What is wrong with a text as a condition or an expression, or undefined. */
export function problemOf(text: string, compile: (text: string) => unknown): string | undefined {
  try {
    compile(text);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionFault) return placed(text, error);
    throw error;
  }
}
