// Attributes of a metric as they are kept: a copy, since they are the key of a series, and only of what can
// be one. sdk-metrics turns them into text for each measurement, and throws at what it cannot.

import type { Attributes } from "@opentelemetry/api";
import { tell } from "../tell.ts";
import { printable } from "../values.ts";

const mostAttributes = 64;
const longestText = 1024;

export function attributesFrom(given: unknown, metric: string): Attributes {
  const kept: Attributes = {};
  if (given === undefined || given === null) return kept;
  try {
    let count = 0;
    for (const name of Object.keys(given)) {
      const found = (given as Readonly<Record<string, unknown>>)[name];
      if (found === undefined) continue;
      const value = scalarFrom(found);
      if (value === undefined || name === "" || name === "__proto__") {
        const said = `attribute "${printable(name)}" of the metric "${metric}"`;
        tell(`${said} is neither text, number nor boolean and is left out`, `${metric} ${said}`);
      } else if (++count <= mostAttributes) kept[name] = value;
    }
  } catch {
    tell(`attributes of the metric "${metric}" cannot be read and are left out`);
  }
  return kept;
}

function scalarFrom(value: unknown): string | number | boolean | undefined {
  switch (typeof value) {
    case "string":
      return value.length > longestText ? value.slice(0, longestText) : value;
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    default:
      return undefined;
  }
}
