// What can be set of a debug output.

import { z } from "zod";

export const settings = z.strictObject({
  /** A line for each delivery, or every batch as OTLP/JSON. */
  verbosity: z.enum(["summary", "items"]).default("summary"),
});

export type Settings = z.infer<typeof settings>;
