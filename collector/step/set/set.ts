// Sets and deletes attributes of resources, scopes, spans, log records and data points. Expressions read
// the item as it came: what one of them sets, the next does not see.

import type { Batch, Signal } from "../../wire/batch.ts";
import { Cursor } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";
import type { Room } from "../../wire/room.ts";
import { Writer } from "../../wire/writer.ts";
import { compileExpression } from "../cel/compile.ts";
import { Failure } from "../cel/values.ts";
import { attributesNumber } from "../cel/variables.ts";
import { isSame } from "../cel/view.ts";
import { compileCondition, problemOf } from "../condition.ts";
import type { Edits } from "../edits.ts";
import type { Item } from "../item.ts";
import type { Step, StepContext, StepProblem } from "../step.ts";
import { type Visitor, Walk } from "../walk.ts";
import { allowedAt, CompiledRule, gone } from "./rule.ts";
import type { Place, Settings } from "./settings.ts";

const places = ["resource", "scope", "span", "log", "datapoint"] as const satisfies Place[];

export function check(settings: Settings): StepProblem[] {
  const problems: StepProblem[] = [];
  for (const place of places) {
    const allowed = allowedAt[place];
    for (const [key, rule] of Object.entries(settings[place])) {
      if (typeof rule !== "object") continue;
      const add = (setting: string, words: string | undefined): void => {
        if (words) problems.push({ path: [place, key, setting], words });
      };
      const { if: condition, expression } = rule;
      if (condition !== undefined) {
        add(
          "if",
          problemOf(condition, (text) => compileCondition(text, allowed)),
        );
      }
      if (expression !== undefined) {
        add(
          "expression",
          problemOf(expression, (text) => compileExpression(text, allowed)),
        );
      }
    }
  }
  return problems;
}

export function open(settings: Settings, context: StepContext): Step {
  const walks: Readonly<Record<Signal, Walk | undefined>> = {
    traces: walkOf(settings, "span", context),
    metrics: walkOf(settings, "datapoint", context),
    logs: walkOf(settings, "log", context),
  };
  const apply = (batch: Batch, room?: Room): Batch =>
    walks[batch.signal]?.apply(batch, room) ?? batch;
  return { name: context.name, apply };
}

/** Of the field that the attributes are in; for data points see `attributesNumber`. */
const numbers: Readonly<Record<Place, number>> = {
  resource: 1,
  scope: 3,
  span: 9,
  log: 6,
  datapoint: 7,
};

function walkOf(settings: Settings, leaf: Place, context: StepContext): Walk | undefined {
  const ofPlace = (place: Place): Setter | undefined => {
    const rules = Object.entries(settings[place]);
    return rules.length > 0 ? new Setter(place, rules, context) : undefined;
  };
  const [resource, scope, item] = [ofPlace("resource"), ofPlace("scope"), ofPlace(leaf)];
  if (!resource && !scope && !item) return undefined;
  const visitor: Visitor = {};
  if (resource) visitor.resource = (at, edits, isThere) => resource.describe(at, edits, isThere);
  if (scope) visitor.scope = (at, edits, isThere) => scope.describe(at, edits, isThere);
  if (item && leaf === "datapoint") visitor.point = (at, edits) => item.item(at, at.point, edits);
  else if (item) visitor.leaf = (at, edits) => item.item(at, at.leaf, edits);
  return new Walk(visitor);
}

class Setter {
  readonly #place: Place;
  readonly #rules: readonly CompiledRule[];
  readonly #context: StepContext;
  /** What each of the rules comes to for the present item, and whether it has been put in. */
  readonly #values: (Uint8Array | typeof gone | undefined)[] = [];
  readonly #isDone: boolean[] = [];
  readonly #fields = new Cursor(new Uint8Array());
  readonly #pair = new Cursor(new Uint8Array());

  constructor(place: Place, rules: [string, Settings[Place][string]][], context: StepContext) {
    const number = numbers[place];
    this.#place = place;
    this.#rules = rules.map(([key, rule]) => new CompiledRule(key, rule, { place, number }));
    this.#context = context;
  }

  item(item: Item, message: Range, edits: Edits): true {
    const number =
      this.#place === "datapoint" ? attributesNumber({ number: 0 }, item) : numbers[this.#place];
    if (this.#compute(item, number)) this.#edit(item.bytes, { message, number }, edits);
    return true;
  }

  /** A resource or a scope that is not there is put in if it gets attributes. */
  describe(item: Item, edits: Edits, isThere: boolean): void {
    const message = this.#place === "resource" ? item.resource : item.scope;
    const number = numbers[this.#place];
    if (!this.#compute(item, number)) return;
    if (isThere) {
      this.#edit(item.bytes, { message, number }, edits);
      return;
    }
    const writer = new Writer();
    writer.begin(1);
    for (const value of this.#values) if (value instanceof Uint8Array) writer.raw(value);
    writer.end();
    const written = writer.finish();
    if (written.length > 2) edits.replace(message.start, message.start, written);
  }

  /** False if nothing is to be set or deleted. */
  #compute(item: Item, number: number): boolean {
    let isSome = false;
    for (let index = 0; index < this.#rules.length; index++) {
      let value = this.#rules[index]!.run(item, number);
      if (value instanceof Failure) {
        this.#context.incidents.stepFailed(
          this.#context.name,
          `${value.words}; the attribute is left as it was`,
        );
        value = undefined;
      }
      this.#values[index] = value;
      this.#isDone[index] = false;
      isSome ||= value !== undefined;
    }
    return isSome;
  }

  /** The first attribute of a key is replaced in its place; others of the same key go. */
  #edit(
    bytes: Uint8Array,
    { message, number }: { message: Range; number: number },
    edits: Edits,
  ): void {
    const fields = this.#fields.over(message.start, message.end, bytes);
    while (fields.next()) {
      if (fields.number !== number) continue;
      const index = this.#ruleFor(bytes, fields);
      const value = index < 0 ? undefined : this.#values[index];
      if (value === undefined) continue;
      const { fieldStart, end } = fields;
      if (value === gone || this.#isDone[index]) edits.drop(fieldStart, end);
      else if (!isSame(bytes, { start: fieldStart, end }, value)) {
        edits.replace(fieldStart, end, value);
      }
      this.#isDone[index] = true;
    }
    for (const [index, value] of this.#values.entries()) {
      if (value instanceof Uint8Array && !this.#isDone[index]) {
        edits.replace(message.end, message.end, value);
      }
    }
  }

  #ruleFor(bytes: Uint8Array, { start, end }: Range): number {
    const pair = this.#pair.over(start, end, bytes);
    let found = -1;
    let isKeyless = true;
    while (pair.next()) {
      if (pair.number !== 1) continue;
      isKeyless = false;
      found = this.#rules.findIndex(({ key }) => isSame(bytes, pair, key));
    }
    return isKeyless ? -1 : found;
  }
}
