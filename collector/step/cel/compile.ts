// From the tree of an expression to functions that compute it, with its types checked on the way: what
// could never work is told before anything runs.

import { suggestion } from "../../config/spelling.ts";
import { elementCode, fieldCode, hasElementCode, hasFieldCode, keyCode } from "./access.ts";
import { calls } from "./calls.ts";
import { type Code, constantCode, folded, needCondition, truth } from "./code.ts";
import { comparison } from "./comparison.ts";
import { loop, loopNames } from "./loops.ts";
import { type Arithmetic, arithmetic, calculate, negate } from "./operators.ts";
import { parseExpression } from "./parser.ts";
import { ExpressionFault, type Node, shown } from "./syntax.ts";
import * as types from "./types.ts";
import type { Type } from "./types.ts";
import { Failure, isKey, LiteralMap, typeNameOf, TypeValue, type Value } from "./values.ts";
import { constants, type Variable, type VariableName, variables } from "./variables.ts";

export interface Expression extends Code {
  /** Which of the variables it speaks of. */
  readonly uses: ReadonlySet<VariableName>;
}

/** Throws an ExpressionFault. `allowed` are the variables that there are where it will run. */
export function compileExpression(
  text: string,
  allowed: readonly VariableName[] = Object.keys(variables) as VariableName[],
): Expression {
  const compiler = new Compiler(allowed);
  const code = compiler.code(parseExpression(text));
  return { ...code, uses: compiler.uses };
}

type NodeOf<Kind extends Node["kind"]> = Extract<Node, { kind: Kind }>;

export class Compiler {
  readonly uses = new Set<VariableName>();
  readonly #allowed: readonly VariableName[];
  /** Of the loops around what is being compiled. */
  readonly #bound = new Map<string, Code>();

  constructor(allowed: readonly VariableName[]) {
    this.#allowed = allowed;
  }

  code(node: Node): Code {
    switch (node.kind) {
      case "literal":
        return constantCode(typeOfLiteral(node.value), node.value);
      case "name":
        return this.#name(node);
      case "select":
        return this.#select(node);
      case "index":
        return this.#index(node);
      case "call":
        return this.#call(node);
      case "unary":
        return this.#unary(node);
      case "binary":
        return this.#binary(node);
      case "logical":
        return this.#logical(node);
      case "choice":
        return this.#choice(node);
      case "list":
        return this.#list(node);
      default:
        return this.#map(node);
    }
  }

  /** Compiles with one more name, which a loop gives. */
  within(name: string, variable: Code, node: Node): Code {
    const outer = this.#bound.get(name);
    this.#bound.set(name, variable);
    const code = this.code(node);
    if (outer) this.#bound.set(name, outer);
    else this.#bound.delete(name);
    return code;
  }

  #name({ name, at }: NodeOf<"name">): Code {
    const bound = this.#bound.get(name);
    if (bound) return bound;
    const constant = constants.get(name);
    if (constant !== undefined) return constantCode(types.int, constant);
    const known = this.#allowed.find((variable) => variable === name);
    if (known === undefined && types.typeNames.has(name)) {
      return constantCode(types.typeType, new TypeValue(name));
    }
    if (known === undefined) throw new ExpressionFault(at, this.#wordsForUnknown(name));
    this.uses.add(known);
    const { type, range, read, nanos }: Variable = variables[known];
    if (range) return { type, range, run: () => new Failure(`${name} is no value; name a field`) };
    const run = read ?? (() => null);
    return nanos ? { type, run, nanos } : { type, run };
  }

  #wordsForUnknown(name: string): string {
    if (Object.hasOwn(variables, name)) {
      return `there is no ${name} here, only ${this.#allowed.join(", ")}`;
    }
    const known = [...this.#bound.keys(), ...this.#allowed, ...constants.keys()];
    const hint = suggestion(name, known) || `; there are ${this.#allowed.join(", ")}`;
    return `there is no "${shown(name)}"${hint}`;
  }

