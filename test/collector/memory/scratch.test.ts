import { expect, test } from "vitest";
import { Memory } from "../../../collector/memory/memory.ts";
import { Scratch } from "../../../collector/memory/scratch.ts";
import { spoiled } from "../../support/memory.ts";

const sizes = [0, 1, 1000, 300_000, 5, 256 << 10, 100_000, 100_000, 100_000];

test("what is written one after the other stays until all is released, then none of it does", () => {
  const scratch = new Scratch(spoiled());
  for (let round = 0; round < 3; round++) {
    const written = sizes.map((size, index) => scratch.room(size).fill(index));
    written.forEach((bytes, index) => {
      expect(bytes.length).toBe(sizes[index]);
      expect(bytes.every((byte) => byte === index)).toBe(true);
    });
    scratch.release();
    for (const bytes of written) expect(bytes.every((byte) => byte === 0xff)).toBe(true);
  }
});

test("its memory is used again, and small things share a piece", () => {
  const memory = new Memory();
  const taken = new Set<unknown>();
  const take = memory.take.bind(memory);
  memory.take = (bytes) => {
    const piece = take(bytes);
    taken.add(piece);
    return piece;
  };
  const scratch = new Scratch(memory);
  for (let round = 0; round < 10; round++) {
    for (let count = 0; count < 100; count++) scratch.room(10_000);
    scratch.release();
  }
  expect(taken.size).toBe(4); // of 256 KiB, for a million bytes
});

test("without a release it is left to the garbage collector", () => {
  const memory = spoiled();
  const left = new Scratch(memory).room(1000).fill(1);
  new Scratch(memory).room(1000).fill(2);
  expect(left.every((byte) => byte === 1)).toBe(true);
  expect(memory.unusedBytes).toBe(0);
});
