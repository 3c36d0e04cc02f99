// Ours beside two foreign decoders, protobufjs and Python's opentelemetry-proto: for thousands of requests,
// sound, changed and at the edge, the same are taken, with the same items and the same values in every
// field. Where they disagree it is for a reason that stands in disagreements.ts.

import { deepStrictEqual } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { type Signal, signals } from "../../collector/wire/batch.ts";
import { bytesFromJson } from "../support/otlp-json.ts";
import { type Field, type Message, requests } from "../../collector/wire/schema.ts";
import { toJson } from "../../collector/wire/to-json.ts";
import { validate } from "../../collector/wire/validate.ts";
import { isAbsent } from "../support/peers.ts";
import {
  childrenIn,
  type Decoder,
  profileFields,
  profileFieldsOfSchema,
  refusals,
  replacedData,
  replacedItems,
  roundedFractions,
  withoutProfileFields,
} from "./disagreements.ts";
import { readForeign } from "./foreign.ts";
import { generate, type Given } from "./generate.ts";
import {
  type Answer,
  askForDoubles,
  askForIntegers,
  askForRequests,
  askForSchema,
  type Schema,
} from "./python.ts";
import { placeOf } from "./place.ts";
import { Random } from "./random.ts";
import { type LeafReading, type Reading, readLeaves, readMessage } from "./read-message.ts";

const perSignal = Number(process.env["SONDE_FUZZ_RUNS"] ?? 1500);
const seed = Number(process.env["SONDE_FUZZ_SEED"] ?? 1);
const given = generate(seed, perSignal);

test("a number may have 64 bits and not one more", () => {
  // kind, of a span
  const request = (last: number): Uint8Array =>
    Uint8Array.of(0x0a, 15, 0x12, 13, 0x12, 11, 0x30, ...Array(9).fill(0xff), last);
  expect(validate("traces", request(1))).toMatchObject({ kind: "valid" });
  expect(validate("traces", request(2))).toMatchObject({ problem: { offset: 7 } });
});

test("where a fault is, ours says as a second walk does", () => {
  let compared = 0;
  for (const { signal, bytes } of given) {
    const result = validate(signal, bytes);
    if (result.kind === "valid") continue;
    const { path } = placeOf(signal, bytes, result.problem.offset);
    expect(result.problem.path, Buffer.from(bytes).toString("base64")).toBe(path);
    compared++;
  }
  expect(compared).toBeGreaterThan(given.length / 10);
});

describe("protobufjs", () => {
  test("takes, counts and reads what ours does", () => {
    const { met, taken, refused } = compare("protobufjs", (one) => {
      try {
        const reading = readForeign(one.signal, one.bytes);
        return { reading, items: itemsIn(requests[one.signal], reading) };
      } catch (error) {
        return { refused: String(error) };
      }
    });
    expect(met).toEqual(expectedOf("protobufjs"));
    expect(taken).toBeGreaterThan(given.length / 3);
    expect(refused).toBeGreaterThan(given.length / 10);
  });

  test("finds the leaves that Leaves finds, with the same resource and scope", () => {
    let joined = 0;
    for (const { signal, bytes } of given) {
      const result = validate(signal, bytes);
      if (result.kind === "invalid") continue;
      const { batch } = result;
      const theirs = readForeign(signal, bytes);
      deepStrictEqual(readLeaves(signal, batch.bytes), leavesOf(theirs));
      expect(batch.bytes === bytes).toBe(!hasPartedDescription(bytes));
      if (batch.bytes === bytes) continue;
      joined++;
      deepStrictEqual(readForeign(signal, batch.bytes), theirs);
      expect(validate(signal, batch.bytes)).toEqual(result);
    }
    expect(joined).toBeGreaterThan(10);
  });

  test("reads two requests, one after the other, as their merge, and so does ours", () => {
    const valid = given.filter(({ signal, bytes }) => validate(signal, bytes).kind === "valid");
    for (let index = 1; index < valid.length; index += 2) {
      const [first, second] = [valid[index - 1]!, valid[index]!];
      if (first.signal !== second.signal) continue;
      const { signal } = first;
      const [one, other] = [first, second].map(
        ({ bytes }) => readForeign(signal, bytes)["1"] ?? [],
      );
      const merged = Buffer.concat([first.bytes, second.bytes]);
      const groups = [...(one as Reading[]), ...(other as Reading[])];
      deepStrictEqual(readForeign(signal, merged)["1"] ?? [], groups);
      deepStrictEqual(readMessage(signal, merged)["1"] ?? [], groups);
      expect(itemsOf(signal, merged)).toBe(
        itemsOf(signal, first.bytes) + itemsOf(signal, second.bytes),
      );
    }
  });
});