  #select(node: NodeOf<"select">): Code {
    const of = this.code(node.of);
    if (of.type.kind === "object") return fieldCode(of, fieldOf(of.type, node));
    refuseFields(of.type, node);
    return elementCode(of, keyCode(node.field));
  }

  #index({ of: container, key: inner }: NodeOf<"index">): Code {
    const of = this.code(container);
    const key = this.code(inner);
    const { type } = of;
    const isList = type.kind === "list" && (types.isNumber(key.type) || key.type.kind === "dyn");
    const isMap = type.kind === "map" && types.mayEqual(type.key, key.type);
    if (!isList && !isMap && type.kind !== "dyn") {
      throw new ExpressionFault(inner.at, wordsForIndex(type, key.type));
    }
    return elementCode(of, key);
  }

  #call(node: NodeOf<"call">): Code {
    const { name, receiver, args } = node;
    if (name === "has" && !receiver) return this.#has(node);
    if (receiver && loopNames.has(name)) return loop(this, { ...node, receiver });
    const values = [...(receiver ? [receiver] : []), ...args].map((arg) => this.code(arg));
    return calls(node, values);
  }

  #has({ args, at }: NodeOf<"call">): Code {
    const [what, extra] = args;
    if (!what || extra || (what.kind !== "select" && what.kind !== "index")) {
      throw new ExpressionFault(
        at,
        'has() takes a field or a key, such as has(log.attributes["x"])',
      );
    }
    const of = this.code(what.of);
    if (what.kind === "index") return hasElementCode(of, this.code(what.key));
    if (of.type.kind === "object") return hasFieldCode(of, fieldOf(of.type, what));
    refuseFields(of.type, what);
    return hasElementCode(of, keyCode(what.field));
  }

  #unary({ operator, operand: inner, at }: NodeOf<"unary">): Code {
    const operand = this.code(inner);
    const { type, run } = operand;
    if (operator === "!") {
      needCondition(operand, inner);
      const not: Code["run"] = (item) => {
        const value = truth(run(item));
        return value instanceof Failure ? value : !value;
      };
      return folded({ type: types.bool, run: not }, [operand]);
    }
    if (!["int", "double", "dyn"].includes(type.kind)) {
      throw new ExpressionFault(at, `there is no minus of ${types.nameOf(type)}`);
    }
    const minus: Code["run"] = (item) => {
      const value = run(item);
      return value === null ? null : negate(value);
    };
    return folded({ type, run: minus }, [operand]);
  }

  #binary(node: NodeOf<"binary">): Code {
    const left = this.code(node.left);
    const right = this.code(node.right);
    const { operator, at } = node;
    if (!isArithmetic(operator)) return comparison({ operator, at, left, right });
    const fit = arithmetic[operator].filter(
      ([a, b]) => types.mayBe(a, left.type) && types.mayBe(b, right.type),
    );
    if (fit.length === 0) {
      const [a, b] = [left, right].map(({ type }) => types.nameOf(type));
      const isNumbers = types.isNumber(left.type) && types.isNumber(right.type);
      const hint = isNumbers ? "; convert one with int() or double()" : "";
      throw new ExpressionFault(at, `"${operator}" does not go with ${a} and ${b}${hint}`);
    }
    const type = fit.map(([, , result]) => result).reduce(types.common);
    const run: Code["run"] = (item) => {
      const a = left.run(item);
      if (a === null || a instanceof Failure) return a;
      const b = right.run(item);
      return b === null || b instanceof Failure ? b : calculate(operator, a, b);
    };
    return folded({ type, run }, [left, right]);
  }

  /** A failure counts only where the other terms do not decide. */
  #logical({ operator, terms: inner }: NodeOf<"logical">): Code {
    const terms = inner.map((node) => {
      const code = this.code(node);
      needCondition(code, node);
      return code;
    });
    const decisive = operator === "||";
    const runs = terms.map(({ run }) => run);
    const run: Code["run"] = (item) => {
      let failure: Failure | undefined;
      for (const run of runs) {
        const value = truth(run(item));
        if (value === decisive) return value;
        if (value instanceof Failure) failure ??= value;
      }
      return failure ?? !decisive;
    };
    return folded({ type: types.bool, run }, terms);
  }

  #choice({ condition: inner, yes: first, no: second }: NodeOf<"choice">): Code {
    const condition = this.code(inner);
    needCondition(condition, inner);
    const [yes, no] = [this.code(first), this.code(second)];
    const run: Code["run"] = (item) => {
      const value = truth(condition.run(item));
      if (value instanceof Failure) return value;
      return value ? yes.run(item) : no.run(item);
    };
    return folded({ type: types.common(yes.type, no.type), run }, [condition, yes, no]);
  }

  #list({ items: inner }: NodeOf<"list">): Code {
    const items = inner.map((node) => this.code(node));
    const run: Code["run"] = (item) => {
      const values: Value[] = [];
      for (const { run } of items) {
        const value = run(item);
        if (value instanceof Failure) return value;
        values.push(value);
      }
      return values;
    };
    const type: Type = { kind: "list", item: joined(items.map(({ type }) => type)) };
    return folded({ type, run }, items);
  }

  #map({ entries: inner, at }: NodeOf<"map">): Code {
    const entries = inner.map(([key, value]) => [this.code(key), this.code(value)] as const);
    for (const [{ type }] of entries) {
      if (["dyn", "bool", "int", "uint", "string"].includes(type.kind)) continue;
      throw new ExpressionFault(at, `${types.nameOf(type)} cannot be a key of a map`);
    }
    const run: Code["run"] = (item) => {
      const values: [Value, Value][] = [];
      for (const [key, value] of entries) {
        const pair: [Value, Value] = [key.run(item), value.run(item)];
        const failure = pair.find((one) => one instanceof Failure);
        if (failure instanceof Failure) return failure;
        if (!isKey(pair[0])) return new Failure(`${typeNameOf(pair[0])} as a key of a map`);
        values.push(pair);
      }
      const made = new LiteralMap(values);
      const isTwice = values.some(([key, value]) => !Object.is(made.get(key), value));
      return isTwice ? new Failure("a key twice in a map") : made;
    };
    const key = joined(entries.map(([{ type }]) => type));
    const value = joined(entries.map(([, { type }]) => type));
    return folded({ type: { kind: "map", key, value }, run }, entries.flat());
  }
}

