import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskLog, type DiskLogOptions } from "../../../collector/log/disk-log.ts";
import type { DiskReader } from "../../../collector/log/disk-reader.ts";
import { encodeFrameHead, headBytes } from "../../../collector/log/segment.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { batchOf, logContract, unlimited } from "../../contract/log.ts";
import { spoiled } from "../../support/memory.ts";

let folder: string;
let said: string[];
const logs: DiskLog[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-log-"));
  said = [];
});

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  const incidents = new Incidents({ write: (line) => said.push(line) });
  const memory = spoiled();
  const usual = { folder, maxBytes: 1 << 30, segmentBytes: 64 << 20, memory, incidents };
  const log = await DiskLog.open({ ...usual, ...options });
  logs.push(log);
  return log;
}

logContract("the disk log", (limit) => open(limit));
logContract("the disk log that keeps nothing in memory", (limit) =>
  open({ ...limit, tailBytes: 0 }),
);
logContract("the disk log of tiny segments", (limit) => open({ ...limit, segmentBytes: 200 }));
logContract("the disk log of small segments", (limit) => open({ ...limit, segmentBytes: 1000 }));

const segments = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".segment"));

async function fill(count: number, options = {}): Promise<string[]> {
  const log = await open(options);
  const written: string[] = [];
  for (let index = 0; index < count; index++) {
    const text = `batch ${index} ${"x".repeat(index % 50)}`;
    written.push(text);
    await log.append(batchOf(text, index + 1));
  }
  await log.close();
  return written;
}

async function readAll(log: DiskLog, name = "out"): Promise<{ texts: string[]; lost: number }> {
  const reader = await log.reader(name);
  const texts: string[] = [];
  let lost = 0;
  while (reader.waiting.batches > 0) {
    const slice = await reader.next(unlimited());
    if (!slice) break;
    texts.push(...slice.entries.map(({ batch }) => Buffer.from(batch.bytes).toString()));
    lost += slice.lost.traces;
    await reader.commit(slice.upTo, "");
  }
  return { texts, lost };
}

describe("opened again", () => {
  test("it hands out what was not committed, and knows its id and its totals", async () => {
    const written = await fill(10);
    const id = (await open()).id;
    expect((await readAll(logs.at(-1)!)).texts).toEqual(written);
    await logs.at(-1)!.close();
    const again = await open();
    expect(again.id).toBe(id);
    expect(again.appended).toEqual({ traces: 55, metrics: 0, logs: 0 });
    expect(await again.append(batchOf("next"))).toBe(10);
  });

  test("a reader goes on behind its last commit, with its memo and its counts", async () => {
    const log = await open({ segmentBytes: 300 });
    const reader = await log.reader("out");
    for (let index = 0; index < 20; index++) await log.append(batchOf(`b${index}`, 2));
    const slice = await reader.next({ ...unlimited(), maxItems: 14 });
    await reader.commit(slice!.upTo, "seven");
    await log.close();
    const again = await (await open()).reader("out");
    expect(again.memo).toBe("seven");
    expect(again.waiting).toMatchObject({ batches: 13, items: { traces: 26 } });
    const rest = await again.next(unlimited());
    expect(Buffer.from(rest!.entries[0]!.batch.bytes).toString()).toBe("b7");
  });

  test("segments that every reader has passed are gone, others stay", async () => {
    const log = await open({ segmentBytes: 300 });
    const quick = await log.reader("quick");
    const slow = await log.reader("slow");
    for (let index = 0; index < 20; index++) await log.append(batchOf(`b${index}`));
    const before = segments().length;
    const all = await quick.next(unlimited());
    await quick.commit(all!.upTo, "");
    expect(segments().length).toBe(before);
    const some = await slow.next({ ...unlimited(), maxItems: 10 });
    await slow.commit(some!.upTo, "");
    expect(segments().length).toBeLessThan(before);
    expect(segments().length).toBeGreaterThan(1);
    const rest = await slow.next(unlimited());
    expect(rest!.entries.length).toBe(10);
    await slow.commit(rest!.upTo, "");
    expect(segments().length).toBe(1);
  });
});

