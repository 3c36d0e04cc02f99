import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Gathered } from "../../../collector/memory/gathered.ts";
import { Memory } from "../../../collector/memory/memory.ts";
import { spoiled } from "../../support/memory.ts";

const large = Buffer.from(Array.from({ length: 3 << 20 }, (_, index) => index % 251));

test("however it comes, and whether its length is known or not, all of it is there until it is released", () => {
  const memory = spoiled();
  fc.assert(
    fc.property(
      fc.array(fc.nat(large.length), { maxLength: 20 }),
      fc.boolean(),
      (places, isAnnounced) => {
        const cuts = [0, ...places, large.length].toSorted((one, other) => one - other);
        const gathered = new Gathered(memory, isAnnounced ? large.length : undefined);
        for (let index = 1; index < cuts.length; index++) {
          gathered.add(large, cuts[index - 1], cuts[index]);
        }
        expect(gathered.length).toBe(large.length);
        const whole = gathered.finish();
        expect(whole.equals(large)).toBe(true);
        gathered.release();
        expect(whole.every((byte) => byte === 0xff)).toBe(true);
      },
    ),
    { numRuns: 30 },
  );
});

test("a piece is copied, since the memory that it came in is lent", () => {
  const gathered = new Gathered(new Memory(), 10);
  const lent = Buffer.from("hello");
  gathered.add(lent);
  lent.fill("x");
  gathered.add(Buffer.from("world"));
  expect(gathered.finish().toString()).toBe("helloworld");
});

test("what is announced costs nothing until a good part of it has come", () => {
  const taken: number[] = [];
  const memory = new Memory();
  const take = memory.take.bind(memory);
  memory.take = (bytes) => {
    taken.push(bytes);
    return take(bytes);
  };
  const gathered = new Gathered(memory, 64 << 20);
  for (let count = 0; count < 16; count++) gathered.add(large, 0, 64 << 10);
  expect(Math.max(...taken)).toBe(1 << 20);
  gathered.add(large, 0, 1);
  expect(taken.at(-1)).toBe(64 << 20);
});

test("to release it twice is to release it once", () => {
  const memory = new Memory();
  const gathered = new Gathered(memory, 10);
  gathered.release();
  gathered.release();
  expect(memory.take(10)).not.toBe(memory.take(10));
});
