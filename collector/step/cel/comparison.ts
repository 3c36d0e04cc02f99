// == != < <= > >= in. Most conditions compare an attribute or a field with a text or a small number that
// is known beforehand: then bytes are compared with bytes, and no value is made.

import type { Range } from "../../wire/leaves.ts";
import type { Item } from "../item.ts";
import { type Code, folded } from "./code.ts";
import { type Relation, relate } from "./operators.ts";
import { ExpressionFault } from "./syntax.ts";
import * as types from "./types.ts";
import type { Type } from "./types.ts";
import { Duration, Failure, isList } from "./values.ts";
import { isSame } from "./view.ts";

interface Comparison {
  readonly operator: Relation;
  readonly at: number;
  readonly left: Code;
  readonly right: Code;
}

export function comparison(given: Comparison): Code {
  check(given);
  const run = withText(given) ?? withNumber(given) ?? withValues(given);
  return folded({ type: types.bool, run }, [given.left, given.right]);
}

function check({ operator, at, left: { type: left }, right: { type: right } }: Comparison): void {
  const [a, b] = [types.nameOf(left), types.nameOf(right)];
  switch (operator) {
    case "==":
    case "!=":
      if (types.mayEqual(left, right)) return;
      throw new ExpressionFault(at, `${a} is never equal to ${b}${hint(left, right)}`);
    case "in":
      if (right.kind === "dyn") return;
      if (right.kind === "list" && types.mayEqual(left, right.item)) return;
      if (right.kind === "map" && types.mayEqual(left, right.key)) return;
      throw new ExpressionFault(at, `${a} is never in ${b}`);
    default:
      if (hasOrder(left) && hasOrder(right) && types.mayEqual(left, right)) return;
      throw new ExpressionFault(
        at,
        `"${operator}" does not compare ${a} with ${b}${hint(left, right)}`,
      );
  }
}

function hint(left: Type, right: Type): string {
  const time = [left, right].find(({ kind }) => kind === "duration" || kind === "timestamp");
  const isText = left.kind === "string" || right.kind === "string";
  return time && isText ? `; write ${time.kind}("…")` : "";
}

function hasOrder({ kind }: Type): boolean {
  return !["list", "map", "object", "null", "type"].includes(kind);
}

function withValues({ operator, left, right }: Comparison): Code["run"] {
  return (item) => {
    const a = left.run(item);
    if (a instanceof Failure) return a;
    const b = right.run(item);
    return b instanceof Failure ? b : relate(operator, a, b);
  };
}

/** A text of the item with one text or several. */
function withText({ operator, left, right }: Comparison): Code["run"] | undefined {
  if (operator === "in") return withTexts(left, right);
  if (operator !== "==" && operator !== "!=") return undefined;
  const [given, known] = left.text ? [left.text, right] : [right.text, left];
  const text = known.constant?.value;
  if (!given || typeof text !== "string") return undefined;
  const wanted = Buffer.from(text);
  const found: Range = { start: 0, end: 0 };
  const answer = operator === "==";
  return (item: Item) => (given(item, found) && isSame(item.bytes, found, wanted)) === answer;
}

function withTexts({ text }: Code, { constant }: Code): Code["run"] | undefined {
  const list = constant?.value;
  if (!text || list === undefined || list === null || !isList(list)) return undefined;
  if (!list.every((one) => typeof one === "string")) return undefined;
  const wanted = list.map((one) => Buffer.from(one));
  const found: Range = { start: 0, end: 0 };
  return (item) => text(item, found) && wanted.some((one) => isSame(item.bytes, found, one));
}

/** A small number of the item, or its duration, with one that is known. */
function withNumber(given: Comparison): Code["run"] | undefined {
  const { operator, left, right } = given;
  const known = right.constant?.value;
  if (left.small && typeof known === "bigint" && isSafe(known)) {
    return related(operator, left.small, Number(known));
  }
  if (!left.nanos || !(known instanceof Duration) || !isSafe(known.nanos)) return undefined;
  const { nanos } = left;
  const quick = related(operator, nanos, Number(known.nanos));
  const exact = withValues(given);
  return quick && ((item) => (Number.isNaN(nanos(item)) ? exact(item) : quick(item)));
}

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value));
}

function related(
  operator: Relation,
  read: (item: Item) => number,
  number: number,
): ((item: Item) => boolean) | undefined {
  switch (operator) {
    case "==":
      return (item) => read(item) === number;
    case "!=":
      return (item) => read(item) !== number;
    case "<":
      return (item) => read(item) < number;
    case "<=":
      return (item) => read(item) <= number;
    case ">":
      return (item) => read(item) > number;
    case ">=":
      return (item) => read(item) >= number;
    default:
      return undefined;
  }
}