function isArithmetic(operator: string): operator is Arithmetic {
  return Object.hasOwn(arithmetic, operator);
}

function joined(all: readonly Type[]): Type {
  const [first, ...rest] = all;
  if (!first) return types.dyn;
  return rest.every((type) => type.kind === first.kind) ? first : types.dyn;
}

function typeOfLiteral(value: Value): Type {
  const name = typeNameOf(value);
  const known = [types.bool, types.int, types.uint, types.double, types.string, types.bytes];
  return known.find(({ kind }) => kind === name) ?? types.nothing;
}

function fieldOf(type: Type & { kind: "object" }, { field: name, at }: NodeOf<"select">) {
  const field = type.fields.get(name);
  if (field) return field;
  const known = [...type.fields.keys()];
  const isAttribute = type.fields.has("attributes");
  const hint =
    suggestion(name, known) ||
    (isAttribute
      ? `; an attribute is ${type.name}.attributes["…"], else there are `
      : "; there are ") + known.join(", ");
  throw new ExpressionFault(at, `${type.name} has no "${shown(name)}"${hint}`);
}

function refuseFields(type: Type, { field, at }: NodeOf<"select">): void {
  const isMap = type.kind === "map" && types.mayBe(type.key, types.string);
  if (isMap || type.kind === "dyn") return;
  throw new ExpressionFault(at, `${types.nameOf(type)} has no "${shown(field)}"`);
}

function wordsForIndex(type: Type, key: Type): string {
  if (type.kind === "object" && type.fields.has("attributes")) {
    return `${type.name} has fields; an attribute is ${type.name}.attributes["…"]`;
  }
  const of = types.nameOf(type);
  const isContainer = type.kind === "list" || type.kind === "map";
  return isContainer ? `${types.nameOf(key)} is no place in ${of}` : `${of} has nothing in it`;
}
