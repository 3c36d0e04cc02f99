// Masks secrets in the values of attributes, in the bodies of logs, in the names of spans and in the
// messages of their status. What is no secret stays as it is, byte for byte.

import type { Signal } from "../../wire/batch.ts";
import { Cursor } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";
import { InstrumentationScope, LogRecord, Metric, Resource, Span } from "../../wire/schema.ts";
import type { Edits } from "../edits.ts";
import { compilePattern } from "../pattern/pattern.ts";
import { PatternFault } from "../pattern/syntax.ts";
import type { Step, StepContext, StepProblem } from "../step.ts";
import { Walk } from "../walk.ts";
import { isPattern } from "./names.ts";
import { any, pair, type Plan, planOf, text } from "./plan.ts";
import type { Settings } from "./settings.ts";
import { Values } from "./values.ts";

export function check({ keys, patterns, allow }: Settings): StepProblem[] {
  const problems: StepProblem[] = [];
  const add = (setting: string, index: number, source: string): void => {
    try {
      compilePattern(source);
    } catch (error) {
      if (!(error instanceof PatternFault)) throw error;
      problems.push({ path: [setting, String(index)], words: error.message });
    }
  };
  for (const [setting, given] of Object.entries({ keys, allow })) {
    for (const [index, one] of given.entries()) {
      if (isPattern(one)) add(setting, index, one.slice(1, -1));
    }
  }
  for (const [index, one] of patterns.entries()) add("patterns", index, one);
  return problems;
}

export function open(settings: Settings, { name }: StepContext): Step {
  const redaction = new Redaction(settings);
  const walkOf = (plan: Plan): Walk =>
    new Walk({
      resource: ({ bytes, resource }, edits) =>
        redaction.message(bytes, resource, ofResource, edits),
      scope: ({ bytes, scope }, edits) => redaction.message(bytes, scope, ofScope, edits),
      leaf({ bytes, leaf }, edits) {
        redaction.message(bytes, leaf, plan, edits);
        return true;
      },
    });
  const walks: Readonly<Record<Signal, Walk>> = {
    traces: walkOf(planOf(Span)),
    metrics: walkOf(planOf(Metric)),
    logs: walkOf(planOf(LogRecord)),
  };
  return { name, apply: (batch, room) => walks[batch.signal].apply(batch, room) };
}

const ofResource = planOf(Resource);
const ofScope = planOf(InstrumentationScope);

class Redaction {
  readonly #values: Values;
  /** One for each level of messages. */
  readonly #cursors: Cursor[] = [];
  #depth = 0;

  constructor(settings: Settings) {
    this.#values = new Values(settings);
  }

  message(bytes: Uint8Array, { start, end }: Range, plan: Plan, edits: Edits): void {
    const values = this.#values;
    const fields = (this.#cursors[this.#depth++] ??= new Cursor(bytes)).over(start, end, bytes);
    while (fields.next()) {
      const kind = plan.kinds[fields.number];
      if (kind === undefined || fields.wireType !== 2) continue;
      if (kind === pair) values.attribute(bytes, fields, edits);
      else if (kind === any) values.value(bytes, fields, edits);
      else if (kind === text) values.text(bytes, fields, edits);
      else {
        edits.enter(fields);
        this.message(bytes, fields, kind, edits);
        edits.leave();
      }
    }
    this.#depth--;
  }
}
