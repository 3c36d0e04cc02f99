// What stands between the log and an output: a step gives back what is left of a batch. It never
// changes the batch itself; one that leaves everything as it is gives the same batch back.

import type { Incidents } from "../telemetry/incidents.ts";
import type { Batch } from "../wire/batch.ts";
import type { Room } from "../wire/room.ts";

export interface Step {
  readonly name: string;
  /**
   * What is left; a batch without items when nothing is. `room` is where it is written if anything was
   * changed, memory of its own if not given.
   */
  apply(batch: Batch, room?: Room): Batch;
}

/** What a step is given when it is opened. */
export interface StepContext {
  readonly name: string;
  readonly incidents: Incidents;
}

/** Something in a step's settings that its schema cannot see: an expression or a pattern that is wrong. */
export interface StepProblem {
  /** Below the settings of the step. */
  readonly path: readonly string[];
  readonly words: string;
}
