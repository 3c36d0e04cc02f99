import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeadLetter } from "../../../collector/output/dead-letter.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";

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
