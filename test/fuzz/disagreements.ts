// Where our decoder and the foreign ones disagree, each with the reason and with what has to be true of
// the bytes. foreign-decoders.test.ts fails for any disagreement that is not one of these, and for any of
// these that it does not meet. Ours is the stricter one in all but the last two: what it takes, they take.

import { Cursor } from "../../collector/wire/cursor.ts";
import type { Field, Message } from "../../collector/wire/schema.ts";
import { maxDepth } from "../../collector/wire/walk-rules.ts";
import type { Place } from "./place.ts";
import type { Reading, Value } from "./read-message.ts";

export type Decoder = "python" | "protobufjs";

export interface Refused {
  readonly bytes: Uint8Array;
  /** Where our walk stopped. */
  readonly offset: number;
  readonly place: Place;
}

export interface Refusal {
  readonly what: string;
  readonly why: string;
  /** Who takes what we refuse. */
  readonly takenBy: readonly Decoder[];
  holds(refused: Refused): boolean;
}

const both: readonly Decoder[] = ["python", "protobufjs"];

export const refusals: readonly Refusal[] = [
  {
    what: "a group (wire types 3 and 4)",
    why: "OTLP never had one. To step over one needs a stack; the others pay for that.",
    takenBy: both,
    holds: ({ place }) => place.wireType === 3 || place.wireType === 4,
  },
  {
    what: "a field of OTLP with a wire type that is not its own",
    why:
      "protobuf makes an unknown field of it, so that a span would silently have no name. " +
      "Who sends it has another schema, or no OTLP at all, and should hear of it.",
    takenBy: both,
    holds: ({ place: { field, wireType } }) =>
      field !== undefined && !wireTypesOf(field).includes(wireType),
  },
  {
    what: "a trace id of other than 0 or 16 bytes, a span id of other than 0 or 8",
    why: "To protobuf they are bytes; the comments in OTLP's schema call these invalid.",
    takenBy: both,
    holds({ bytes, offset, place: { field, wireType } }) {
      if (!field?.idLength || wireType !== 2) return false;
      const cursor = new Cursor(bytes, offset);
      cursor.next();
      return ![0, field.idLength].includes(cursor.end - cursor.start);
    },
  },
  {
    what: "more than 64 messages within one another",
    why: "Ours is the limit for every walk over foreign bytes; Python and protobufjs go to 100.",
    takenBy: both,
    holds: ({ place: { depth, field } }) =>
      depth > maxDepth || (depth === maxDepth && typeof field?.type === "object"),
  },
  {
    what: "a number whose tenth byte has more than the 64th bit",
    why: "Those bits are lost on the others. Go's decoder refuses it, as ours does.",
    takenBy: both,
    holds({ bytes, offset }) {
      const ten = bytes.subarray(offset, offset + 10);
      return ten.length === 10 && ten[9]! > 1 && ten[9]! < 0x80 && continues(ten.subarray(0, 9));
    },
  },
  {
    what: "a number of more than ten bytes",
    why: "protobufjs steps over such a number where it does not know the field.",
    takenBy: ["protobufjs"],
    holds: ({ bytes, offset }) => continues(bytes.subarray(offset, offset + 10)),
  },
];

function continues(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte >= 0x80);
}

function wireTypesOf({ type, repeated }: Field): number[] {
  if (typeof type === "object" || type === "string" || type === "bytes") return [2];
  const own = type === "fixed32" ? 5 : /^s?fixed64$|^double$/.test(type) ? 1 : 0;
  return repeated ? [own, 2] : [own];
}

// ── what both take, and read differently ─────────────────────────────────────────────────────────

export interface Difference {
  readonly what: string;
  readonly why: string;
}

export const replacedData: Difference = {
  what: "a metric with several kinds of data, such as a gauge and then a sum: more items are counted",
  why:
    "Of a oneof the last member counts, and Python has forgotten the points of the others. The walk that " +
    "counts ours would have to look at each metric twice. No sender that is known writes such a metric.",
};

/** How many points are in data that others replaced. */
export function replacedItems(bytes: Uint8Array): number {
  let replaced = 0;
  for (const scopes of childrenIn(bytes, 1)) {
    for (const metrics of childrenIn(scopes, 2)) {
      for (const metric of childrenIn(metrics, 2)) replaced += replacedIn(metric);
    }
  }
  return replaced;
}

const dataFields: ReadonlySet<number> = new Set([5, 7, 9, 10, 11]);

function replacedIn(metric: Uint8Array): number {
  const cursor = new Cursor(metric);
  let member = 0;
  let points = 0;
  let replaced = 0;
  while (cursor.next()) {
    if (!dataFields.has(cursor.number)) continue;
    if (cursor.number !== member) {
      replaced += points;
      points = 0;
      member = cursor.number;
    }
    points += childrenIn(cursor.slice(), 1).length;
  }
  return replaced;
}

export function childrenIn(bytes: Uint8Array, number: number): Uint8Array[] {
  const children: Uint8Array[] = [];
  const cursor = new Cursor(bytes);
  while (cursor.next()) if (cursor.number === number) children.push(cursor.slice());
  return children;
}

export const profileFields: Difference = {
  what: "the fields key_strindex of KeyValue and string_value_strindex of AnyValue are unknown to us",
  why: "Newer schemas have them for profiles and forbid them in the three signals. They pass unharmed.",
};

/** As differences of the schema: see `schemaDifferences`. */
export const profileFieldsOfSchema = [
  "AnyValue has 8 string_value_strindex int32 oneof",
  "KeyValue has 3 key_strindex int32 ",
];

/** A reading of Python's without these fields; where one stood in a oneof, what we read in its place. */
export function withoutProfileFields(message: Message, theirs: Reading, ours: Reading): Reading {
  if (message.name === "AnyValue" && "8" in theirs) return ours;
  const reading: Record<string, Value | readonly Value[]> = {};
  for (const [number, value] of Object.entries(theirs)) {
    const type = message.fields[Number(number)]?.type;
    if (message.name === "KeyValue" && number === "3") continue;
    const own = ours[number];
    const one = (value: Value, own: Value | undefined): Value =>
      typeof type === "object" && typeof value === "object" && typeof own === "object"
        ? withoutProfileFields(type, value, own)
        : value;
    reading[number] = Array.isArray(value)
      ? value.map((item: Value, index) => one(item, Array.isArray(own) ? own[index] : undefined))
      : one(value as Value, own as Value | undefined);
  }
  return reading;
}

// ── JSON ─────────────────────────────────────────────────────────────────────────────────────────

export const roundedFractions: Difference = {
  what: "0.99999999999999999999 in the place of an integer is 1, and so is every number whose double is one",
  why:
    "JSON.parse has made a double of it before we look, and to ask it for the digits of every number takes " +
    "twice as long. In a string, as OTLP has its 64-bit integers, such a number is refused.",
};
