import { describe, expect, test } from "vitest";
import { free, Memory, type Piece } from "../../../collector/memory/memory.ts";

const KiB = 1 << 10;
const MiB = 1 << 20;

/** Taken and let go of. */
function unused(memory: Memory, bytes: number): Piece {
  const piece = memory.take(bytes);
  piece.release();
  return piece;
}

describe("a piece", () => {
  test("is at least as large as asked for, and a quarter larger at most where that is much", () => {
    const memory = new Memory();
    for (let bytes = 0; bytes < 70 * MiB; bytes = Math.ceil(bytes * 1.03) + 1) {
      const { length } = memory.take(bytes).buffer;
      expect(length).toBeGreaterThanOrEqual(bytes);
      if (bytes > 256 * KiB) expect(length).toBeLessThanOrEqual(bytes * 1.25);
      else expect(length).toBeLessThanOrEqual(Math.max(4 * KiB, bytes * 2));
    }
  });

  test.each([4 * KiB, 8 * KiB, 256 * KiB, 320 * KiB, 512 * KiB, 640 * KiB, MiB, 10 * MiB])(
    "of %i bytes, which is a size, is no larger, and the next one is",
    (bytes) => {
      const memory = new Memory();
      expect(memory.take(bytes).buffer.length).toBe(bytes);
      expect(memory.take(bytes + 1).buffer.length).toBeGreaterThan(bytes + 1);
    },
  );

  test("is used again once its last user has let go of it, and not before", () => {
    const memory = new Memory();
    const piece = memory.take(1000);
    piece.retain();
    piece.release();
    expect(memory.take(1000)).not.toBe(piece);
    piece.release();
    expect(memory.take(4000)).toBe(piece);
  });

  test("that nobody uses any more is told of", () => {
    const told: Buffer[] = [];
    const memory = new Memory({ unused: (buffer) => told.push(buffer) });
    const piece = memory.take(1000);
    piece.retain();
    piece.release();
    expect(told).toEqual([]);
    piece.release();
    expect(told).toEqual([piece.buffer]);
  });

  test("that is released too often is our own mistake and throws", () => {
    const piece = unused(new Memory(), 1000);
    expect(() => piece.release()).toThrow(/too often/);
  });
});

describe("what is kept of unused memory", () => {
  test("is no more than the limit; what has been unused longest goes", () => {
    const memory = new Memory({ keptBytes: 3 * MiB });
    const pieces = Array.from({ length: 4 }, () => memory.take(MiB));
    for (const piece of pieces) piece.release();
    expect(memory.unusedBytes).toBe(3 * MiB);
    expect(pieces.map(({ buffer }) => buffer.length)).toEqual([0, MiB, MiB, MiB]);
    expect(new Set([1, 2, 3].map(() => memory.take(MiB)))).toEqual(new Set(pieces.slice(1)));
    expect(memory.unusedBytes).toBe(0);
  });

  test("makes room for memory of another size, but for a little that stays", () => {
    const memory = new Memory();
    const pieces = Array.from({ length: 12 }, () => memory.take(MiB));
    for (const piece of pieces) piece.release();
    memory.take(5 * MiB);
    expect(memory.unusedBytes).toBe(7 * MiB);
    memory.take(5 * MiB);
    expect(memory.unusedBytes).toBe(4 * MiB);
    memory.take(5 * MiB);
    expect(memory.unusedBytes).toBe(4 * MiB);
    expect(pieces.filter(({ buffer }) => buffer.length === 0).length).toBe(8);
  });

  test("is none of what is in use", () => {
    const memory = new Memory({ keptBytes: 0 });
    const used = memory.take(MiB);
    unused(memory, MiB);
    expect(memory.unusedBytes).toBe(0);
    expect(used.buffer.length).toBe(MiB);
  });
});

test("what is freed is empty for whoever still looks at it, but never what Node shares", () => {
  const large = Buffer.allocUnsafeSlow(100 * KiB);
  const view = large.subarray(10);
  free(large);
  expect([large.length, view.length]).toEqual([0, 0]);
  const small = Buffer.from("small");
  free(small);
  expect(small.toString()).toBe("small");
});
