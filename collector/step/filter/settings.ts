// What can be set of a filter.

import { z } from "zod";

export const settings = z
  .strictObject({
    /** Items of which this is true are left out. */
    drop: z.string().min(1).optional(),
    /** Items of which this is false are left out. */
    keep: z.string().min(1).optional(),
  })
  .superRefine(({ drop, keep }, context) => {
    if ((drop === undefined) === (keep === undefined)) {
      const message = "needs one of drop and keep, with a condition";
      context.addIssue({ code: "custom", path: [], message });
    }
  });

export type Settings = z.output<typeof settings>;
