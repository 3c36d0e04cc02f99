import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Composition } from "../../../collector/wire/composition.ts";
import { Writer } from "../../../collector/wire/writer.ts";

type Node = { readonly field: number; readonly within: readonly Part[] };
type Part = Node | readonly [start: number, length: number];

const source = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
const { part } = fc.letrec<{ part: Part; node: Node; stretch: readonly [number, number] }>(
  (tie) => ({
    part: fc.oneof({ depthSize: "small" }, tie("stretch"), tie("node")),
    stretch: fc.tuple(fc.nat(800), fc.nat(200)),
    node: fc.record({
      field: fc.integer({ min: 1, max: 15 }),
      within: fc.array(tie("part"), { maxLength: 5 }),
    }),
  }),
);

function compose(to: Composition, parts: readonly Part[]): void {
  for (const one of parts) {
    if ("field" in one) {
      to.begin(one.field);
      compose(to, one.within);
      to.end();
    } else to.add(source, one[0], one[0] + one[1]);
  }
}

function write(to: Writer, parts: readonly Part[]): void {
  for (const one of parts) {
    if ("field" in one) {
      to.begin(one.field);
      write(to, one.within);
      to.end();
    } else to.raw(source.subarray(one[0], one[0] + one[1]));
  }
}

test("it comes to what a writer writes, again and again, in memory that has other content", () => {
  const composition = new Composition();
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const writer = new Writer();
      write(writer, parts);
      compose(composition, parts);
      expect(composition.isEmpty).toBe(parts.length === 0);
      const written = composition.finish((bytes) => Buffer.alloc(bytes, 0xff));
      expect(Buffer.from(written).equals(writer.finish())).toBe(true);
      expect(composition.isEmpty).toBe(true);
    }),
  );
});

test("a message that is not ended, or never begun, is our own mistake and throws", () => {
  const composition = new Composition();
  expect(() => composition.end()).toThrow(/no nested message/);
  composition.begin(1);
  expect(() => composition.finish()).toThrow(/still open/);
});
