import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { quickCount } from "../../../collector/wire/quick-walk.ts";
import { mostRequestBytes } from "../../../collector/wire/quick-walk-layout.ts";
import { validateThoroughly } from "../../../collector/wire/validate.ts";
import { encodeRequest, sampleBatch } from "../../support/otlp.ts";

/** What the quick walk may say of a request. */
function thoroughCount(signal: Signal, bytes: Uint8Array): number | undefined {
  const result = validateThoroughly(signal, bytes);
  const isAsGiven = result.kind === "valid" && result.batch.bytes === bytes;
  return isAsGiven ? result.batch.items : undefined;
}

const withText = (text: string): Uint8Array =>
  encodeRequest("traces", { resourceSpans: [{ scopeSpans: [{ spans: [{ name: text }] }] }] });

describe("what is usual is counted", () => {
  test.each(signals)("%s", (signal) => {
    for (const items of [0, 1, 7, 100]) {
      const { bytes } = sampleBatch(signal, { items });
      expect(quickCount(signal, bytes)).toBe(items);
    }
  });

  test("text of any length that is not ASCII only", () => {
    for (let length = 1; length < 40; length++) {
      for (const letter of ["é", "日", "🙂"]) {
        expect(quickCount("traces", withText("x".repeat(length) + letter))).toBe(1);
        expect(quickCount("traces", withText(letter + "x".repeat(length)))).toBe(1);
      }
    }
  });

  test("up to a mebibyte, and nothing above", () => {
    const most = withText(
      "x".repeat(mostRequestBytes - withText("x".repeat(1 << 19)).length + (1 << 19)),
    );
    expect(most.length).toBe(mostRequestBytes);
    expect(quickCount("traces", most)).toBe(1);
    expect(quickCount("traces", withText("x".repeat(mostRequestBytes)))).toBeUndefined();
  });
});

describe("it takes nothing that the thorough walk does not", () => {
  test("whatever lay there before, a request ends where it ends", () => {
    for (const signal of signals) {
      const { bytes } = sampleBatch(signal, { items: 3 });
      for (let end = bytes.length; end >= 0; end--) {
        quickCount(signal, bytes); // what is behind the shorter one would be its continuation
        const part = bytes.subarray(0, end);
        expect(quickCount(signal, part), `${signal} up to ${end}`).toBe(
          thoroughCount(signal, part),
        );
      }
    }
  });

  test("any byte may be any other", () => {
    const samples = signals.map(
      (signal) => [signal, sampleBatch(signal, { items: 2 }).bytes] as const,
    );
    const attributes = [{ key: "a", value: { intValue: "-1" } }]; // ten bytes
    const span = { resourceSpans: [{ scopeSpans: [{ spans: [{ attributes }] }] }] };
    for (const [signal, request] of [
      ...samples,
      ["traces", encodeRequest("traces", span)] as const,
    ]) {
      const bytes = Buffer.from(request);
      for (let at = 0; at < bytes.length; at++) {
        const before = bytes[at]!;
        for (let value = 0; value < 256; value++) {
          bytes[at] = value;
          const items = quickCount(signal, bytes);
          if (items === undefined) continue;
          if (items !== thoroughCount(signal, bytes)) expect.fail(`${signal}: ${value} at ${at}`);
        }
        bytes[at] = before;
      }
    }
  });

  test("nor of what is made of anything", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom(...[0x0a, 0x12, 0x4a, 0x18, 0x80, 0xff].map((byte) => Uint8Array.of(byte))),
      fc.constantFrom(...signals.map((signal) => sampleBatch(signal, { items: 1 }).bytes)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...signals),
        fc.array(piece, { maxLength: 12 }),
        (signal, parts) => {
          const bytes = Buffer.concat(parts);
          const items = quickCount(signal, bytes);
          return items === undefined || items === thoroughCount(signal, bytes);
        },
      ),
      { numRuns: 20_000 },
    );
  });

  test("an item that is nearly like the one before is walked where it is not", () => {
    // Each field of the second span may be there or not, be short or long, and be damaged anywhere.
    const text = fc.constantFrom("", "x", "a name", "x".repeat(130), "é");
    const span = fc.record(
      {
        traceId: fc.constantFrom("0".repeat(32), ""),
        spanId: fc.constant("1".repeat(16)),
        parentSpanId: fc.constant("2".repeat(16)),
        name: text,
        kind: fc.constantFrom(1, 3),
        startTimeUnixNano: fc.constantFrom("1", "1790000000000000000"),
        attributes: fc.array(
          fc.record({
            key: text,
            value: fc.oneof(
              fc.record({ stringValue: text }),
              fc.record({ intValue: fc.constantFrom("1", "300", "-1") }),
              fc.record({ doubleValue: fc.constant(0.5) }),
              fc.record({
                arrayValue: fc.record({
                  values: fc.array(fc.record({ stringValue: text }), { maxLength: 2 }),
                }),
              }),
            ),
          }),
          { maxLength: 4 },
        ),
        droppedAttributesCount: fc.constantFrom(1, 1_000_000),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.array(span, { minLength: 2, maxLength: 4 }),
        fc.nat(),
        fc.nat(255),
        (spans, place, value) => {
          const bytes = Buffer.from(
            encodeRequest("traces", { resourceSpans: [{ scopeSpans: [{ spans }] }] }),
          );
          if (quickCount("traces", bytes) !== spans.length) return false;
          bytes[place % bytes.length] = value;
          const items = quickCount("traces", bytes);
          return items === undefined || items === thoroughCount("traces", bytes);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
