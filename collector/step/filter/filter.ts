// Leaves items out by a condition. What the condition cannot be computed for stays in: an item is never
// lost by a mistake.

import { Failure } from "../cel/values.ts";
import { compileCondition, problemOf } from "../condition.ts";
import type { Item } from "../item.ts";
import type { Step, StepContext, StepProblem } from "../step.ts";
import { Walk } from "../walk.ts";
import type { Settings } from "./settings.ts";

export function check({ drop, keep }: Settings): StepProblem[] {
  const problems: StepProblem[] = [];
  for (const [setting, text] of Object.entries({ drop, keep })) {
    const words = text === undefined ? undefined : problemOf(text, compileCondition);
    if (words) problems.push({ path: [setting], words });
  }
  return problems;
}

export function open({ drop, keep }: Settings, { name, incidents }: StepContext): Step {
  const condition = compileCondition(drop ?? keep ?? "true");
  const wanted = drop === undefined;
  const stays = (item: Item): boolean => {
    const answer = condition.test(item);
    if (answer instanceof Failure) {
      incidents.stepFailed(name, `${answer.words}; the item is kept`);
      return true;
    }
    return answer === wanted;
  };
  const walk = new Walk(condition.isOfPoints ? { point: stays } : { leaf: stays });
  return {
    name,
    apply(batch, room) {
      const isMeant = condition.signal === undefined || condition.signal === batch.signal;
      return isMeant ? walk.apply(batch, room) : batch;
    },
  };
}
