// Where our decoder and the foreign ones disagree, each with the reason and with what has to be true of
// the bytes. foreign-decoders.test.ts fails for any disagreement that is not one of these, and for any of
// these that it does not meet. Ours is the stricter one in all but the last two: what it takes, they take.

import type { Signal } from "../../collector/wire/batch.ts";
import { Cursor } from "../../collector/wire/cursor.ts";
import { type Field, type Message, requests } from "../../collector/wire/schema.ts";
import type { WireProblem } from "../../collector/wire/validate.ts";
import type { Reading, Value } from "./read-message.ts";

export type Decoder = "python" | "protobufjs";

export interface Refused {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
  readonly problem: WireProblem;
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
    holds: ({ bytes, problem }) => [3, 4].includes(tagAt(bytes, problem.offset).wireType),
  },
  {
    what: "a field of OTLP with a wire type that is not its own",
    why:
      "protobuf makes an unknown field of it, so that a span would silently have no name. " +
      "Who sends it has another schema, or no OTLP at all, and should hear of it.",
    takenBy: both,
    holds({ signal, bytes, problem }) {
      const field = fieldAt(signal, problem.path);
      const { number, wireType } = tagAt(bytes, problem.offset);
      return field?.number === number && !wireTypesOf(field).includes(wireType);
    },
  },
  {
    what: "a trace id of other than 0 or 16 bytes, a span id of other than 0 or 8",
    why: "To protobuf they are bytes; the comments in OTLP's schema call these invalid.",
    takenBy: both,
    holds({ signal, bytes, problem }) {
      const length = fieldAt(signal, problem.path)?.idLength;
      const field = new Cursor(bytes, problem.offset);
      field.next();
      const size = field.end - field.start;
      return length !== undefined && field.wireType === 2 && size !== 0 && size !== length;
    },
  },
  {
    what: "more than 64 messages within one another",
    why: "Ours is the limit for every walk over foreign bytes; Python's is 100, and so is protobufjs'.",
    takenBy: both,
    holds: ({ problem }) => problem.path.split(".").length >= 64,
  },
  {
    what: "a number whose tenth byte has more than the 64th bit",
    why: "Those bits are lost on the others. Go's decoder refuses it, as ours does.",
    takenBy: both,
    holds({ bytes, problem }) {
      const ten = bytes.subarray(problem.offset, problem.offset + 10);
      return ten.length === 10 && ten[9]! > 1 && ten[9]! < 0x80 && continues(ten.subarray(0, 9));
    },
  },
  {
    what: "a number of more than ten bytes",
    why: "protobufjs steps over such a number where it does not know the field.",
    takenBy: ["protobufjs"],
    holds: ({ bytes, problem }) => continues(bytes.subarray(problem.offset, problem.offset + 10)),
  },
];

function continues(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte >= 0x80);
}

function tagAt(bytes: Uint8Array, offset: number): { number: number; wireType: number } {
  let tag = 0;
  let scale = 1;
  for (let at = offset; at < bytes.length; at++, scale *= 128) {
    tag += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) break;
  }
  return { number: Math.floor(tag / 8), wireType: tag % 8 };
}

/** What a path such as resource_spans[0].schema_url names. */
function fieldAt(signal: Signal, path: string): Field | undefined {
  let message: Message | undefined = requests[signal];
  let field: Field | undefined;
  for (const step of path.split(".")) {
    const name = step.replace(/\[\d+\]$/, "");
    field = message?.fields.find((candidate) => candidate?.name === name);
    message = typeof field?.type === "object" ? field.type : undefined;
  }
  return field;
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
  for (const scopes of childrenOf(bytes, 1)) {
    for (const metrics of childrenOf(scopes, 2)) {
      for (const metric of childrenOf(metrics, 2)) replaced += replacedIn(metric);
    }
  }
  return replaced;
}

const dataFields = [5, 7, 9, 10, 11];

function replacedIn(metric: Uint8Array): number {
  const cursor = new Cursor(metric);
  let member = 0;
  let points = 0;
  let replaced = 0;
  while (cursor.next()) {
    if (!dataFields.includes(cursor.number)) continue;
    if (cursor.number !== member) {
      replaced += points;
      points = 0;
      member = cursor.number;
    }
    points += childrenOf(cursor.slice(), 1).length;
  }
  return replaced;
}

function childrenOf(bytes: Uint8Array, number: number): Uint8Array[] {
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
