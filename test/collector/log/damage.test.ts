// The table of damage: whatever happens to one byte of a log, at most the frame is lost that it stands in,
// the loss is counted and named, and the log goes on.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import { headBytes } from "../../../collector/log/segment.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { batchOf, unlimited } from "../../contract/log.ts";

let folder: string;
const written = Array.from({ length: 8 }, (_, index) => `batch ${index} ${"x".repeat(index)}`);

/** A log of two segments with four frames each, as a kill leaves it. */
interface Sound {
  readonly folder: string;
  readonly names: readonly string[];
}
/** In files that were made for them, and the second one in one that was a segment before. */
let made: Sound;
let reused: Sound;

beforeAll(async () => {
  // Thousands of logs are opened and closed: in memory where there is such a folder.
  folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sonde-damage-"));
  made = await soundLog("made", []);
  // Of these eight the second segment overwrites three.
  const old = Array.from({ length: 8 }, (_, index) => `old ${index} ${".".repeat(100)}`);
  reused = await soundLog("reused", old);
  expect(sizeOf(reused, 1)).toBeGreaterThan(sizeOf(made, 1) + 4 * (headBytes + 100));
});

function sizeOf({ folder: at, names }: Sound, index: number): number {
  return statSync(join(at, names[index]!)).size;
}

/** `old` fills a segment of its own, and is delivered. */
async function soundLog(name: string, old: readonly string[]): Promise<Sound> {
  const live = join(folder, `${name}-live`);
  const log = await DiskLog.open({ folder: live, maxBytes: 1 << 20, segmentBytes: 350, ...quiet });
  const reader = await log.reader("old");
  await Promise.all(old.map((text) => log.append(batchOf(text))));
  for (const [index, text] of written.entries()) {
    await log.append(batchOf(text, index + 1));
    if (index > 0 || old.length === 0) continue;
    const slice = await reader.next({ ...unlimited(), maxItems: old.length });
    await reader.commit(slice!.upTo, "");
  }
  const sound = join(folder, name);
  cpSync(live, sound, { recursive: true });
  await log.close();
  for (const file of ["lock", "old.cursor"]) rmSync(join(sound, file), { force: true });
  const names = readdirSync(sound).filter((file) => file.endsWith(".segment"));
  expect(names.length).toBe(2);
  return { folder: sound, names };
}
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quiet = { incidents: new Incidents({ write: () => {} }) };

interface Found {
  readonly missing: readonly string[];
  /** Items that the reader was told are lost. */
  readonly lost: number;
  readonly said: readonly string[];
}

/** What a log makes of the damage; a fresh record must get through it in any case. */
async function openDamaged(sound: Sound, harm: (copy: string) => void): Promise<Found> {
  const copy = join(folder, "copy");
  rmSync(copy, { recursive: true, force: true });
  cpSync(sound.folder, copy, { recursive: true });
  harm(copy);
  const said: string[] = [];
  const incidents = new Incidents({ write: (line) => said.push(line) });
  const log = await DiskLog.open({ folder: copy, maxBytes: 1 << 20, segmentBytes: 350, incidents });
  try {
    const reader = await log.reader("out");
    const gone = sound === reused ? 8 : 0;
    const position = await log.append(batchOf("fresh"));
    const texts: string[] = [];
    let lost = 0;
    while (reader.waiting.batches > 0) {
      const slice = await reader.next(unlimited());
      texts.push(...slice!.entries.map(({ batch }) => Buffer.from(batch.bytes).toString()));
      lost += slice!.lost.traces;
      await reader.commit(slice!.upTo, "");
    }
    expect(position).toBeGreaterThanOrEqual(texts.length - 1);
    expect(texts).toEqual([...written.filter((text) => texts.includes(text)), "fresh"]);
    const held = log.appended.traces - gone;
    expect(held).toBe(reader.waiting.items.traces + lost + itemsOf(texts) + 1);
    const missing = written.filter((text) => !texts.includes(text));
    return { missing, lost, said };
  } finally {
    await log.close();
  }
}

function itemsOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + written.indexOf(text) + 1, 0);
}

const kinds = [
  { kind: "flipped", change: (byte: number) => byte ^ 0x5a },
  { kind: "made zero", change: () => 0 },
  { kind: "of all ones", change: () => 0xff },
];

const places = [
  { place: "segment 0 of two", index: 0, logOf: () => made },
  { place: "segment 1 of two", index: 1, logOf: () => made },
  { place: "a segment whose file was another before", index: 1, logOf: () => reused },
];

