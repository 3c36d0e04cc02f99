// What can be set of the attributes that a step sets. They are grouped by what has them, and each is
//
//   key: value                                a text, a number, true or false, as it stands
//   key: { value: prod, if: condition }       the same where a condition holds
//   key: { expression: …, if: condition }     what an expression comes to
//   key: { delete: true, if: condition }      gone
//
// so that an expression can never be taken for a text, nor a text for an expression.

import { z } from "zod";

const plain = z.union([
  z.string(),
  z
    .number()
    .refine(
      (value) => !Number.isInteger(value) || Number.isSafeInteger(value),
      "is too large a number",
    ),
  z.boolean(),
]);

const rule = z
  .strictObject({
    value: plain.optional(),
    /** In CEL. */
    expression: z.string().min(1).optional(),
    delete: z.literal(true).optional(),
    /** A condition in CEL. */
    if: z.string().min(1).optional(),
  })
  .superRefine(({ value, expression, delete: isDeleted }, context) => {
    const given = [value, expression, isDeleted].filter((one) => one !== undefined);
    if (given.length === 1) return;
    context.addIssue({ code: "custom", message: "needs one of value, expression and delete" });
  });

const key = z.string().min(1, "is empty, which is no name of an attribute").max(1000);

const wrong =
  "is not what an attribute can be set to; give a text, a number, true, false, " +
  "or a group with one of value, expression and delete";

const rules = z
  .record(
    key,
    z.union([plain, rule], {
      error: ({ code, input }) =>
        code === "invalid_union" &&
        (typeof input !== "object" || input === null || Array.isArray(input))
          ? wrong
          : undefined,
    }),
  )
  .default({});

export const settings = z
  .strictObject({ resource: rules, scope: rules, span: rules, log: rules, datapoint: rules })
  .superRefine((given, context) => {
    if (Object.values(given).some((one) => Object.keys(one).length > 0)) return;
    const message = "needs attributes below resource, scope, span, log or datapoint";
    context.addIssue({ code: "custom", path: [], message });
  });

export type Settings = z.output<typeof settings>;
export type Place = keyof Settings;
export type Rule = Settings[Place][string];
