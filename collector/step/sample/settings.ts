// What can be set of sampling.

import { z } from "zod";

export const settings = z.strictObject({
  /** The part of all traces that is kept, from 0 to 1. */
  ratio: z.number().min(0).max(1),
});

export type Settings = z.output<typeof settings>;
