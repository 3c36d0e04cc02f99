import { describe, expect, test } from "vitest";
import { Remains, remainsBytes } from "../../../sdk/export/remains.ts";
import { decodeRequest } from "../../support/otlp.ts";

const none = new Uint8Array();
/** A span with a name so long. */
const span = (name: string): Uint8Array => {
  const text = Buffer.from(name);
  const field = [0x2a, ...varint(text.length), ...text];
  return Buffer.from([0x12, ...varint(field.length), ...field]);
};

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

const namesIn = (body: Uint8Array): readonly (string | undefined)[] =>
  (decodeRequest("traces", Buffer.from(body)).resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans.map(({ name }) => name)),
  );

function both(): { readonly ours: Remains; readonly theirs: Remains } {
  const shared = new SharedArrayBuffer(remainsBytes + 64);
  return { ours: new Remains(shared, 64), theirs: new Remains(shared, 64) };
}

describe("what a thread has not sent yet", () => {
  test("is found by the other as a request, and only once", () => {
    const { ours, theirs } = both();
    expect(theirs.read()).toBeUndefined();
    for (const name of ["a", "b".repeat(200), "c".repeat(20_000)]) {
      expect(ours.add(none, none, span(name), none)).toBe(true);
    }
    expect(namesIn(theirs.read()!.body).map((name) => name?.length)).toEqual([1, 200, 20_000]);
    expect(theirs.read()).toBeUndefined();
    ours.add(none, none, span("later"), none);
    expect(namesIn(theirs.read()!.body)).toEqual(["later"]);
  });

  test("is gone when it is sent, and what comes then is found again", () => {
    const { ours, theirs } = both();
    ours.add(none, none, span("a name"), none);
    theirs.read();
    ours.empty();
    expect(theirs.read()).toBeUndefined();
    ours.add(none, none, span("b"), none);
    expect(namesIn(theirs.read()!.body)).toEqual(["b"]);
  });

  test("has a bound, and nothing beyond it is written", () => {
    const { ours, theirs } = both();
    const item = span("x".repeat(1000));
    let added = 0;
    while (ours.add(none, none, item, none)) added++;
    expect(added).toBeGreaterThan(200);
    expect(added).toBeLessThan(262);
    expect(namesIn(theirs.read()!.body)).toHaveLength(added);
    expect(ours.add(none, none, span("y".repeat(300_000)), none)).toBe(false);
  });
});
