// Reaching into values: fields of messages, keys of maps, places in lists, and whether they are there.
// An attribute with a key that is known when the expression is read is found by comparing bytes.

import type { Range } from "../../wire/leaves.ts";
import type { Item } from "../item.ts";
import { type Code, constantCode, folded, partOf } from "./code.ts";
import * as types from "./types.ts";
import type { Field, Type } from "./types.ts";
import { Failure, isList, isMap, Uint, type Value } from "./values.ts";
import { attributesNumber, metricTypeOf, pointValueOf } from "./variables.ts";
import {
  findAttribute,
  findField,
  findText,
  hasField,
  MapView,
  readField,
  smallAt,
  valueAt,
} from "./view.ts";

/** Attributes that are still to be looked into: kept apart so that a key can be joined to them. */
export interface AttributesCode extends Code {
  readonly attributes: { readonly of: Code; readonly field: Field };
}

export function fieldCode(of: Code, field: Field): Code | AttributesCode {
  const { type, form } = field;
  if (form === "metric type") return { type, run: metricTypeOf };
  if (form === "point value") return { type, run: pointValueOf };
  const part = partOf(of);
  const run = (item: Item): Value => {
    const message = part(item);
    return message === null || message instanceof Failure
      ? message
      : readField(item.bytes, message, numbered(field, item));
  };
  const { range } = of;
  if (form === "attributes") return { type, run, attributes: { of, field } };
  if (!range) return { type, run };
  return { type, run, ...shortcuts(range, field) };
}

function numbered(field: Field, item: Item): Field {
  if (field.form !== "attributes" || field.number !== 0) return field;
  return { ...field, number: attributesNumber(field, item) };
}

function shortcuts(range: (item: Item) => Range, { form, number }: Field): Partial<Code> {
  const own: Range = { start: 0, end: 0 };
  switch (form) {
    case "part":
      return {
        range(item) {
          findField(item.bytes, range(item), number, own);
          return own;
        },
      };
    case "text":
      return {
        text(item, found) {
          findField(item.bytes, range(item), number, found);
          return true;
        },
      };
    case "any":
      return {
        text: (item, found) =>
          findField(item.bytes, range(item), number, own) && findText(item.bytes, own, found),
      };
    case "int":
      return {
        small(item) {
          findField(item.bytes, range(item), number, own);
          return smallAt(item.bytes, own);
        },
      };
    default:
      return {};
  }
}

/** `of[key]`, and `of.key` of a map. */
export function elementCode(of: Code, key: Code): Code {
  const attributes = "attributes" in of ? (of as AttributesCode).attributes : undefined;
  const name = key.constant?.value;
  const { range } = attributes?.of ?? {};
  if (attributes && range && typeof name === "string") {
    return attributeCode(range, attributes, Buffer.from(name));
  }
  return folded({ type: elementType(of.type), run: elementRun(of, key) }, [of, key]);
}

function elementType(type: Type): Type {
  if (type.kind === "list") return type.item;
  return type.kind === "map" ? type.value : types.dyn;
}

function elementRun(of: Code, key: Code): Code["run"] {
  return (item) => {
    const container = of.run(item);
    if (container === null || container instanceof Failure) return container;
    const index = key.run(item);
    return index instanceof Failure ? index : elementOf(container, index);
  };
}

/** In attributes, what is not there is absent; a map that the expression made should have the key. */
function elementOf(container: Value, index: Value): Value {
  if (isMap(container)) {
    const value = container.get(index);
    if (value !== undefined) return value;
    return container instanceof MapView ? null : new Failure("no such key");
  }
  if (!isList(container)) return new Failure("neither a map nor a list");
  const at = index instanceof Uint ? index.value : index;
  const isWhole = typeof at === "bigint" || (typeof at === "number" && Number.isInteger(at));
  const value = isWhole && at >= 0 ? container[Number(at)] : undefined;
  return value === undefined ? new Failure("no such place in the list") : value;
}

function attributeCode(
  range: (item: Item) => Range,
  { of, field }: AttributesCode["attributes"],
  key: Uint8Array,
): Code {
  const find = finder(range, field, key);
  const value: Range = { start: 0, end: 0 };
  const run = (item: Item): Value => (find(item, value) ? valueAt(item.bytes, value) : null);
  const text = (item: Item, found: Range): boolean =>
    find(item, value) && findText(item.bytes, value, found);
  return { type: types.dyn, run: kept(of, run), text };
}

const noRange: Range = { start: 0, end: 0 };

function finder(range: (item: Item) => Range, field: Field, key: Uint8Array) {
  const place = { message: noRange, number: field.number };
  return (item: Item, found: Range): boolean => {
    place.message = range(item);
    place.number = attributesNumber(field, item);
    return findAttribute(item.bytes, place, key, found);
  };
}

/** A resource is that of many spans, and so is a scope: what was read from it need not be read again. */
function kept({ type }: Code, run: Code["run"]): Code["run"] {
  const name = type.kind === "object" ? type.name : "";
  if (name !== "resource" && name !== "scope") return run;
  let lastItem: Item | undefined;
  let lastNumber = -1;
  let value: Value = null;
  return (item) => {
    const number = name === "resource" ? item.resourceNumber : item.scopeNumber;
    if (item !== lastItem || number !== lastNumber) {
      value = run(item);
      lastItem = item;
      lastNumber = number;
    }
    return value;
  };
}

// ── has() ────────────────────────────────────────────────────────────────────────────────────────

export function hasFieldCode(of: Code, field: Field): Code {
  if (field.form === "metric type")
    return { type: types.bool, run: (item) => metricTypeOf(item) !== "" };
  if (field.form === "point value") {
    return { type: types.bool, run: (item) => pointValueOf(item) !== null };
  }
  const part = partOf(of);
  const run = (item: Item): Value => {
    const message = part(item);
    if (message instanceof Failure) return message;
    return message !== null && hasField(item.bytes, message, numbered(field, item));
  };
  return { type: types.bool, run };
}

export function hasElementCode(of: Code, key: Code): Code {
  const attributes = "attributes" in of ? (of as AttributesCode).attributes : undefined;
  const name = key.constant?.value;
  const { range } = attributes?.of ?? {};
  if (attributes && range && typeof name === "string") {
    const find = finder(range, attributes.field, Buffer.from(name));
    const found: Range = { start: 0, end: 0 };
    return { type: types.bool, run: (item) => find(item, found) };
  }
  const run = (item: Item): Value => {
    const container = of.run(item);
    if (container instanceof Failure) return container;
    const index = key.run(item);
    if (index instanceof Failure) return index;
    if (isMap(container)) return container.get(index) !== undefined;
    if (container === null) return false;
    return new Failure("has() asks for a field or a key");
  };
  return folded({ type: types.bool, run }, [of, key]);
}

export function keyCode(name: string): Code {
  return constantCode(types.string, name);
}