describe.skipIf(isAbsent("python"))("Python's opentelemetry-proto", () => {
  test("takes, counts and reads what ours does", () => {
    const answers = askForRequests(given);
    const { met } = compare("python", (_one, index) => answers[index]!);
    expect(met).toEqual(expectedOf("python"));
  });

  test("reads what ours wrote from JSON as protobufjs reads what the JSON was made of", () => {
    const valid = given.filter(({ signal, bytes }) => validate(signal, bytes).kind === "valid");
    const written = valid.map(({ signal, bytes }) => ({
      signal,
      bytes: bytesFromJson(signal, toJson(signal, bytes)),
    }));
    askForRequests(written).forEach((answer, index) => {
      const { signal, bytes } = valid[index]!;
      const expected = readForeign(signal, bytes);
      deepStrictEqual("reading" in answer && answer.reading, expected);
    });
  });

  test("has the same schema, but for what only profiles use", () => {
    const differences = new Set<string>();
    for (const signal of signals) {
      const schema = askForSchema(signal);
      schemaDifferences(requests[signal], { schema, name: Object.keys(schema)[0]!, differences });
    }
    expect([...differences].toSorted()).toEqual(profileFieldsOfSchema);
  });

  test("reads every double in JSON as ours does", () => {
    const texts = someDoubles();
    const dataPoints = texts.map((text, index) => `{"asDouble":${index % 2 ? text : `"${text}"`}}`);
    const points = pointsFromJson(dataPoints);
    const bits = points.map((point) => point["4"]);
    deepStrictEqual(bits, askForDoubles(texts));
  });

  test("reads every 64-bit integer in JSON as ours does", () => {
    const texts = someIntegers();
    const dataPoints = texts.map((text, index) => `{"asInt":${index % 2 ? text : `"${text}"`}}`);
    const points = pointsFromJson(dataPoints);
    const integers = points.map((point) => point["6"]);
    deepStrictEqual(integers, askForIntegers(texts));
  });
});

test(roundedFractions.what, () => {
  const texts = ["0.99999999999999999999", "1e-400", "4503599627370497.5", "-2.00000000000000001"];
  const points = pointsFromJson(texts.map((text) => `{"asInt":${text}}`));
  expect(points.map((point) => point["6"])).toEqual(["1", "0", "4503599627370498", "-2"]);
  for (const text of texts) expect(() => pointsFromJson([`{"asInt":"${text}"}`])).toThrow(text);
});

function hasPartedDescription(bytes: Uint8Array): boolean {
  const groups = childrenIn(bytes, 1);
  return [...groups, ...groups.flatMap((group) => childrenIn(group, 2))].some(
    (group) => childrenIn(group, 1).length > 1,
  );
}

// ── comparing ────────────────────────────────────────────────────────────────────────────────────

interface Comparison {
  /** The disagreements that were met. */
  readonly met: string[];
  readonly taken: number;
  readonly refused: number;
}

function compare(decoder: Decoder, ask: (one: Given, index: number) => Answer): Comparison {
  const met = new Set<string>();
  let taken = 0;
  given.forEach((one, index) => {
    const { signal, bytes } = one;
    const answer = ask(one, index);
    const result = validate(signal, bytes);
    const shown = `${signal} ${Buffer.from(bytes).toString("base64")}`;
    if (result.kind === "invalid") {
      if ("refused" in answer) return;
      const { offset } = result.problem;
      const refused = { bytes, offset, place: placeOf(signal, bytes, offset) };
      const known = refusals.find((one) => one.takenBy.includes(decoder) && one.holds(refused));
      if (!known) throw new Error(`only ours refuses ${shown}: ${JSON.stringify(result.problem)}`);
      met.add(known.what);
      return;
    }
    if ("refused" in answer) throw new Error(`only ours takes ${shown}: ${answer.refused}`);
    taken++;
    const ours = readMessage(signal, bytes);
    let { reading } = answer;
    if (decoder === "python" && !isDeepStrictEqual(ours, reading)) {
      reading = withoutProfileFields(requests[signal], reading, ours);
      met.add(profileFields.what);
    }
    deepStrictEqual(ours, reading, `read differently: ${shown}`);
    const replaced = signal === "metrics" ? replacedItems(bytes) : 0;
    if (replaced > 0) met.add(replacedData.what);
    expect(result.batch.items, shown).toBe(answer.items + replaced);
  });
  return { met: [...met].toSorted(), taken, refused: given.length - taken };
}

/** All that there are, so that no reason stays in the list for which there is no case. */
function expectedOf(decoder: Decoder): string[] {
  const known = refusals.filter(({ takenBy }) => takenBy.includes(decoder));
  const others = decoder === "python" ? [replacedData, profileFields] : [replacedData];
  return [...known, ...others].map(({ what }) => what).toSorted();
}

function leavesOf(request: Reading): LeafReading[] {
  return childrenOf(request, 1).flatMap((group) =>
    childrenOf(group, 2).flatMap((scopes) =>
      childrenOf(scopes, 2).map((leaf) => ({
        resource: (group["1"] as Reading | undefined) ?? {},
        scope: (scopes["1"] as Reading | undefined) ?? {},
        leaf,
      })),
    ),
  );
}

