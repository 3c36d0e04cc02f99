// One attribute that is set or deleted: whether, and to what, for an item.

import { Writer } from "../../wire/writer.ts";
import { compileExpression, type Expression } from "../cel/compile.ts";
import { Failure, type Value } from "../cel/values.ts";
import type { VariableName } from "../cel/variables.ts";
import { compileCondition, type Condition } from "../condition.ts";
import type { Item } from "../item.ts";
import type { Place, Rule } from "./settings.ts";
import { writeAttribute } from "./write-value.ts";

/** What an expression may speak of where the attributes of this are set. */
export const allowedAt: Readonly<Record<Place, readonly VariableName[]>> = {
  resource: ["signal", "resource"],
  scope: ["signal", "resource", "scope"],
  span: ["signal", "resource", "scope", "span", "duration"],
  log: ["signal", "resource", "scope", "log"],
  datapoint: ["signal", "resource", "scope", "metric", "datapoint"],
};

/** To be deleted. */
export const gone = Symbol("gone");

export class CompiledRule {
  readonly key: Uint8Array;
  readonly #condition: Condition | undefined;
  readonly #expression: Expression | undefined;
  readonly #number: number;
  readonly #writer = new Writer(256);
  /** The attribute as it is written, where it is the same for every item. */
  readonly #fixed: Uint8Array | typeof gone | undefined;
  readonly #name: string;

  /** `number` is that of the field that the attributes are in. Throws an ExpressionFault. */
  constructor(name: string, rule: Rule, { place, number }: { place: Place; number: number }) {
    this.#name = name;
    this.#number = number;
    this.key = Buffer.from(name);
    if (typeof rule !== "object") {
      this.#fixed = this.#plain(rule);
      return;
    }
    const allowed = allowedAt[place];
    if (rule.if !== undefined) this.#condition = compileCondition(rule.if, allowed);
    if (rule.delete) this.#fixed = gone;
    else if (rule.value !== undefined) this.#fixed = this.#plain(rule.value);
    else this.#expression = compileExpression(rule.expression ?? "", allowed);
  }

  /** Undefined if the attribute is to stay as it is. */
  run(item: Item, number = this.#number): Uint8Array | typeof gone | undefined | Failure {
    const holds = this.#condition?.test(item) ?? true;
    if (holds instanceof Failure) return holds;
    if (!holds) return undefined;
    if (this.#fixed !== undefined && number === this.#number) return this.#fixed;
    if (this.#fixed === gone) return gone;
    const value = this.#expression ? this.#expression.run(item) : this.#value;
    if (value === null || value === undefined) return undefined;
    return value instanceof Failure ? value : this.#written(value, number);
  }

  #value: Value | undefined;

  #plain(value: string | number | boolean): Uint8Array {
    this.#value = typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
    const written = this.#written(this.#value, this.#number);
    if (written instanceof Failure) throw new Error(written.words);
    return written;
  }

  #written(value: Value, number: number): Uint8Array | Failure {
    return writeAttribute(this.#writer, { number, key: this.#name, value });
  }
}
