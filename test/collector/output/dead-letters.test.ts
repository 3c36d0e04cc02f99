import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeadLetter } from "../../../collector/output/dead-letter.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";
import { writeLetters } from "../../support/letters.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-dead-"));
  path = join(folder, "dead", "out.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const letter = (position: number): DeadLetter => ({
  at: "2026-10-01T00:00:00.000Z",
  signal: "logs",
  reason: "bad_data",
  detail: "no",
  position,
  items: 1,
  request: "AAAA",
});
const positions = (): number[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as DeadLetter).position);

const lineBytes = JSON.stringify(letter(1)).length + 1;

test("as many are kept as there is room for, and it says how many", async () => {
  const letters = new DeadLetters(path, lineBytes * 3);
  expect(await letters.write([letter(1), letter(2)])).toBe(2);
  expect(await letters.write([letter(3), letter(4)])).toBe(1);
  expect(await letters.write([letter(5)])).toBe(0);
  expect(positions()).toEqual([1, 2, 3]);
  await letters.close();
  const again = new DeadLetters(path, lineBytes * 4);
  expect(await again.write([letter(6), letter(7)])).toBe(1);
  expect(positions()).toEqual([1, 2, 3, 6]);
  await again.close();
});

test("those that are written at the same time stand one after the other", async () => {
  const letters = new DeadLetters(path);
  const counts = Array.from({ length: 40 }, (_, index) => index);
  await Promise.all(counts.map((count) => letters.write([letter(count)])));
  expect(positions()).toEqual(counts);
  await letters.close();
});

test("a detail of any length takes a bounded part of a line", async () => {
  const letters = new DeadLetters(path);
  await letters.write([{ ...letter(1), detail: "x".repeat(2_000_000) }]);
  expect(readFileSync(path).length).toBeLessThan(3_000);
  await letters.close();
});

describe("at start, letters that a crash left without their commit are taken back", () => {
  const logId = "0123456789abcdef";
  const own = (position: number): DeadLetter => ({ ...letter(position), log: logId });
  const long = (position: number): DeadLetter => ({
    ...own(position),
    request: "A".repeat(40_000),
  });

  async function takeBack(lines: readonly (DeadLetter | string)[], from: number): Promise<void> {
    writeLetters(path, lines);
    const letters = new DeadLetters(path, undefined, logId);
    await letters.takeBack(from);
    await letters.write([letter(1000)]);
    await letters.close();
  }

  test.each([
    ["those behind the cursor and at it", [own(3), own(4), own(5), own(5)], 4, [3]],
    ["all of them, if the cursor is before all", [own(4), own(5)], 4, []],
    ["none before it", [own(3), own(3)], 4, [3, 3]],
    ["none but the last ones", [own(5), own(3), own(6)], 4, [5, 3]],
    ["none of another log", [own(3), { ...own(5), log: "fedcba9876543210" }], 4, [3, 5]],
    ["none of no log", [letter(5)], 4, [5]],
    ["none before a line that is no letter", [own(5), '{"at":"?"}\n', own(6)], 4, [5, undefined]],
    ["a half line has no say", [own(3), own(5), '{"at":"2026'], 4, [3]],
    ["however long they are", [own(3), ...[4, 4, 5, 5, 6].map(long)], 4, [3]],
    ["from a file of long ones", [...[1, 2, 3].map(long), own(4)], 4, [1, 2, 3]],
    ["all of a long file", [4, 4, 5, 5, 6].map(long), 4, []],
  ])("%s", async (_, lines, from, left) => {
    await takeBack(lines, from);
    expect(positions()).toEqual([...left, 1000]);
  });

  test("without a file none is made", async () => {
    const letters = new DeadLetters(path, undefined, logId);
    await letters.takeBack(0);
    await letters.close();
    expect(existsSync(path)).toBe(false);
  });

  test("the file is not changed where there is nothing to take back", async () => {
    writeLetters(path, [own(1), own(2)]);
    const before = readFileSync(path);
    const letters = new DeadLetters(path, undefined, logId);
    await letters.takeBack(3);
    await letters.close();
    expect(readFileSync(path)).toEqual(before);
  });
});