function childrenOf(reading: Reading, number: number): Reading[] {
  return (reading[number] as Reading[] | undefined) ?? [];
}

function itemsOf(signal: Signal, bytes: Uint8Array): number {
  const result = validate(signal, bytes);
  return result.kind === "valid" ? result.batch.items : -1;
}

function itemsIn(message: Message, reading: Reading): number {
  let items = message.isItem ? 1 : 0;
  for (const [number, value] of Object.entries(reading)) {
    const type = message.fields[Number(number)]?.type;
    if (typeof type !== "object") continue;
    const children = (Array.isArray(value) ? value : [value]) as Reading[];
    for (const child of children) items += itemsIn(type, child);
  }
  return items;
}

interface Comparing {
  readonly schema: Schema;
  /** Python's name of the message. */
  readonly name: string;
  readonly differences: Set<string>;
  readonly compared?: Set<string>;
}

function schemaDifferences(message: Message, comparing: Comparing): void {
  const { schema, name, differences, compared = new Set() } = comparing;
  if (compared.has(name)) return;
  compared.add(name);
  const theirs = schema[name] ?? [];
  for (const [number, field, type, kind] of theirs) {
    const ours = message.fields[number];
    const line = `${message.name} has ${number} ${field} ${schema[type] ? "message" : type} ${kind}`;
    if (!ours || describeField(message, ours) !== line) differences.add(line);
    if (typeof ours?.type === "object") {
      schemaDifferences(ours.type, { ...comparing, name: type, compared });
    }
  }
  for (const ours of message.fields) {
    if (ours && !theirs.some(([number]) => number === ours.number)) {
      differences.add(`they lack: ${describeField(message, ours)}`);
    }
  }
}

function describeField({ name: message }: Message, field: Field): string {
  const { number, name, type, repeated, presence = "" } = field;
  const kind = repeated ? "repeated" : presence;
  return `${message} has ${number} ${name} ${typeof type === "object" ? "message" : type} ${kind}`;
}

// ── numbers in JSON ──────────────────────────────────────────────────────────────────────────────

function pointsFromJson(dataPoints: readonly string[]): Reading[] {
  const metrics = `[{"gauge":{"dataPoints":[${dataPoints.join(",")}]}}]`;
  const json = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":${metrics}}]}]}`;
  const request = readForeign("metrics", bytesFromJson("metrics", json));
  let reading = request;
  for (const number of ["1", "2", "2"]) reading = (reading[number] as Reading[])[0]!;
  return (reading["5"] as Reading)["1"] as Reading[];
}

const edgesOfDoubles = [
  "0",
  "-0",
  "-0.0",
  "5e-324",
  "2.4703282292062327e-324", // half of the smallest: down to 0
  "2.4703282292062328e-324", // and a little more: up
  "2.2250738585072011e-308", // which once made parsers hang
  "2.2250738585072014e-308",
  "1.7976931348623157e308",
  "1.7976931348623158e308",
  "1e-400",
  "9007199254740993", // half-way between two doubles
  "9007199254740993.00000000000000000000000000000000000001",
  "0.1",
  "0.30000000000000004",
  "1e23",
  "8.5e22",
  "100000000000000000000000000000000000000000000000000",
];

function someDoubles(): string[] {
  const random = new Random(seed);
  const bits = new DataView(new ArrayBuffer(8));
  const texts = [...edgesOfDoubles];
  while (texts.length < 3000) {
    bits.setUint32(0, random.next());
    bits.setUint32(4, random.next());
    const double = bits.getFloat64(0);
    if (!Number.isFinite(double)) continue;
    texts.push(String(double), double.toPrecision(1 + random.below(30)));
    // More digits than a double has, anywhere near.
    const digits = String(random.next()) + String(random.next()) + String(random.next());
    texts.push(`${digits.slice(0, random.below(25) + 1)}.${digits}e${random.below(600) - 320}`);
  }
  return texts
    .filter((text) => Number.isFinite(Number(text)) && /^-?(0|[1-9])/.test(text))
    .map(plain);
}

/** JSON has no plus sign in front of nothing: 1e+5 is fine, and so are all that we make. */
const plain = (text: string): string => text.replace(/^(-?)0+(?=\d)/, "$1");

function someIntegers(): string[] {
  const random = new Random(seed);
  const limit = 2n ** 63n;
  const texts = [`${limit - 1n}`, `${-limit}`, "0", "-0", "1.0", "1e18", "9.223372036854775807e18"];
  while (texts.length < 3000) {
    const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
    const value = BigInt.asIntN(64, wide) >> BigInt(random.below(64));
    texts.push(String(value), `${value}.000`);
    const digits = String(value < 0n ? -value : value);
    const sign = value < 0n ? "-" : "";
    texts.push(`${sign}${digits[0]}.${digits.slice(1)}0e${digits.length - 1}`);
  }
  return texts;
}
