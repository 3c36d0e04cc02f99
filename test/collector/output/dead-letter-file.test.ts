import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  batchIn,
  type DeadLine,
  idOf,
  readLines,
} from "../../../collector/output/dead-letter-file.ts";
import { letter } from "../../support/letters.ts";

let folder: string;
let handle: FileHandle | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-letters-"));
});

afterEach(async () => {
  await handle?.close();
  handle = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function linesOf(text: string | Buffer, from = 0): Promise<DeadLine[]> {
  const path = join(folder, "out.jsonl");
  writeFileSync(path, text);
  await handle?.close();
  handle = await open(path, "r");
  const lines: DeadLine[] = [];
  for await (const line of readLines(handle, from, Buffer.byteLength(text))) lines.push(line);
  return lines;
}

test.each([0, 1, 2, 63, 1024])(
  "lines are whole wherever the pieces end that are read: %d bytes before it",
  async (shift) => {
    const pieceBytes = 256 << 10;
    const long = (length: number): string => `${"x".repeat(length - 1)}\n`;
    const written = [long(pieceBytes - shift), long(3), long(2 * pieceBytes + 1), long(2), "end"];
    const lines = await linesOf(written.join(""));
    expect(lines.map(({ bytes }) => bytes.toString())).toEqual(written);
    let offset = 0;
    for (const { bytes, offset: at } of lines) {
      expect(at).toBe(offset);
      offset += bytes.length;
    }
  },
);

test("empty lines are nothing", async () => {
  expect(await linesOf("")).toEqual([]);
  expect((await linesOf("\n\na\n\n")).map(({ offset }) => offset)).toEqual([2]);
});

test("reading begins where it shall", async () => {
  expect((await linesOf("one\ntwo\nthree\n", 4)).map(({ bytes }) => bytes.toString())).toEqual([
    "two\n",
    "three\n",
  ]);
});

test("a letter is read as it was written", async () => {
  const written = letter(3, {
    index: 2,
    attempts: 4,
    among: 12,
    detail: "naïve \u2028 \ud83d\ude00",
  });
  const [line] = await linesOf(`${JSON.stringify(written)}\n`);
  expect(line?.letter).toEqual(written);
  expect(batchIn(line!.letter!)).toMatchObject({ signal: "traces", items: 12 });
});

test.each([
  ["not JSON", "{"],
  ["no object", "7"],
  ["null", "null"],
  ["a list", "[]"],
  ["an unknown signal", JSON.stringify({ ...letter(1), signal: "profiles" })],
  ["a time that is none", JSON.stringify({ ...letter(1), at: "yesterday" })],
  ["no request", JSON.stringify({ ...letter(1), request: undefined })],
  ["a position below zero", JSON.stringify({ ...letter(1), position: -1 })],
  ["half an item", JSON.stringify({ ...letter(1), items: 0.5 })],
  ["bytes that are no text", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
])("%s is a line without a letter", async (_, text) => {
  expect(await linesOf(text)).toMatchObject([{ letter: undefined }]);
});

test("a request that cannot be read is found when it is asked for", () => {
  expect(batchIn(letter(1, { request: "AAAA" }))).toBeUndefined();
  expect(batchIn(letter(1, { request: "" }))).toMatchObject({ items: 0 });
});

test("an id tells letters apart, and stays when the letter is refused again", () => {
  const one = letter(1);
  const others = [
    letter(2),
    { ...one, log: "fedcba9876543210" },
    { ...one, index: 0 },
    { ...one, at: "2026-01-01T00:00:00.000Z" },
  ];
  expect(new Set([one, ...others].map(idOf)).size).toBe(5);
  expect(idOf({ ...one, attempts: 2, reason: "busy", detail: "later" })).toBe(idOf(one));
  expect(idOf(one)).toMatch(/^[\da-f]{12}$/);
});
