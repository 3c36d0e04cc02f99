// Whatever is encoded, another's decoder reads the same.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Encoder } from "../../../sdk/export/encoder.ts";
import { Attributes, keep } from "../../../sdk/trace/values.ts";
import type { AttributeLimits } from "../../../sdk/trace/values.ts";
import { decodeMessage } from "../../support/otlp.ts";
import type { AnyValue, KeyValue } from "../../support/otlp.ts";
import { plain, plainValue } from "../support/sink.ts";

const unlimited: AttributeLimits = { count: Infinity, length: Infinity };

/** The value as its own AnyValue message, read by protobufjs. */
function decoded(value: unknown): AnyValue | undefined {
  const encoder = new Encoder();
  encoder.body(0x12, keep(value, unlimited)!);
  return (decodeMessage("KeyValue", encoder.take()) as KeyValue).value;
}

test("texts of every length and alphabet", () => {
  const lengths = [0, 1, 41, 42, 47, 48, 49, 126, 127, 128, 129, 16_383, 16_384, 100_000];
  for (const unit of ["a", "ž", "€", "🐎", "\ud800"]) {
    for (const length of lengths) {
      const text = unit.repeat(Math.ceil(length / unit.length));
      expect(decoded(text)).toEqual({ stringValue: text.toWellFormed() });
    }
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      expect(decoded(text)).toEqual({ stringValue: text.toWellFormed() });
    }),
    { numRuns: 1000 },
  );
});

test("integers of all sizes, and numbers that are none", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      expect(decoded(value)).toEqual({ intValue: String(value) });
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger()), (value) => {
      const isInteger = Number.isInteger(value) && Math.abs(value) < 2 ** 63;
      expect(decoded(value)).toEqual(
        isInteger ? { intValue: String(BigInt(value)) } : { doubleValue: value },
      );
    }),
    { numRuns: 1000 },
  );
});

test("times to the nanosecond", () => {
  const second = fc.integer({ min: 0, max: 4_600_000_000 });
  fc.assert(
    fc.property(second, fc.integer({ min: 0, max: 999_999_999 }), (seconds, nanos) => {
      const encoder = new Encoder();
      encoder.time(0x39, [seconds, nanos]);
      expect(decodeMessage("Span", encoder.take())).toMatchObject({
        startTimeUnixNano: String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos)),
      });
    }),
    { numRuns: 1000 },
  );
});

test("data of any shape", () => {
  const data = fc.object({ maxDepth: 4, values: [fc.string(), fc.boolean(), fc.integer()] });
  fc.assert(
    fc.property(data, (value) => {
      expect(plainValue(decoded(value))).toEqual(value);
    }),
    { numRuns: 200 },
  );
});

describe("redacting", () => {
  const redactor = (name: string) =>
    name === "secret" ? { text: (text: string): string => text.toUpperCase() } : undefined;

  test("changes the texts of the attributes that it is for, also in lists, and no others", () => {
    const attributes = new Attributes();
    for (const name of ["secret", "other"]) attributes.set(name, ["a", 1], unlimited);
    attributes.set("secret", "abc", unlimited);
    const encoder = new Encoder(redactor);
    encoder.attributes(0x4a, attributes);
    attributes.set("secret", ["a", 1], unlimited);
    encoder.attributes(0x4a, attributes);
    const [first, second, third] = (
      decodeMessage("Span", encoder.take()) as { attributes: KeyValue[] }
    ).attributes.map((one) => plain([one]));
    expect([first, second, third]).toEqual([
      { secret: "ABC" },
      { other: ["a", 1] },
      { secret: ["A", 1] },
    ]);
  });
});
