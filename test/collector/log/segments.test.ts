// Files that are used again: what a segment leaves behind in its file must never come to light in the next.

import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DiskLog, type DiskLogOptions } from "../../../collector/log/disk-log.ts";
import { inspect } from "../../../collector/log/inspect.ts";
import type { Reader } from "../../../collector/log/log.ts";
import { headBytes, noTotals } from "../../../collector/log/segment.ts";
import { Segments } from "../../../collector/log/segments.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { batchOf, unlimited } from "../../contract/log.ts";

let folder: string;
let said: string[];
const logs: DiskLog[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sonde-segments-"));
  said = [];
});

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(name: string, options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  const incidents = new Incidents({ write: (line) => said.push(line) });
  const usual = { folder: join(folder, name), maxBytes: 1 << 20, segmentBytes: 1000, incidents };
  const log = await DiskLog.open({ ...usual, ...options });
  logs.push(log);
  return log;
}

const filesOf = (name: string, ending: string): string[] =>
  readdirSync(join(folder, name)).filter((file) => file.endsWith(ending));

const textOf = (index: number): string => `${index} ${"x".repeat((index * 37) % 200)}`;

async function commitNext(reader: Reader, maxItems: number): Promise<void> {
  const slice = await reader.next({ ...unlimited(), maxItems });
  await reader.commit(slice!.upTo, "");
}

test("a log that is delivered as it comes goes round in two files", async () => {
  const log = await open("log");
  const reader = await log.reader("out");
  const files = new Set<number>();
  for (let index = 0; index < 100; index++) {
    await log.append(batchOf(textOf(index)));
    await commitNext(reader, 1);
    for (const file of filesOf("log", ".segment")) {
      files.add(statSync(join(folder, "log", file)).ino);
    }
  }
  expect(log.segments.at(-1)!.base).toBeGreaterThan(80);
  expect(files.size).toBe(2);
});

test("whenever it is killed, what was not delivered is there and nothing else, and no damage", async () => {
  const live = await open("live");
  const reader = await live.reader("out");
  for (let index = 0; index < 120; index++) {
    await live.append(batchOf(textOf(index)));
    // Now and then it falls behind by more than a segment.
    if (index % 40 > 12)
      while (live.head - reader.waiting.batches < index) await commitNext(reader, 1);
    cpSync(join(folder, "live"), join(folder, "copy"), { recursive: true });
    rmSync(join(folder, "copy", "lock"));
    const { damages, readers } = await inspect(join(folder, "copy"));
    expect(damages, `${index}`).toEqual([]);
    const [{ behind }] = readers as [(typeof readers)[0]];
    const copy = await open("copy", { tailBytes: 0 });
    expect(copy.head).toBe(index + 1);
    const again = await copy.reader("out");
    expect(again.waiting.batches).toBe(reader.waiting.batches);
    expect(behind.batches).toBe(reader.waiting.batches);
    const texts: string[] = [];
    while (again.waiting.batches > texts.length) {
      const slice = await again.next(unlimited());
      texts.push(...slice!.entries.map(({ batch }) => Buffer.from(batch.bytes).toString()));
    }
    const first = index + 1 - reader.waiting.batches;
    expect(texts).toEqual(texts.map((_, place) => textOf(first + place)));
    await copy.close();
    rmSync(join(folder, "copy"), { recursive: true });
  }
  expect(said).toEqual([]);
});

test("closed, it has no file to spare and nothing of what was before", async () => {
  const log = await open("log");
  const reader = await log.reader("out");
  for (let index = 0; index < 30; index++) {
    await log.append(batchOf(textOf(index)));
    await commitNext(reader, 1);
  }
  expect(filesOf("log", ".spare").length).toBe(1);
  const segments = log.segments.map(({ file, end }) => ({ file, end }));
  await log.close();
  expect(filesOf("log", ".spare")).toEqual([]);
  for (const { file, end } of segments) expect(statSync(join(folder, "log", file)).size).toBe(end);
});

test("what a run before has kept to spare is gone after the start", async () => {
  await (await open("log")).close();
  writeFileSync(join(folder, "log", "0000000000000000.segment.spare"), "old");
  await open("log");
  expect(filesOf("log", ".spare")).toEqual([]);
});

test("nothing is kept to spare where it would make up half of what the log may have", async () => {
  const twoSegments = 2 * (2 * headBytes + 400);
  for (const { maxBytes, spares } of [
    { maxBytes: 2 * twoSegments - 1, spares: 0 },
    { maxBytes: 2 * twoSegments, spares: 1 },
  ]) {
    const log = await open(`log-${spares}`, { maxBytes, segmentBytes: 500 });
    const reader = await log.reader("out");
    for (let index = 0; index < 5; index++) {
      await log.append(batchOf("x".repeat(400)));
      await commitNext(reader, 1);
    }
    expect(filesOf(`log-${spares}`, ".spare").length).toBe(spares);
  }
});

test("a reader that had much from memory does not read all of that to go on from the disk", async () => {
  const log = await open("log", { maxBytes: 1 << 30, segmentBytes: 64 << 20, tailBytes: 1 << 20 });
  const reader = await log.reader("out");
  const come = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) await log.append(batchOf("x".repeat(100_000)));
  };
  for (let round = 0; round < 3; round++) {
    for (let left = 40; left > 0; left--) {
      await come(1);
      await commitNext(reader, 1);
    }
    await come(20);
    const { handle } = log.segments.at(-1)!;
    const read = vi.spyOn(handle, "read");
    await commitNext(reader, 1);
    expect(read.mock.calls.length, `round ${round}`).toBeGreaterThan(0);
    expect(read.mock.calls.length, `round ${round}`).toBeLessThan(8); // of 256 KiB each
    read.mockRestore();
    while (reader.waiting.batches > 0) await commitNext(reader, 1);
  }
});

test("a segment whose write or sync failed is never used again", async () => {
  const logId = "0123456789abcdef";
  const options = { folder, logId, segmentBytes: 100, maxBytes: 1 << 20, nowMs: () => 1 };
  for (const fails of [false, true]) {
    const segments = new Segments([], options);
    const before = noTotals();
    const begin = (base: number): Promise<void> =>
      segments.begin({ base, before }, (create) => create());
    await begin(0);
    segments.last.end += await segments.write([Buffer.alloc(200)]);
    if (fails) {
      segments.last.handle.datasync = () => Promise.reject(new Error("EIO"));
      await expect(segments.write([Buffer.alloc(200)])).rejects.toThrow("EIO");
      expect(statSync(join(folder, segments.last.file)).size).toBe(headBytes + 200);
    }
    await begin(5);
    await segments.deleteBefore(5);
    expect(filesOf(".", ".spare").length).toBe(fails ? 0 : 1);
    await segments.close(() => {});
  }
});
