// The types that an expression is checked by before it ever runs. What an attribute holds is only known
// when it is there: its type is `dyn`, which goes with every other.

import type { Value } from "./values.ts";
import { isList, isMap, Part, typeNameOf } from "./values.ts";

export type Type =
  | { readonly kind: Plain }
  | { readonly kind: "list"; readonly item: Type }
  | { readonly kind: "map"; readonly key: Type; readonly value: Type }
  | { readonly kind: "object"; readonly name: string; readonly fields: Fields };

type Plain =
  | "dyn"
  | "null"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "timestamp"
  | "duration"
  | "type";

export type Fields = ReadonlyMap<string, Field>;

/** A field of a message, and how it is to be read. */
export interface Field {
  readonly number: number;
  readonly type: Type;
  readonly form:
    | "text"
    | "hex"
    | "int"
    | "time"
    | "any"
    | "attributes"
    | "part"
    | "parts"
    /** What is not in one field. */
    | "metric type"
    | "point value";
}

export const dyn: Type = { kind: "dyn" };
export const nothing: Type = { kind: "null" };
export const bool: Type = { kind: "bool" };
export const int: Type = { kind: "int" };
export const uint: Type = { kind: "uint" };
export const double: Type = { kind: "double" };
export const string: Type = { kind: "string" };
export const bytes: Type = { kind: "bytes" };
export const timestamp: Type = { kind: "timestamp" };
export const duration: Type = { kind: "duration" };
export const typeType: Type = { kind: "type" };
export const list: Type = { kind: "list", item: dyn };
export const map: Type = { kind: "map", key: dyn, value: dyn };

/** Whether a value of the one could be one of the other. */
export function mayBe(a: Type, b: Type): boolean {
  if (a.kind === "dyn" || b.kind === "dyn") return true;
  if (a.kind === "list" && b.kind === "list") return mayBe(a.item, b.item);
  if (a.kind === "map" && b.kind === "map") return mayBe(a.key, b.key) && mayBe(a.value, b.value);
  if (a.kind === "object" && b.kind === "object") return a.name === b.name;
  return a.kind === b.kind;
}

/** Whether they could be equal: numbers are compared by what they stand for, whatever their type. */
export function mayEqual(a: Type, b: Type): boolean {
  if (a.kind === "list" && b.kind === "list") return mayEqual(a.item, b.item);
  if (a.kind === "map" && b.kind === "map") {
    return mayEqual(a.key, b.key) && mayEqual(a.value, b.value);
  }
  return mayBe(a, b) || (isNumber(a) && isNumber(b));
}

export function isNumber({ kind }: Type): boolean {
  return kind === "int" || kind === "uint" || kind === "double";
}

/** What either can be put into. */
export function common(a: Type, b: Type): Type {
  return mayBe(a, b) && a.kind !== "dyn" ? b : dyn;
}

/** What `type(…) == int` compares with. */
export const typeNames: ReadonlySet<string> = new Set([
  "bool",
  "bytes",
  "double",
  "int",
  "list",
  "map",
  "null_type",
  "string",
  "type",
  "uint",
]);

/** For messages, which are not to name a hundred lists within one another. */
export function nameOf(type: Type, depth = 3): string {
  switch (type.kind) {
    case "list":
      if (type.item.kind === "dyn" || depth === 0) return "a list";
      return `a list of ${nameOf(type.item, depth - 1)}`;
    case "map":
      return "a map";
    case "object":
      return `a ${type.name}`;
    case "dyn":
      return "any value";
    case "null":
      return "null";
    case "int":
      return "an int";
    default:
      return `a ${type.kind}`;
  }
}

/** The same for what has come up while running. */
export function isOfType(value: Value, { kind }: Type): boolean {
  switch (kind) {
    case "dyn":
      return true;
    case "list":
      return isList(value);
    case "map":
      return isMap(value);
    case "object":
      return value instanceof Part;
    case "null":
      return value === null;
    case "timestamp":
      return typeNameOf(value) === "google.protobuf.Timestamp";
    case "duration":
      return typeNameOf(value) === "google.protobuf.Duration";
    default:
      return typeNameOf(value) === kind;
  }
}
