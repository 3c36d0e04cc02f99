// Random OTLP requests for property tests, made from otlp.proto by reflection, so that every field of
// every message is met with every kind of value.

import * as fc from "fast-check";
import protobuf from "protobufjs";
import type { Signal } from "../../collector/wire/batch.ts";
import { type Request, root } from "./otlp.ts";

/** A longer or another run: SONDE_FUZZ_RUNS=100000 SONDE_FUZZ_SEED=7 vitest run test/collector/wire */
export function fuzz(runs: number): { numRuns: number; seed: number } {
  return {
    numRuns: Number(process.env["SONDE_FUZZ_RUNS"] ?? runs),
    seed: Number(process.env["SONDE_FUZZ_SEED"] ?? 1),
  };
}

export const anySignal = fc.constantFrom<Signal>("traces", "metrics", "logs");

/** A signal with a request of it. */
export const anyRequest: fc.Arbitrary<{ signal: Signal; request: Request }> = anySignal.chain(
  (signal) => {
    const name = { traces: "Trace", metrics: "Metrics", logs: "Logs" }[signal];
    return anyMessage(`Export${name}ServiceRequest`).map((request) => ({ signal, request }));
  },
);

/** A message of otlp.proto by its name. */
export function anyMessage(name: string): fc.Arbitrary<object> {
  return messageOf(root.lookupType(name), anyValueDepth);
}

/** So many lists or maps stand within one another. */
const anyValueDepth = 3;

const made = new Map<string, fc.Arbitrary<object>>();

function messageOf(type: protobuf.Type, depth: number): fc.Arbitrary<object> {
  const key = `${type.fullName} ${depth}`;
  const known = made.get(key);
  if (known) return known;
  const arbitrary = fc.oneof(
    { weight: 1, arbitrary: fc.constant({}) },
    {
      weight: 5,
      arbitrary: fieldsOf(type, depth),
    },
  );
  made.set(key, arbitrary);
  return arbitrary;
}

function fieldsOf(type: protobuf.Type, depth: number): fc.Arbitrary<object> {
  const plain: Record<string, fc.Arbitrary<unknown>> = {};
  const members: fc.Arbitrary<object>[] = [fc.constant({})];
  for (const field of type.fieldsArray) {
    const value = fieldOf(field.resolve(), depth);
    if (!value) continue;
    const isMember = field.partOf && field.partOf.fieldsArray.length > 1;
    if (isMember) members.push(value.map((value) => ({ [field.name]: value })));
    else plain[field.name] = value;
  }
  return fc
    .tuple(fc.record(plain, { requiredKeys: [] }), fc.oneof(...members))
    .map(([fields, member]) => ({ ...fields, ...member }));
}

function fieldOf(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> | undefined {
  let one: fc.Arbitrary<unknown>;
  if (field.resolvedType instanceof protobuf.Type) {
    const isNested = /^(ArrayValue|KeyValueList)$/.test(field.resolvedType.name);
    if (isNested && depth === 0) return undefined;
    one = messageOf(field.resolvedType, isNested ? depth - 1 : depth);
  } else one = field.resolvedType ? fc.integer() : scalarOf(field);
  return field.repeated ? fc.array(one, { maxLength: 3 }) : one;
}

function scalarOf({ type, name }: protobuf.Field): fc.Arbitrary<unknown> {
  switch (type) {
    case "string":
      return fc.string({ unit: "binary", maxLength: 40 });
    case "bytes": {
      const length = /trace_?Id$/i.test(name) ? 16 : /span_?Id$/i.test(name) ? 8 : undefined;
      if (length === undefined) return bytes(0, 20).map((bytes) => bytes.toString("base64"));
      return fc.oneof(bytes(length, length), bytes(0, 0)).map((bytes) => bytes.toString("hex"));
    }
    case "bool":
      return fc.boolean();
    case "double":
      return fc.oneof(fc.double(), fc.integer());
    case "uint32":
    case "fixed32":
      return fc.nat({ max: 2 ** 32 - 1 });
    case "sint32":
      return fc.integer();
    case "uint64":
    case "fixed64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case "int64":
    case "sfixed64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    default:
      throw new Error(`otlp.proto has a ${type}, for which no values are made yet`);
  }
}

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
}

/** The JSON mapping of an object as test/support/otlp.ts has it: JSON knows neither NaN nor -0. */
export function jsonOf(request: Request): string {
  return JSON.stringify(request, (_key, value: unknown) => {
    if (Object.is(value, -0)) return "-0";
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
}

/** Damages bytes here and there: flips, cuts, doubles and foreign bytes. */
export function damaged(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat({ max: 2 ** 31 }),
    cut: fc.nat({ max: 4 }),
    put: fc.oneof(fc.uint8Array({ maxLength: 4 }), interesting),
    again: fc.nat({ max: 20 }),
  });
  return fc.tuple(bytes, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([bytes, edits]) => {
    let damaged = Buffer.from(bytes);
    for (const { at, cut, put, again } of edits) {
      const place = at % (damaged.length + 1);
      const before = damaged.subarray(0, place);
      const twice = damaged.subarray(Math.max(0, place - again), place);
      damaged = Buffer.concat([before, put, twice, damaged.subarray(place + cut)]);
    }
    return damaged;
  });
}

/** Overwrites a few bytes, so that lengths stay and more of the damage is inside of values. */
export function flipped(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.tuple(fc.nat({ max: 2 ** 31 }), fc.nat({ max: 255 }));
  return fc.tuple(bytes, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([bytes, edits]) => {
    const flipped = Uint8Array.from(bytes);
    for (const [at, byte] of edits) if (bytes.length > 0) flipped[at % bytes.length] = byte;
    return flipped;
  });
}

const interesting = fc
  .constantFrom(
    "null",
    "{}",
    "[]",
    '"',
    ",",
    "[[[[",
    "1e999",
    "-0",
    "18446744073709551616",
    '"\\ud800"',
    '"__proto__":{"x":1},',
    "\\",
    "\0",
    "\xff\xff\xff\xff\x0f",
    "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
  )
  .map((text) => Buffer.from(text, "latin1"));
