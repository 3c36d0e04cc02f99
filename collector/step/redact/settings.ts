// What can be set of redaction. Without any setting it takes out the well-known secrets.

import { z } from "zod";

const texts = z.array(z.string().min(1).max(1000)).max(100).default([]);

export const settings = z.strictObject({
  /**
   * Attributes whose whole value is masked, beside the well-known ones: names in any case, or patterns
   * such as /^internal\./. So are the values of query parameters and of name=value in texts.
   */
  keys: texts,
  /** Patterns (RE2): what matches within attributes and log bodies is masked. */
  patterns: texts,
  /** Attributes that are left as they are: names in any case, or patterns as above. */
  allow: texts,
  /** What is put in the place of a secret. */
  mask: z.string().max(100).default("REDACTED"),
  /** Numbers of 13 to 19 digits whose check digit is right. */
  credit_cards: z.boolean().default(false),
  /** False: only what `keys` and `patterns` say. */
  well_known: z.boolean().default(true),
});

export type Settings = z.output<typeof settings>;