describe.each(places)("in $place", ({ index, logOf }) => {
  test.each(kinds)(
    "each byte $kind costs at most its frame, counted and named",
    { timeout: 120_000 },
    async ({ change }) => {
      const sound = logOf();
      const name = sound.names[index]!;
      const whole = readFileSync(join(sound.folder, name));
      const hit = new Set<string>();
      for (let at = 0; at < whole.length; at++) {
        if (change(whole[at]!) === whole[at]) continue;
        const { missing, lost, said } = await openDamaged(sound, (copy) => {
          const bytes = Buffer.from(whole);
          bytes[at] = change(bytes[at]!);
          writeFileSync(join(copy, name), bytes);
        });
        expect(missing.length, `byte ${at}`).toBeLessThanOrEqual(1);
        const [text] = missing;
        if (text === undefined) continue;
        hit.add(text);
        expect(said.join("\n"), `byte ${at}`).toContain(`damage in ${name}`);
        // How much the very last frame held is known as long as its head is.
        const isInLastHead = text === written.at(-1) && at < whole.length - text.length;
        if (!isInLastHead) expect(lost, `byte ${at}`).toBe(written.indexOf(text) + 1);
      }
      expect(hit.size).toBe(4);
    },
  );

  test("cut off at each byte, all before the cut is there", { timeout: 120_000 }, async () => {
    const sound = logOf();
    const name = sound.names[index]!;
    const whole = readFileSync(join(sound.folder, name));
    const ends = endsOfFrames(index);
    const isMarked = (size: number): boolean =>
      sound === reused && size >= ends.at(-1)! + markBytes;
    for (let size = 0; size < whole.length; size++) {
      const { missing, said } = await openDamaged(sound, (copy) =>
        writeFileSync(join(copy, name), whole.subarray(0, size)),
      );
      const gone = ends.filter((end) => end > size).length;
      expect(missing, `cut at ${size}`).toEqual(written.slice(index * 4 + 4 - gone, index * 4 + 4));
      if (isMarked(size)) expect(said).toEqual([]);
      if (isMarked(size)) continue;
      const isBetweenFrames = size === headBytes || ends.includes(size);
      // Of the last segment nobody can say that a whole frame is missing at its end.
      if (index === 0 || !(isBetweenFrames || size === 0)) expect(said.length).toBeGreaterThan(0);
    }
  });
});

const markBytes = 8;

/** Where the frames of a segment end in its file. */
function endsOfFrames(index: number): number[] {
  let at = headBytes;
  return written.slice(index * 4, index * 4 + 4).map((text) => (at += headBytes + text.length));
}

describe("other damage", () => {
  test("a segment that was made but has no head yet costs nothing, and no count", async () => {
    const { missing, lost, said } = await openDamaged(made, (copy) =>
      writeFileSync(join(copy, "0000000000000008.segment"), ""),
    );
    expect({ missing, lost, said }).toEqual({ missing: [], lost: 0, said: [] });
  });

  test.each(["", "garbage\n".repeat(1000), "\0".repeat(5000), "00000000 {}\n"])(
    "a cursor file of garbage is as good as none",
    async (garbage) => {
      const { missing, lost } = await openDamaged(made, (copy) =>
        writeFileSync(join(copy, "out.cursor"), garbage),
      );
      expect({ missing, lost }).toEqual({ missing: [], lost: 0 });
    },
  );

  test("each byte of a cursor file flipped costs a redelivery at most", async () => {
    const committed = join(folder, "committed");
    cpSync(made.folder, committed, { recursive: true });
    const log = await DiskLog.open({ folder: committed, maxBytes: 1 << 20, ...quiet });
    const reader = await log.reader("out");
    for (const maxItems of [3, 3]) {
      const slice = await reader.next({ ...unlimited(), maxItems });
      await reader.commit(slice!.upTo, "memo");
    }
    await log.close();
    const whole = readFileSync(join(committed, "out.cursor"));
    for (let at = 0; at < whole.length; at++) {
      const again = join(folder, "again");
      rmSync(again, { recursive: true, force: true });
      cpSync(committed, again, { recursive: true });
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x5a;
      writeFileSync(join(again, "out.cursor"), bytes);
      const reopened = await DiskLog.open({ folder: again, maxBytes: 1 << 20, ...quiet });
      const { committedUpTo } = (await reopened.reader("out")) as { committedUpTo?: number };
      expect([0, 2, 3], `byte ${at}`).toContain(committedUpTo);
      await reopened.close();
    }
  });

  test("segments that overlap: what the later one holds counts", async () => {
    // As a group leaves it whose sync failed and that could not be cut off: written, never acknowledged.
    const { missing, lost } = await openDamaged(made, (copy) => {
      const [first, second] = made.names.map((name) => readFileSync(join(copy, name)));
      writeFileSync(
        join(copy, made.names[0]!),
        Buffer.concat([first!, second!.subarray(headBytes)]),
      );
    });
    expect({ missing, lost }).toEqual({ missing: [], lost: 0 });
  });

  test("what else lies in the folder is left alone", async () => {
    const { missing } = await openDamaged(made, (copy) => {
      writeFileSync(join(copy, "notes.txt"), "mine");
      writeFileSync(join(copy, "12.segment"), "not ours");
      mkdirSync(join(copy, "folder"));
    });
    expect(missing).toEqual([]);
    const left = readdirSync(join(folder, "copy"));
    expect(left).toEqual(expect.arrayContaining(["notes.txt", "12.segment", "folder"]));
  });
});