describe("after damage", () => {
  test("a torn last frame is cut off, wherever it was torn", async () => {
    const written = await fill(3);
    const file = join(folder, segments()[0]!);
    const whole = readFileSync(file);
    const lastStart = whole.length - headBytes - Buffer.byteLength(written[2]!);
    for (let size = lastStart; size < whole.length; size += 7) {
      writeFileSync(file, whole.subarray(0, size));
      for (const name of segments().slice(1)) rmSync(join(folder, name));
      rmSync(join(folder, "out.cursor"), { force: true });
      const log = await open();
      expect((await readAll(log)).texts).toEqual(written.slice(0, 2));
      const position = await log.append(batchOf("after the crash"));
      expect(position).toBeGreaterThanOrEqual(2);
      await log.close();
    }
    expect(said.some((line) => line.includes("no whole frame"))).toBe(true);
  });

  test("one damaged byte anywhere costs at most the frame it stands in, and is counted", async () => {
    const written = await fill(6);
    const file = join(folder, segments()[0]!);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 3) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x5a;
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      writeFileSync(file, damaged);
      said = [];
      const log = await open();
      const { texts, lost } = await readAll(log);
      const missing = written.filter((text) => !texts.includes(text));
      expect(texts).toEqual(written.filter((text) => texts.includes(text)));
      expect(missing.length, `byte ${at}`).toBeLessThanOrEqual(1);
      if (missing.length === 1 && missing[0] !== written.at(-1)) {
        expect(lost, `byte ${at}`).toBe(written.indexOf(missing[0]!) + 1);
      }
      if (missing.length === 1) expect(said.length).toBeGreaterThan(0);
      await log.close();
    }
  });

  test("a position that was delivered is not given again, though its frame is gone", async () => {
    await fill(5);
    const log = await open();
    expect((await readAll(log)).texts.length).toBe(5);
    await log.close();
    for (const name of segments()) truncateSync(join(folder, name), headBytes);
    expect(await (await open()).append(batchOf("new"))).toBe(5);
  });

  test("a missing segment is stepped over and counted", async () => {
    await fill(30, { segmentBytes: 400 });
    const names = segments();
    rmSync(join(folder, names[2]!));
    const { texts, lost } = await readAll(await open());
    expect(texts.length).toBeLessThan(30);
    const items = texts.reduce((sum, text) => sum + Number(text.split(" ")[1]) + 1, 0);
    expect(items + lost).toBe((30 * 31) / 2);
  });

  test("an empty, torn or missing cursor file costs a redelivery, nothing else", async () => {
    for (const harm of [
      () => writeFileSync(join(folder, "out.cursor"), ""),
      () => rmSync(join(folder, "out.cursor")),
      () => truncateSync(join(folder, "out.cursor"), 30),
    ]) {
      const log = await open();
      const reader = await log.reader("out");
      const position = await log.append(batchOf("kept"));
      await log.close();
      expect(reader.name).toBe("out");
      harm();
      const again = await open();
      const slice = await (await again.reader("out")).next(unlimited());
      expect(slice!.entries.map((entry) => entry.position)).toContain(position);
      await again.close();
    }
  });

  test("a torn line at the end of a cursor file leaves the line before it in force", async () => {
    await fill(5);
    const log = await open();
    const reader = await log.reader("out");
    const slice = await reader.next({ ...unlimited(), maxItems: 3 });
    await reader.commit(slice!.upTo, "two");
    await log.close();
    appendFileSync(join(folder, "out.cursor"), '0badc0de {"position":4');
    const again = await (await open()).reader("out");
    expect(again.memo).toBe("two");
    expect(again.waiting.batches).toBe(3);
  });

  test.each([0, 7])(
    "a folder of version %i, which it does not know, is left as it is, with a clear message",
    async (version) => {
      await fill(3, { segmentBytes: 100 });
      for (const name of segments().slice(1)) {
        const file = join(folder, name);
        const bytes = readFileSync(file);
        bytes.writeUInt32LE(version, 8);
        bytes.writeUInt32LE(crc32(bytes.subarray(8, headBytes)), 4);
        writeFileSync(file, bytes);
      }
      const contents = (): Record<string, string> =>
        Object.fromEntries(
          readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "hex")]),
        );
      const before = contents();
      const words = new RegExp(
        `segment has format ${version}, this version of sonde reads up to 4; use`,
      );
      await expect(open()).rejects.toThrow(words);
      expect(contents()).toEqual(before);
    },
  );
});

test.each([1, 2] as const)("a folder of format %i is read and gone on with", async (version) => {
  const written = await fill(12, { segmentBytes: 300 });
  for (const name of segments()) rewriteAs(version, join(folder, name));
  const log = await open();
  await log.append(batchOf("new"));
  const reader = await log.reader("out");
  const texts: string[] = [];
  while (reader.waiting.batches > texts.length) {
    const slice = await reader.next(unlimited());
    texts.push(...slice!.entries.map(({ batch }) => Buffer.from(batch.bytes).toString()));
  }
  expect(texts).toEqual([...written, "new"]);
  expect(said).toEqual([]);
});

