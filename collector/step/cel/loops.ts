// all, exists, exists_one, map and filter, over the items of a list or the keys of a map. What they do
// together is bounded for each batch, since the lists are those of strangers and loops within loops
// multiply.

import { type Code, needCondition, truth } from "./code.ts";
import type { Compiler } from "./compile.ts";
import type { Item } from "../item.ts";
import { ExpressionFault, type Node } from "./syntax.ts";
import * as types from "./types.ts";
import type { Type } from "./types.ts";
import { Failure, isList, isMap, type Part, type Value, type ValueList } from "./values.ts";
import { work } from "./work.ts";

export const loopNames: ReadonlySet<string> = new Set([
  "all",
  "exists",
  "exists_one",
  "map",
  "filter",
]);

type Loop = Extract<Node, { kind: "call" }> & { readonly receiver: Node };

export function loop(compiler: Compiler, { name, receiver, args, at }: Loop): Code {
  const over = compiler.code(receiver);
  const { kind } = over.type;
  if (kind !== "list" && kind !== "map" && kind !== "dyn") {
    throw new ExpressionFault(at, `${types.nameOf(over.type)} is neither a list nor a map`);
  }
  const [variable, ...inner] = args;
  const most = name === "map" ? 2 : 1;
  if (variable?.kind !== "name" || inner.length === 0 || inner.length > most) {
    throw new ExpressionFault(at, `${name} is written list.${name}(x, … x …)`);
  }
  const cell = new Cell(itemType(over.type));
  const codes = inner.map((node) => compiler.within(variable.name, cell.code, node));
  const [first, second] = codes;
  if (!first || !inner[0]) throw new ExpressionFault(at, "nothing to do");
  if (name !== "map" || second) needCondition(first, inner[0]);
  const rounds = new Rounds(over, cell);
  switch (name) {
    case "all":
      return quantified(rounds, first, false);
    case "exists":
      return quantified(rounds, first, true);
    case "exists_one":
      return onlyOne(rounds, first);
    case "filter":
      return mapped(rounds, first, cell.code);
    default:
      return second ? mapped(rounds, first, second) : mapped(rounds, undefined, first);
  }
}

function itemType(type: Type): Type {
  if (type.kind === "list") return type.item;
  return type.kind === "map" ? type.key : types.dyn;
}

/** The variable of a loop. */
class Cell {
  value: Value = null;
  readonly code: Code;

  constructor(type: Type) {
    const run = (): Value => this.value;
    const asPart = (): Part => this.value as Part; // by its type: lists of messages have nothing else
    this.code = type.kind === "object" ? { type, run, range: asPart } : { type, run };
  }
}

class Rounds {
  readonly over: Code;
  readonly #cell: Cell;

  constructor(over: Code, cell: Cell) {
    this.over = over;
    this.#cell = cell;
  }

  /** Until `round` has an answer. What is absent has no items. */
  run(item: Item, round: () => Value | undefined): Value | undefined {
    const container = this.over.run(item);
    if (container instanceof Failure) return container;
    const values = itemsOf(container);
    if (values instanceof Failure) return values;
    for (const value of values) {
      if (item.stepsLeft < 0) return new Failure("loops that take too many steps");
      const done = work.steps;
      this.#cell.value = value;
      const answer = round();
      item.stepsLeft -= 1 + work.steps - done;
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}

function itemsOf(value: Value): ValueList | Failure {
  if (value === null) return [];
  if (isMap(value)) return value.keys();
  return isList(value) ? value : new Failure("neither a list nor a map");
}

/** As with || and &&, a failure counts only where no other item decides. */
function quantified(rounds: Rounds, { run }: Code, decisive: boolean): Code {
  const answer: Code["run"] = (item) => {
    let failure: Failure | undefined;
    const decided = rounds.run(item, () => {
      const value = truth(run(item));
      if (value instanceof Failure) failure ??= value;
      return value === decisive ? value : undefined;
    });
    return decided ?? failure ?? !decisive;
  };
  return { type: types.bool, run: answer };
}

function onlyOne(rounds: Rounds, { run }: Code): Code {
  const answer: Code["run"] = (item) => {
    let count = 0;
    const failure = rounds.run(item, () => {
      const value = truth(run(item));
      if (value === true) count++;
      return value instanceof Failure ? value : undefined;
    });
    return failure ?? count === 1;
  };
  return { type: types.bool, run: answer };
}

function mapped(rounds: Rounds, condition: Code | undefined, result: Code): Code {
  const answer: Code["run"] = (item) => {
    const values: Value[] = [];
    const failure = rounds.run(item, () => {
      const isWanted = condition ? truth(condition.run(item)) : true;
      if (isWanted instanceof Failure) return isWanted;
      if (!isWanted) return undefined;
      const value = result.run(item);
      if (value instanceof Failure) return value;
      values.push(value);
      return undefined;
    });
    return failure ?? values;
  };
  return { type: { kind: "list", item: result.type }, run: answer };
}
