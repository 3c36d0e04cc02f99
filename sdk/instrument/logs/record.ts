// What the bridges of the loggers have in common: levels, and errors among the fields.

import type { SeverityNumber } from "@opentelemetry/api";

export type Fields = Record<string, unknown>;

/** pino's and bunyan's: trace 10 to fatal 60. What lies between belongs to the level below it. */
export function severityOfLevel(level: number): SeverityNumber {
  const step = Math.min(6, Math.max(1, Math.floor(level / 10)));
  const above = Math.min(3, Math.floor(((level - step * 10) / 10) * 4));
  return (step - 1) * 4 + 1 + Math.max(0, above);
}

export interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** An error, or what a serializer has made of one: `{ type, message, stack }`. */
export function thrownOf(value: unknown): Thrown | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type, name, message, stack } = value as Partial<Record<string, unknown>>;
  if (typeof message !== "string") return undefined;
  const isError = value instanceof Error || typeof stack === "string";
  if (!isError) return undefined;
  // Errors are told apart by their class more often than by their name.
  const named = [name === "Error" ? value.constructor.name : name, type, name].find(
    (one): one is string => typeof one === "string" && one !== "" && one !== "Object",
  );
  return { name: named ?? "Error", message, ...(typeof stack === "string" ? { stack } : {}) };
}

/** What else there is in an error: a code, an address, an HTTP status. */
export function detailsOf(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type: _, name: _1, message: _2, stack: _3, ...details } = value as Fields;
  return Object.keys(details).length > 0 ? details : undefined;
}
