// The quick writer of log records held against the thorough one: both make the same bytes.

import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Bulk, Progress, Remaining } from "../../../collector/output/elasticsearch/bulk.ts";
import { deliveryOf as wholeOf } from "../../../collector/output/delivery.ts";
import { QuickRecords } from "../../../collector/output/elasticsearch/quick-record.ts";
import { anyMessage, fuzz } from "../../support/otlp-arbitrary.ts";
import {
  anyValue,
  attributes,
  encodeRequest,
  type LogRecord,
  sampleRequest,
} from "../../support/otlp.ts";
import { came, documentsFor, nano, request, textOf } from "./elasticsearch-lines.ts";

type Given = Parameters<typeof textOf>[1];
const settings: Given[] = [{}, { fields: "ecs" }, { index: "logs-%Y.%m.%d-%H" }];

/** What both write, with what settings ever. */
function expectSame(...records: Parameters<typeof request>): void {
  const given = request(...records);
  for (const each of settings) {
    expect(textOf(given, each)).toBe(textOf(given, { ...each, isQuick: false }));
  }
}

/** How many of the records it takes itself. */
function quickly(count: number, work: () => void): void {
  const calls = vi.spyOn(QuickRecords.prototype, "write");
  work();
  const written = calls.mock.results.map(({ value }) => value as number);
  expect(written.reduce((sum, records) => sum + records, 0)).toBe(count);
  calls.mockRestore();
}

const at = (ms: number): LogRecord => ({ timeUnixNano: nano(ms) });
const usual = (more: LogRecord = {}): LogRecord => ({ ...at(came), ...more });
const withAll = (values: Record<string, Parameters<typeof anyValue>[0]>): LogRecord =>
  usual({ attributes: attributes(values) });

describe("what is usual is written the quick way", () => {
  test("records of all kinds of values", () => {
    const records = sampleRequest("logs", { items: 50 });
    quickly(50, () => void textOf(records));
    expect(textOf(records)).toBe(textOf(records, { isQuick: false }));
  });

  test("by the Common Schema too, but for the records whose attributes have fields there", () => {
    const resource = { attributes: attributes({ "service.name": "shop" }) };
    const records = [usual(), withAll({ "exception.type": "Oops" }), withAll({ mine: 1 })];
    quickly(2, () => void textOf(request(...records, { resource }), { fields: "ecs" }));
    expectSame(...records, { resource });
  });

  test("into an index of the hour, but for the first record of another one", () => {
    const hours = [came, came, came - 3_600_000, came - 3_600_000, came].map(at);
    quickly(3, () => void textOf(request(...hours), { index: "logs-%Y.%m.%d-%H" }));
    expectSame(...hours);
  });

  test("but not what goes elsewhere, stands twice or is nested", () => {
    const map = { kvlistValue: { values: attributes({ a: 1 }) } };
    const records: LogRecord[] = [
      {},
      withAll({ "data_stream.dataset": "other" }),
      usual({ attributes: attributes({ a: 1 }).concat(attributes({ a: 2 })) }),
      usual({ attributes: [{ key: "map", value: map }] }),
      usual({ body: map }),
      withAll({ mixed: [1, "a"] }),
      withAll({ " ": 1 }),
      withAll(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`n${index}`, index]))),
    ];
    quickly(0, () => void textOf(request(...records)));
    expectSame(...records);
  });
});

test("requests of any size end behind the same records, whoever writes them", () => {
  const rare = usual({ attributes: [{ key: "map", value: { kvlistValue: { values: [] } } }] });
  const records = [
    ...Array<LogRecord>(30).fill(usual()),
    rare,
    ...Array<LogRecord>(30).fill(usual()),
  ];
  const batches = [0, 1, 2].map(() => encodeRequest("logs", request(...records)));
  const entries = batches.map((bytes, index) => {
    return {
      position: 40 + index,
      atMs: came,
      batch: { signal: "logs", bytes, items: 61 } as const,
    };
  });
  const delivery = wholeOf("logs", entries);
  for (const limits of [[1], [700], [5000], [1e9], [1e9, 1], [1e9, 7], [5000, 7], [1e9, 61]]) {
    const [quick, thorough] = [true, false].map((isQuick) => {
      const documents = documentsFor({ isQuick });
      const bulk = new Bulk(documents);
      const progress = new Progress(delivery);
      const remaining = new Remaining(delivery, progress, documents);
      const requests: object[] = [];
      while (bulk.load(remaining, limits[0]!, limits[1])) {
        const of = Array.from({ length: bulk.records }, (_, record) => record);
        for (const record of of) if (record % 3 !== 1) progress.settle(bulk.number(record));
        const text = Buffer.from(bulk.body(0, bulk.records)).toString();
        const each = of.map((record) => Buffer.from(bulk.body(record, record + 1)).toString());
        requests.push({
          text,
          each,
          places: of.map((record) => [bulk.place(record), bulk.id(record)]),
        });
      }
      const again = new Remaining(delivery, progress, documents);
      while (bulk.load(again, limits[0]!, limits[1])) {
        requests.push({ text: Buffer.from(bulk.body(0, bulk.records)).toString() });
      }
      return requests;
    });
    expect(quick).toEqual(thorough);
  }
});

