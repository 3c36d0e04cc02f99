// Computes an expression outside of any step.

import { compileExpression } from "../../../../collector/step/cel/compile.ts";
import type { Value } from "../../../../collector/step/cel/values.ts";
import { problemOf } from "../../../../collector/step/condition.ts";
import { Item } from "../../../../collector/step/item.ts";

export function evaluate(text: string, item = emptyItem()): Value {
  return compileExpression(text).run(item);
}

export function emptyItem(): Item {
  const item = new Item();
  item.stepsLeft = 100_000;
  return item;
}

/** What is said of a text that is no expression; undefined of one that is. */
export function faultOf(text: string): string | undefined {
  return problemOf(text, compileExpression);
}
