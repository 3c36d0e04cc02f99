// What was thrown, as attributes: by OpenTelemetry's conventions for exceptions, which anything can be.

import { textOf, valueAt } from "./values.ts";
import type { Attributes, AttributeLimits } from "./values.ts";

/** False if there is nothing to tell. What is set already stays. */
export function describeException(
  exception: unknown,
  attributes: Attributes,
  limits: AttributeLimits,
): boolean {
  const set = (name: string, value: unknown): void => {
    if (!attributes.has(name)) attributes.set(name, textOf(value), limits);
  };
  if (exception === undefined || exception === null || exception === "") return false;
  if (typeof exception !== "object" && typeof exception !== "function") {
    set("exception.message", exception);
    return true;
  }
  const type = valueAt(exception, "code") || valueAt(exception, "name");
  const message = valueAt(exception, "message");
  const stack = valueAt(exception, "stack");
  if (type) set("exception.type", type);
  if (message) set("exception.message", message);
  if (stack) set("exception.stacktrace", stack);
  return Boolean(type || message || stack);
}