test("what was written before a failure is in no later request", () => {
  const documents = documentsFor({});
  const bulk = new Bulk(documents);
  const load = (...requests: Uint8Array[]): string => {
    const entries = requests.map((bytes, index) => {
      const batch = { signal: "logs", bytes, items: 1 } as const;
      return { position: 40 + index, atMs: came, batch };
    });
    const delivery = wholeOf("logs", entries);
    bulk.load(new Remaining(delivery, new Progress(delivery), documents), 1e6);
    return Buffer.from(bulk.body(0, bulk.records)).toString();
  };
  const first = encodeRequest("logs", request(usual()));
  const second = encodeRequest("logs", request(usual({ body: anyValue("second") })));
  const expected = load(first, second);
  quickly(2, () => void load(first, second));
  const write = documents.write.bind(documents);
  const failing = vi.spyOn(documents, "write").mockImplementation((leaves, entry, wanted) => {
    if (entry.position === 41) throw new Error("midway");
    return write(leaves, entry, wanted);
  });
  expect(() => load(first, second)).toThrow("midway");
  failing.mockRestore();
  expect(load(first, second)).toBe(expected);
});

/** The double above it, or below. */
function nextTo(value: number, step: bigint): number {
  const bits = new BigInt64Array(new Float64Array([value]).buffer);
  bits[0]! += step;
  return new Float64Array(bits.buffer)[0]!;
}

/** Names of one length that begin and end alike. */
function alike(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `beginning.${index}.the.same.ending`);
}

