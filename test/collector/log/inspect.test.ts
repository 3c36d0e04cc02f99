import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { setImmediate } from "node:timers/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import { heldIn, type Inspection, inspect } from "../../../collector/log/inspect.ts";
import { headBytes } from "../../../collector/log/segment.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { batchOf, unlimited } from "../../contract/log.ts";

let folder: string;
let nowMs: number;
let log: DiskLog | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-inspect-"));
  nowMs = 1_790_000_000_000;
});

afterEach(async () => {
  await log?.close();
  log = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const incidents = new Incidents({ write: () => {} });

async function open(segmentBytes = 400): Promise<DiskLog> {
  log = await DiskLog.open({
    folder,
    maxBytes: 1 << 30,
    segmentBytes,
    incidents,
    nowMs: () => nowMs,
  });
  return log;
}

async function close(): Promise<void> {
  await log?.close();
  log = undefined;
}

/** Batches "b0", "b1" … of 1, 2 … items, in turn of each signal, a second apart. */
async function fill(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await log?.append(batchOf(`b${index}`, index + 1, signals[index % 3]));
    nowMs += 1000;
  }
}

const segments = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".segment"))
    .toSorted();

/** Everything that can be seen of the folder from outside. */
const state = (): unknown =>
  readdirSync(folder).map((name) => {
    const { mtimeMs, ctimeMs, size } = statSync(join(folder, name));
    return [name, mtimeMs, ctimeMs, size, readFileSync(join(folder, name), "hex")];
  });

async function held(): Promise<string[]> {
  const texts: string[] = [];
  for await (const { batch } of heldIn(folder)) texts.push(Buffer.from(batch.bytes).toString());
  return texts;
}

test("shows segments with positions, items and times", async () => {
  await open();
  await fill(9);
  await close();
  const { segments: shown, head, bytes, id, damages } = await inspect(folder);
  expect(damages).toEqual([]);
  expect(head).toBe(9);
  expect(id).toMatch(/^[\da-f]{16}$/);
  expect(shown.map(({ from, upTo, batches }) => [from, upTo, batches])).toEqual([
    [0, 5, 5],
    [5, 9, 4],
  ]);
  expect(shown[0]).toMatchObject({
    file: "0000000000000000.segment",
    items: { traces: 1 + 4, metrics: 2 + 5, logs: 3 },
    firstAtMs: 1_790_000_000_000,
    lastAtMs: 1_790_000_004_000,
    bytes: statSync(join(folder, segments()[0]!)).size,
  });
  expect(bytes).toBe(segments().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0));
});

test("changes nothing, also while the log is in use and where nothing may be written", async () => {
  const opened = await open();
  const reader = await opened.reader("out");
  await fill(7);
  const slice = await reader.next({ ...unlimited(), maxItems: 4 });
  await reader.commit(slice!.upTo, "memo");
  writeFileSync(join(folder, "torn.cursor"), "12345678 {");
  chmodSync(folder, 0o500);
  const before = state();
  const { usedBy } = await inspect(folder);
  await held();
  expect(usedBy).toBe(process.pid);
  expect(state()).toEqual(before);
  chmodSync(folder, 0o700);
});

test("shows each reader, what it has not passed, and since when", async () => {
  const opened = await open();
  const reader = await opened.reader("slow");
  await opened.reader("new");
  await fill(9);
  const slice = await reader.next({ ...unlimited(), maxItems: 6 });
  await reader.commit(slice!.upTo, "its memo");
  writeFileSync(join(folder, "broken.cursor"), "12345678 {}\n");
  const { readers, usedBy } = await inspect(folder);
  expect(usedBy).toBe(process.pid);
  const all = { batches: 9, items: { traces: 12, metrics: 15, logs: 18 }, bytes: 18 };
  expect(readers).toEqual([
    {
      name: "broken",
      position: undefined,
      isDamaged: true,
      memo: undefined,
      behind: { ...all, oldestAtMs: 1_790_000_000_000 },
    },
    {
      name: "new",
      position: undefined,
      isDamaged: false,
      memo: undefined,
      behind: { ...all, oldestAtMs: 1_790_000_000_000 },
    },
    {
      name: "slow",
      position: 3,
      isDamaged: false,
      memo: "its memo",
      behind: {
        batches: 6,
        items: { traces: 11, metrics: 13, logs: 15 },
        bytes: 12,
        oldestAtMs: 1_790_000_003_000,
      },
    },
  ]);
  const { waiting } = reader;
  expect(readers[2]?.behind.items).toEqual(waiting.items);
});

