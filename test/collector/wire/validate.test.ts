import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { describeProblem, validate } from "../../../collector/wire/validate.ts";
import { maxDepth } from "../../../collector/wire/walk-rules.ts";
import { decodeRequest, encodeRequest, sampleBatch, sampleRequest } from "../../support/otlp.ts";

const problemOf = (bytes: Uint8Array, signal: Signal = "traces"): string => {
  const result = validate(signal, bytes);
  return result.kind === "invalid" ? describeProblem(result.problem) : "valid";
};

/** A length-delimited field. */
const field = (number: number, ...parts: Uint8Array[]): Buffer => {
  const value = Buffer.concat(parts);
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
};

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
};

/** resource_spans › scope_spans › spans */
const span = (...parts: Uint8Array[]): Buffer => field(1, field(2, field(2, ...parts)));

/** Request 1, resource 2, scope 3, span 4, attribute 5, value 6: then two for each array. */
const nested = (depth: number): Buffer => {
  let value = field(1, Buffer.from("deep")); // string_value of the innermost AnyValue
  for (let level = 6; level + 2 <= depth; level += 2) value = field(5, field(1, value));
  return span(field(9, field(2, value)));
};

describe("what a sound request holds is counted", () => {
  test.each(signals)("%s", (signal) => {
    for (const items of [0, 1, 7, 100]) {
      const { bytes } = sampleBatch(signal, { items });
      expect(validate(signal, bytes)).toMatchObject({ kind: "valid", batch: { items } });
    }
  });

  test("data points are what metrics are counted by, not metrics", () => {
    const numbers = { dataPoints: [{ asInt: "1" }, { asInt: "2" }, { asInt: "3" }] };
    const request = {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "a", gauge: numbers }] }] }],
    };
    const bytes = encodeRequest("metrics", request);
    expect(validate("metrics", bytes)).toMatchObject({ kind: "valid", batch: { items: 3 } });
  });

  test("two requests one after the other are their merge", () => {
    const a = sampleBatch("logs", { items: 3, seed: 1 }).bytes;
    const b = sampleBatch("logs", { items: 4, seed: 2 }).bytes;
    const merged = Buffer.concat([a, b]);
    expect(validate("logs", merged)).toMatchObject({ kind: "valid", batch: { items: 7 } });
  });

  test("unknown fields of every wire type are let pass", () => {
    const unknown = Buffer.concat([
      varint(100 * 8),
      varint(300),
      varint(101 * 8 + 1),
      Buffer.alloc(8),
      field(102, Buffer.from("hello")),
      varint(103 * 8 + 5),
      Buffer.alloc(4),
    ]);
    expect(problemOf(Buffer.concat([unknown, span(unknown)]))).toBe("valid");
  });
});

describe("what is wrong is told with its place", () => {
  const base = "resource_spans[0].scope_spans[0].spans[0]";
  test.each([
    [
      "a string that is not UTF-8",
      span(field(5, Buffer.from([0x61, 0xff]))),
      `${base}.name: not valid UTF-8 (at byte 9)`,
    ],
    [
      "a trace id of 15 bytes",
      span(field(1, Buffer.alloc(15))),
      `${base}.trace_id: a trace id of 15 bytes; it must have 16 (at byte 6)`,
    ],
    [
      "a span id of 9 bytes",
      span(field(2, Buffer.alloc(9))),
      `${base}.span_id: a span id of 9 bytes; it must have 8 (at byte 6)`,
    ],
    [
      "a length beyond the end",
      Buffer.from([0x0a, 0x05, 0x12]),
      "resource_spans[0]: length 5, but only 1 bytes remain (at byte 1)",
    ],
    [
      "a name that is a number",
      span(varint(5 * 8), varint(1)),
      `${base}.name: field 5 has wire type 0, which is not its own (at byte 6)`,
    ],
    [
      "a time that is cut off",
      span(varint(7 * 8 + 1), Buffer.alloc(7)),
      `${base}.start_time_unix_nano: 8 bytes expected, but only 7 remain (at byte 7)`,
    ],
    [
      "a number of which nothing is there, and another field behind its message",
      Buffer.concat([span(varint(6 * 8)), Buffer.from([0x12, 0])]),
      `${base}.kind: cut off within a number (at byte 6)`,
    ],
    [
      "a length of which nothing is there, at the end",
      span(varint(5 * 8 + 2)),
      `${base}.name: cut off within a length (at byte 6)`,
    ],
    [
      "a group",
      Buffer.from([0x0b, 0x0c]),
      "resource_spans[0]: wire type 3, which OTLP does not use (at byte 0)",
    ],
    ["field number 0", Buffer.from([0x02, 0x00]), "field number 0 (at byte 0)"],
    [
      "a number without end",
      span(varint(6 * 8), Buffer.alloc(11, 0xff)),
      `${base}.kind: a number of more than ten bytes (at byte 7)`,
    ],
    ["a tag without end", Buffer.alloc(12, 0xff), "field number out of range (at byte 0)"],
  ])("%s", (_what, bytes, message) => {
    expect(problemOf(bytes)).toBe(message);
  });

  test("in the second of several", () => {
    const good = field(2, field(5, Buffer.from("good")));
    const bad = field(2, field(9, field(1, Buffer.from([0xc0]))));
    expect(problemOf(field(1, field(2, good, good, bad)))).toMatch(
      /^resource_spans\[0\]\.scope_spans\[0\]\.spans\[2\]\.attributes\[0\]\.key: not valid UTF-8/,
    );
  });
});

test("ids may be empty, as protobuf leaves them out", () => {
  expect(problemOf(span(field(1), field(2), field(4)))).toBe("valid");
});

test("messages may be nested to the limit and not one deeper", () => {
  expect(problemOf(nested(maxDepth))).toBe("valid");
  expect(problemOf(nested(maxDepth + 2))).toContain(`nested deeper than ${maxDepth} messages`);
  expect(problemOf(nested(20_000))).toContain(`nested deeper than ${maxDepth} messages`);
});

/** Runs of ASCII, sound characters and anything else, in any order. */
const mixedBytes = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 6 }).map((text) => [...Buffer.from(text)]),
      fc.string({ unit: "binary", maxLength: 2 }).map((text) => [...Buffer.from(text)]),
      fc.array(fc.nat(255), { maxLength: 3 }),
    ),
    { maxLength: 5 },
  )
  .map((pieces) => pieces.flat());

test("UTF-8 is judged as Node judges it", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  fc.assert(
    fc.property(mixedBytes, (given) => {
      const bytes = Uint8Array.from(given);
      let isText = true;
      try {
        decoder.decode(bytes);
      } catch {
        isText = false;
      }
      expect(problemOf(span(field(5, bytes))) === "valid").toBe(isText);
    }),
    { numRuns: 5_000 },
  );
});

test("whatever is done to the bytes, it neither throws nor takes what protobufjs cannot read", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...signals),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.option(fc.nat()),
      (signal, items, changes, cut) => {
        const whole = encodeRequest(signal, sampleRequest(signal, { items, seed: items }));
        const bytes = Buffer.from(cut === null ? whole : whole.subarray(0, cut % whole.length));
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        const result = validate(signal, bytes);
        if (result.kind === "valid") expect(() => decodeRequest(signal, bytes)).not.toThrow();
        else expect(result.problem.offset).toBeLessThanOrEqual(bytes.length);
      },
    ),
    { numRuns: 2_000 },
  );
});