describe("the two write the same", () => {
  test("texts of any length with any character at any place", () => {
    const letters = ['"', "\\", "\n", "\0", "\u001f", "\u007f", "é", "日", "🙂", "\u2028"];
    for (let length = 0; length < 40; length++) {
      const x = "x".repeat(length);
      const bodies = letters.flatMap((letter) => [x + letter, letter + x, x + letter + x]);
      expectSame(...bodies.map((text) => usual({ body: anyValue(text), severityText: text })));
    }
    const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");
    expectSame(withAll({ all, [all]: 1 }));
  });

  test("numbers at the limits of all that holds numbers", () => {
    const powers = Array.from({ length: 64 }, (_, power) => 2n ** BigInt(power));
    const tens = Array.from({ length: 19 }, (_, power) => 10n ** BigInt(power));
    const integers = [...powers, ...tens].flatMap((number) => [number - 1n, number, -number]);
    const list = integers.map((number) => ({
      intValue: String(BigInt.asIntN(64, number)),
    }));
    expectSame(
      usual({ attributes: [{ key: "all", value: { arrayValue: { values: list } } }] }),
      ...list.map((value) => usual({ attributes: [{ key: "one", value }] })),
      ...[-1, 0, 1, 24, 25, 2 ** 31 - 1].map((severityNumber) => usual({ severityNumber })),
      ...[0, 1, 9, 10, 2 ** 32 - 1].map((count) => usual({ droppedAttributesCount: count })),
    );
  });

  test("doubles of all kinds", () => {
    const some = [0, -0, 1, -1, 0.1, 1e-5, 9.999e-6, 1e-7, 1e15, 1e15 - 1, 1e21, 1e22, 5e-324, 2.5];
    const odd = [NaN, Infinity, -Infinity, Number.MAX_VALUE, 45.671000000000006, 1 / 3, 2 ** 53];
    const random = fc.sample(fc.double(), { numRuns: 500, seed: 1 });
    const short = fc.sample(fc.tuple(fc.integer(), fc.nat(14)), { numRuns: 500, seed: 2 });
    const shorter = short.map(([digits, places]) => digits / 10 ** places);
    const near = shorter.map((value) => value + Number.EPSILON * value);
    const powers = Array.from({ length: 80 }, (_, power) => 2 ** (power - 25)).flatMap((value) => [
      value,
      value * (1 + Number.EPSILON),
      value * (1 - Number.EPSILON / 2),
    ]);
    const tens = Array.from({ length: 25 }, (_, power) => 10 ** (power - 8));
    const edges = tens.flatMap((value) => [
      value,
      value * 1.5,
      value - value / 2 ** 53,
      value * 0.3,
    ]);
    const sums = short.map(([digits, places]) => (digits % 1e4) / 100 + 10 ** -places);
    const all = [...some, ...odd, ...random, ...shorter, ...near, ...powers, ...edges, ...sums];
    const records = all.map((doubleValue) =>
      usual({ attributes: [{ key: "double", value: { doubleValue } }] }),
    );
    expectSame(...records);
  });

  test("doubles of few places, and those beside them", () => {
    const digits = [1, 7, 10, 999, 98_331, 1_500_000, 123_456_789, 1e15 - 1, 1e15, 1e15 + 1, 9e15];
    const values = digits.flatMap((count) => [1e-3, 1e3, 1e5, 1e6, 1e7].map((by) => count / by));
    const sides = values.flatMap((value) => [value, nextTo(value, 1n), nextTo(value, -1n)]);
    expectSame(
      ...sides.map((double) => withAll({ double })),
      ...sides.map((a) => withAll({ a: -a })),
    );
  });

  test("attributes that came before, with the same value or another one", () => {
    const lengths = [14, 15, 30, 31, 61, 62, 63, 64, 126, 127, 128, 300];
    const names = [
      "a",
      "b",
      "ab",
      "a.name",
      "a.name.1",
      "a.name.2",
      "data_stream.type",
      "_",
      'a"',
      "é",
    ];
    names.push(...lengths.map((size) => "n".repeat(size)), ...alike(6));
    const texts = [0, 1, 9, 10, 15, 16, 60, 80, 90, 100, 130, 200].map((size) => "v".repeat(size));
    const lists = [["web", "sale"], [1, 2, 3], [], [1, "a"]];
    const scalars = [1, 2, 127, 128, -1, 0.5, 1.25, true, false, '"', "v\n".repeat(40)];
    const name = fc.constantFrom(...names);
    const value = fc.constantFrom(...scalars, ...texts, ...lists);
    const pair = fc.tuple(name, fc.option(value, { freq: 5 })).map(([key, given]) => {
      return given === null ? { key } : { key, value: anyValue(given) };
    });
    const shape = fc.array(pair, { maxLength: 7 });
    // A few shapes over and over, as senders do.
    const records = fc
      .tuple(
        fc.array(shape, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(2), { minLength: 1, maxLength: 60 }),
      )
      .map(([shapes, which]) =>
        which.map((index) => usual({ attributes: shapes[index % shapes.length]! })),
      );
    fc.assert(
      fc.property(records, (given) => expectSame(...given)),
      fuzz(300),
    );
  });

  test("names alike in all that their place goes by", () => {
    const withNames = (names: readonly string[]): LogRecord =>
      withAll(Object.fromEntries(names.map((name, index) => [name, index])));
    const names = alike(6);
    const records = [
      names.slice(0, 4),
      names,
      names.slice(2),
      names.toReversed(),
      names.slice(0, 4),
    ];
    expectSame(...records.map(withNames));
    quickly(2, () => void textOf(request(withNames(names.slice(0, 4)), withNames(names.slice(2)))));
  });

  test("times of every day there is, and of every field of a clock", () => {
    const days = Array.from({ length: 106_751 }, (_, day) => day);
    const chosen = days.filter((day) => day % 397 === 0 || (day > 10_950 && day < 11_330));
    expectSame(...chosen.map((day) => at(day * 86_400_000 + ((day * 7919) % 86_400_000))));
    const nanos = [1n, 999_999_999n, 1_000_000_000n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
    expectSame(...nanos.map((time) => ({ timeUnixNano: String(time) })));
    expectSame(...nanos.map((time) => usual({ observedTimeUnixNano: String(time) })));
  });

  test("more than fits its memory at a time, in texts as long as they come", () => {
    const long = [10, 1000, 170_000, 180_000, 400_000].map((size) => "\u0001".repeat(size));
    expectSame(...[...long, ...long].map((text) => usual({ body: anyValue(text) })));
    expectSame(usual({ body: anyValue("x".repeat(1_100_000)) }), usual());
  });

  test("whatever stands in records, resources and scopes", () => {
    const record = anyMessage("LogRecord") as fc.Arbitrary<LogRecord>;
    const name = fc.constantFrom("", " ", "_", "a", "a.b", "data_stream.dataset", "service.name");
    const named = fc
      .array(fc.record({ key: name, value: anyMessage("AnyValue") }), { maxLength: 4 })
      .map((more) => usual({ attributes: more }));
    const group = fc.record({
      resource: anyMessage("Resource"),
      scope: anyMessage("InstrumentationScope"),
    });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(record, named), { minLength: 1, maxLength: 4 }),
        group,
        (records, group) => expectSame(...records, group),
      ),
      fuzz(60),
    );
  });
});