/** Of format 1 all frames begin with "fram"; before 3 all checksums were crc32; before 4 no file was used again. */
function rewriteAs(version: 1 | 2, file: string): void {
  const bytes = readFileSync(file);
  const seal = (head: Buffer): number => head.writeUInt32LE(crc32(head.subarray(8)), 4);
  for (let at = headBytes; at < bytes.length;) {
    const head = bytes.subarray(at, at + headBytes);
    const end = at + headBytes + head.readUInt32LE(8);
    if (version === 1) head.write("fram", "latin1");
    head.writeUInt32LE(crc32(bytes.subarray(at + headBytes, end)), 12);
    head.writeUInt32LE(head.readUInt32LE(24) & 0xff, 24);
    seal(head);
    at = end;
  }
  bytes.writeUInt32LE(version, 8);
  seal(bytes.subarray(0, headBytes));
  writeFileSync(file, bytes);
}

test("a payload that holds a frame is never taken for one, even when the head before it is damaged", async () => {
  const forgery = Buffer.alloc(headBytes + 3, "abc");
  const batch = { signal: "traces" as const, bytes: forgery.subarray(headBytes), items: 1e6 };
  const before = { items: { traces: 1e9, metrics: 0, logs: 0 }, bytes: 1e9 };
  const magic = Buffer.from("fram").readUInt32LE(0);
  encodeFrameHead(forgery, { magic, position: 1e12, batch, before, atMs: 1 });
  const log = await open();
  await log.append({ signal: "logs", bytes: forgery, items: 1 });
  await log.close();
  const file = join(folder, segments()[0]!);
  const bytes = readFileSync(file);
  bytes[headBytes + 20]! ^= 1;
  writeFileSync(file, bytes);
  const again = await open({ tailBytes: 0 });
  expect(again.head).toBeLessThan(10);
  expect(again.appended.traces).toBe(0);
});

describe("one folder", () => {
  test("is used by one process at a time", async () => {
    await open();
    await expect(open()).rejects.toThrow(/is in use by process \d+; stop it/);
  });

  test("is free again when its holder was killed", async () => {
    writeFileSync(join(folder, "lock"), "999999999 1\n");
    await open();
    await logs.pop()!.close();
    copyFileSync("/dev/null", join(folder, "lock"));
    await open();
  });
});

describe("at its limit", () => {
  const limit = { maxBytes: 8000, segmentBytes: 1000 };
  const large = "x".repeat(400);

  async function overfill(log: DiskLog): Promise<void> {
    const ahead = await log.reader("ahead");
    for (let index = 0; index < 30; index++) {
      await log.append(batchOf(large, index + 1));
      const slice = await ahead.next(unlimited());
      await ahead.commit(slice!.upTo, "");
    }
  }

  test("what an output was moved past stays counted when it is opened again", async () => {
    const log = await open(limit);
    const behind = await log.reader("behind");
    await overfill(log);
    const { skipped, waiting } = behind;
    expect(skipped.traces + waiting.items.traces).toBe((30 * 31) / 2);
    expect(said.some((line) => line.startsWith("output behind: the log is full"))).toBe(true);
    await log.close();
    const again = await (await open(limit)).reader("behind");
    expect(again.skipped).toEqual(skipped);
    expect(again.waiting.items).toEqual(waiting.items);
    expect(again.isCatchingUp).toBe(true);
    const slice = await again.next(unlimited());
    expect(slice!.lost.traces).toBe(0);
  });

  test("it is not moved on before it has read what it is reading", async () => {
    const log = await open({ maxBytes: 8 << 20, segmentBytes: 1 << 20 });
    const behind = (await log.reader("behind")) as DiskReader; // the log makes no others
    for (let count = 0; count < 30; count++) await log.append(batchOf("x".repeat(200_000)));
    let isRead = false;
    const reading = behind.next(unlimited()).then((slice) => {
      isRead = true;
      return slice!;
    });
    const { base, before } = log.segments[1]!;
    await behind.skip({ position: base, totals: before }, log.head);
    expect(isRead).toBe(true); // now its segment may be deleted
    const { from, upTo, lost } = await reading;
    expect({ from, upTo, lost: lost.traces }).toEqual({ from: 0, upTo: 30, lost: 0 });
    await behind.commit(30, "");
    expect(behind.skipped.traces).toBe(0);
  });
});
