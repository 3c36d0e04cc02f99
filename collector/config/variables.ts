// The other spelling of a setting: `log_max_bytes` is SONDE_LOG_MAX_BYTES, and `outputs.jaeger.endpoint`
// SONDE_JAEGER_ENDPOINT, which is why only outputs that are named as a type have variables.

import { z } from "zod";
import { isSecret, layers } from "./fields.ts";

export const prefix = "SONDE_";

export function variableOf(name: string): string {
  const path = name.startsWith("outputs.") ? name.slice("outputs.".length) : name;
  return prefix + path.replaceAll(/[.-]/g, "_").toUpperCase();
}

/** A name under which a setting can be given. */
export interface Name {
  readonly setting: string;
  readonly schema: z.core.$ZodType;
  readonly isSecret: boolean;
  /** `password_file`: what is given is the path of a file that has the value. */
  readonly isOfFile: boolean;
}

export function namesOf({ shape }: z.ZodObject): Map<string, Name> {
  const names = new Map<string, Name>();
  for (const [setting, schema] of Object.entries(shape)) {
    const name = { setting, schema, isSecret: isSecret(setting, schema), isOfFile: false };
    names.set(setting, name);
    if (name.isSecret) names.set(`${setting}_file`, { ...name, isOfFile: true });
  }
  return names;
}

/** The value that a text stands for where this schema is asked; the text itself if it stands for none. */
export function fromText(schema: z.core.$ZodType, text: string): unknown {
  const core = [...layers(schema)].at(-1) ?? schema;
  const { def } = (core as z.core.$ZodTypes)._zod; // zod's own union of all that it has
  switch (def.type) {
    case "number":
      return toNumber(text) ?? text;
    case "boolean":
      return toBoolean(text) ?? text;
    case "array":
      return text.split(",").map((item) => fromText(def.element, item.trim()));
    case "record":
      return toRecord(text) ?? text;
    case "union": {
      const values = def.options.map((option) => ({ option, value: fromText(option, text) }));
      const fit = values.find(({ option, value }) => z.safeParse(option, value).success);
      return fit ? fit.value : (toNumber(text) ?? text);
    }
    default:
      return text;
  }
}

function toNumber(text: string): number | undefined {
  return /^\s*-?\d{1,300}(\.\d{1,300})?\s*$/.test(text) ? Number(text) : undefined;
}

function toBoolean(text: string): boolean | undefined {
  if (/^\s*true\s*$/i.test(text)) return true;
  return /^\s*false\s*$/i.test(text) ? false : undefined;
}

/** `name=value,name2=value2`, values percent-encoded where they have a comma or are not ASCII. */
function toRecord(text: string): Readonly<Record<string, string>> | undefined {
  const pairs: [string, string][] = [];
  for (const pair of text.split(",")) {
    const equals = pair.indexOf("=");
    if (equals < 1) return undefined;
    try {
      pairs.push([pair.slice(0, equals).trim(), decodeURIComponent(pair.slice(equals + 1).trim())]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(pairs);
}
