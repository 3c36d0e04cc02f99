// Patterns for what was received: an object of which each field must be met. A field may be given as a
// value, as a RegExp for text, as a function that decides, or as an object whose fields must be met in turn.

export type Pattern<Value> =
  | ((value: Value) => boolean)
  | (Value extends string | undefined ? RegExp : never)
  | (Value extends readonly (infer Member)[]
      ? readonly Pattern<Member>[]
      : Value extends object
        ? { readonly [Key in keyof Value]?: Pattern<Value[Key]> }
        : Value extends undefined | string | number | boolean
          ? Value
          : unknown);

export function matches(value: unknown, pattern: unknown): boolean {
  if (typeof pattern === "function") return (pattern as (value: unknown) => boolean)(value);
  if (pattern instanceof RegExp) return typeof value === "string" && pattern.test(value);
  if (typeof pattern !== "object" || pattern === null) return Object.is(value, pattern);
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value) || value.length !== pattern.length) return false;
    return pattern.every((part, index) => matches(value[index], part));
  }
  return Object.entries(pattern).every(([key, part]) =>
    matches((value as Readonly<Record<string, unknown>>)[key], part),
  );
}
