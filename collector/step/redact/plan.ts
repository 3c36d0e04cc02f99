// Where in a message there is something to redact: found in the table of OTLP's messages, so that no field
// with attributes is forgotten.

import { AnyValue, KeyValue, type Message } from "../../wire/schema.ts";

/** An attribute, a value of any type, a text. */
export const pair = "pair";
export const any = "any";
export const text = "text";

export interface Plan {
  /** By the field's number; another plan for a message with some of these in it. */
  readonly kinds: readonly (typeof pair | typeof any | typeof text | Plan | undefined)[];
}

/** Texts that are not attributes but are made of such: "GET https://user:password@host/". */
const texts = new Set(["Span.name", "Status.message"]);

/** No message of these has itself within. */
export function planOf({ name, fields }: Message): Plan {
  const kinds = fields.map((field) => {
    if (!field) return undefined;
    if (field.type === KeyValue) return pair;
    if (field.type === AnyValue) return any;
    if (typeof field.type !== "object")
      return texts.has(`${name}.${field.name}`) ? text : undefined;
    const plan = planOf(field.type);
    return plan.kinds.some((kind) => kind !== undefined) ? plan : undefined;
  });
  return { kinds };
}
