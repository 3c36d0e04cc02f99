// What stands between the log and an output: a step gives back what is left of a batch. It never
// changes the batch itself; one that leaves everything as it is gives the same batch back.

import type { Batch } from "../wire/batch.ts";

export interface Step {
  readonly name: string;
  /** What is left; a batch without items when nothing is. */
  apply(batch: Batch): Batch;
}
