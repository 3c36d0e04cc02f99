// What a node of the tree is compiled to: its type and a function that computes it for an item. Where
// there is a shorter way than making a value — comparing bytes, reading a small number — it is offered
// beside.

import type { Range } from "../../wire/leaves.ts";
import type { Item } from "../item.ts";
import { ExpressionFault, type Node } from "./syntax.ts";
import { nameOf, type Type } from "./types.ts";
import { Failure, Part, typeNameOf, type Value } from "./values.ts";

export interface Code {
  readonly type: Type;
  readonly run: (item: Item) => Value;
  /** There if it is the same for every item. */
  readonly constant?: { readonly value: Value };
  /** Where in the item's bytes its text is; false if it has none. Never for what can fail. */
  readonly text?: (item: Item, found: Range) => boolean;
  /** An int of 32 bits. */
  readonly small?: (item: Item) => number;
  /** A duration in nanoseconds, or NaN where a number cannot have it exactly. */
  readonly nanos?: (item: Item) => number;
  /** Of a message: where it is in the item's bytes. */
  readonly range?: (item: Item) => Range;
}

export function constantCode(type: Type, value: Value): Code {
  return { type, run: () => value, constant: { value } };
}

/** Computed once if nothing in it depends on the item. */
export function folded(code: Code, parts: readonly Code[]): Code {
  const isConstant = parts.every(({ constant }) => constant !== undefined);
  return isConstant ? constantCode(code.type, code.run(noItem)) : code;
}

// Constants never look at their item.
const noItem = undefined as unknown as Item;

/** The message that a code of a message's type gives. */
export function partOf({ range, run }: Code): (item: Item) => Range | Failure | null {
  if (range) return range;
  return (item) => {
    const value = run(item);
    if (value === null || value instanceof Failure || value instanceof Part) return value;
    return new Failure("not a message");
  };
}

/** What is absent is not true. */
export function truth(value: Value): boolean | Failure {
  if (typeof value === "boolean" || value instanceof Failure) return value;
  return value === null ? false : new Failure(`${typeNameOf(value)} where a bool is needed`);
}

export function needCondition({ type }: Code, { at }: Node): void {
  if (type.kind === "bool" || type.kind === "dyn") return;
  throw new ExpressionFault(at, `${nameOf(type)} where a bool (true or false) is needed`);
}