describe("damage", () => {
  const only = async (): Promise<Inspection["damages"]> => (await inspect(folder)).damages;
  const first = (): string => join(folder, segments()[0]!);
  /** Where frame `index` of the first segment begins; payloads are "b0" … */
  const frame = (index: number): number => headBytes + index * (headBytes + 2);

  function flip(offset: number, path = first()): void {
    const bytes = readFileSync(path);
    bytes[offset]! ^= 0xff;
    writeFileSync(path, bytes);
  }

  beforeEach(async () => {
    await open();
    await fill(9);
    await close();
  });

  test("of a payload costs its frame, and says where and how many items", async () => {
    flip(frame(2) + headBytes);
    expect(await only()).toEqual([
      {
        file: segments()[0],
        offset: frame(2),
        bytes: headBytes + 2,
        kind: "lost",
        batches: 1,
        items: { traces: 0, metrics: 0, logs: 3 },
      },
    ]);
    expect(await held()).toEqual(["b0", "b1", "b3", "b4", "b5", "b6", "b7", "b8"]);
  });

  test("of a frame's head costs that frame", async () => {
    flip(frame(3) + 20);
    expect(await only()).toMatchObject([
      { offset: frame(3), kind: "lost", batches: 1, items: { traces: 4 } },
    ]);
  });

  test("of the last frame before another segment is told apart from what a crash tears", async () => {
    flip(frame(4) + headBytes);
    expect(await only()).toMatchObject([
      { file: segments()[0], offset: frame(4), kind: "lost", batches: 1, items: { metrics: 5 } },
    ]);
  });

  test("of a segment's head costs nothing", async () => {
    for (const [index, name] of segments().entries()) {
      flip(10, join(folder, name));
      const damages = await only();
      expect(damages.length).toBe(index + 1);
      expect(damages.every(({ kind, offset }) => kind === "head" && offset === 0)).toBe(true);
    }
    expect((await held()).length).toBe(9);
  });

  test("of the first head and the first frame: the batch is missed, its items nobody knows", async () => {
    flip(10);
    flip(frame(0) + 20);
    expect(await only()).toMatchObject([
      { kind: "head" },
      { kind: "lost", batches: 1, items: { traces: 0, metrics: 0, logs: 0 } },
    ]);
  });

  test("a missing segment is a gap", async () => {
    await open();
    await fill(9);
    await close();
    const [, second] = segments();
    rmSync(join(folder, second!));
    expect(await only()).toMatchObject([
      { file: segments()[0], bytes: 0, kind: "lost", batches: 4, items: { logs: 6 + 9 } },
    ]);
  });

  test("a segment that was cut short is a gap", async () => {
    truncateSync(first(), frame(1));
    expect(await only()).toMatchObject([{ offset: frame(1), kind: "lost", batches: 4 }]);
  });

  test("a torn end was never acknowledged", async () => {
    const last = join(folder, segments().at(-1)!);
    truncateSync(last, statSync(last).size - 1);
    const { damages, head } = await inspect(folder);
    expect(damages).toMatchObject([{ kind: "tail", bytes: headBytes + 1, batches: 0 }]);
    expect(head).toBe(8);
  });

  test("a group that failed and stands there all the same was never acknowledged", async () => {
    const [one, two] = segments().map((name) => readFileSync(join(folder, name)));
    const failed = two!.subarray(headBytes, 2 * headBytes + 2); // as if position 5 had failed at first
    writeFileSync(first(), Buffer.concat([one!, failed]));
    expect(await only()).toMatchObject([
      { file: segments()[0], offset: one!.length, bytes: failed.length, kind: "tail" },
    ]);
    expect(await held()).toEqual(["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8"]);
  });

  test("but what a reader has passed was acknowledged", async () => {
    const opened = await open();
    const reader = await opened.reader("out");
    await reader.commit((await reader.next(unlimited()))!.upTo, "");
    await fill(2);
    await reader.commit((await reader.next(unlimited()))!.upTo, "");
    await close();
    truncateSync(join(folder, segments().at(-1)!), headBytes + 3);
    const { damages, head } = await inspect(folder);
    expect(damages).toMatchObject([{ kind: "lost", batches: 2, bytes: 3 }]);
    expect(head).toBe(11);
  });

  test("is counted as the readers of the log count it, whichever byte it hits", async () => {
    const sound = readFileSync(first());
    const cursor = join(folder, "out.cursor");
    for (let offset = 0; offset < sound.length; offset += 13) {
      flip(offset);
      const told = await only();
      const opened = await open();
      const slice = await (await opened.reader("out")).next(unlimited());
      await close();
      rmSync(cursor, { force: true });
      for (const signal of signals) {
        const sum = told.reduce((lost, { items }) => lost + items[signal], 0);
        expect([offset, sum]).toEqual([offset, slice!.lost[signal]]);
      }
      writeFileSync(first(), sound);
    }
  });

  test("a format of a later version is no damage", async () => {
    const bytes = readFileSync(first());
    bytes.writeUInt32LE(9, 8);
    const { crc32 } = await import("node:zlib");
    bytes.writeUInt32LE(crc32(bytes.subarray(8, headBytes)), 4);
    writeFileSync(first(), bytes);
    await expect(inspect(folder)).rejects.toThrow("format 9");
  });
});

test("segments that are deleted while it looks are no damage", { timeout: 60_000 }, async () => {
  const opened = await open();
  const reader = await opened.reader("out");
  for (let round = 0; round < 20; round++) {
    await fill(100); // about 25 segments
    const slice = await reader.next(unlimited());
    const looking = inspect(folder);
    const searching = held();
    for (let turn = 0; turn < round * 5; turn++) await setImmediate();
    await reader.commit(slice!.upTo, "");
    const { damages, head, segments: shown } = await looking;
    expect(damages).toEqual([]);
    expect(shown.at(-1)?.upTo).toBe(head);
    await searching;
  }
});

test("a segment that is never there does not keep it for ever", async () => {
  symlinkSync("nowhere", join(folder, "0000000000000000.segment"));
  await expect(inspect(folder)).rejects.toThrow("gone before they can be opened");
  expect(await held()).toEqual([]);
});

test("an empty folder has no segments, a missing one is an error", async () => {
  expect(await inspect(folder)).toMatchObject({ id: undefined, head: 0, segments: [], bytes: 0 });
  await expect(inspect(join(folder, "none"))).rejects.toThrow("ENOENT");
});
