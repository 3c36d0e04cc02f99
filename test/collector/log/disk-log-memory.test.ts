// Where the disk log's bytes lie while they are in memory, and that they stay what they were.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskLog, type DiskLogOptions } from "../../../collector/log/disk-log.ts";
import type { Slice } from "../../../collector/log/log.ts";
import type { Piece } from "../../../collector/memory/memory.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { unlimited } from "../../contract/log.ts";
import { spoiled } from "../../support/memory.ts";

let folder: string;
const logs: DiskLog[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-log-memory-"));
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  const incidents = new Incidents({ write: () => {} });
  const log = await DiskLog.open({
    folder,
    maxBytes: 1 << 30,
    memory: spoiled(),
    incidents,
    ...options,
  });
  logs.push(log);
  return log;
}

describe("what is too large to be copied", () => {
  const size = 1_000_000;
  const count = 12;

  async function filled(options: Partial<DiskLogOptions> = {}): Promise<[DiskLog, Piece[]]> {
    const log = await open(options);
    for (let index = 0; index < count; index++) {
      const bytes = Buffer.alloc(size, index);
      await log.append({ signal: "logs", bytes, items: 1 });
      bytes.fill(0xee);
    }
    const pieces: Piece[] = [];
    const take = log.memory.take.bind(log.memory);
    log.memory.take = (bytes) => {
      const piece = take(bytes);
      if (bytes >= size && !pieces.includes(piece)) pieces.push(piece);
      return piece;
    };
    return [log, pieces];
  }

  test.each([
    ["one by one", 1, 1],
    ["several at a time", 3, 3],
  ])("is read %s into memory that is used again", async (_, outstanding, mostPieces) => {
    const [log, pieces] = await filled();
    const reader = await log.reader("out");
    const slices: Slice[] = [];
    const isAsItWas = ({ from, entries }: Slice): void => {
      expect(entries.length).toBe(1);
      const { bytes } = entries[0]!.batch;
      expect(Buffer.alloc(size, from).equals(bytes)).toBe(true);
    };
    for (let read = 0; read < count; read++) {
      if (slices.length === outstanding) {
        slices.forEach(isAsItWas);
        await reader.commit(slices.shift()!.upTo, "");
      }
      slices.push((await reader.next({ ...unlimited(), maxBytes: size / 2 }))!);
    }
    slices.forEach(isAsItWas);
    expect(pieces.length).toBe(mostPieces);
  });

  test("comes between small ones in the order in which they were appended", async () => {
    const log = await open();
    const reader = await log.reader("out");
    const sizes = [10, size, 20, 30, size, size, 40];
    for (const [index, bytes] of sizes.entries()) {
      await log.append({ signal: "logs", bytes: Buffer.alloc(bytes, index), items: 1 });
    }
    const seen: number[] = [];
    while (seen.length < sizes.length) {
      const slice = await reader.next(unlimited());
      for (const { position, batch } of slice!.entries) {
        expect(position).toBe(seen.length);
        expect(Buffer.alloc(sizes[position]!, position).equals(batch.bytes)).toBe(true);
        seen.push(position);
      }
      await reader.commit(slice!.upTo, "");
    }
  });
});

test("a reader that is far behind is served from disk, and comes back to what is in memory", async () => {
  const log = await open({ tailBytes: 100_000 });
  const reader = await log.reader("out");
  const append = (index: number): Promise<number> =>
    log.append({ signal: "logs", bytes: Buffer.alloc(10_000, index % 251), items: 1 });
  let appended = 0;
  let read = 0;
  for (const [more, take] of [
    [5, 5],
    [300, 10],
    [3, 290],
    [5, 8],
  ] as const) {
    for (let count = 0; count < more; count++) await append(appended++);
    for (const until = read + take; read < until;) {
      const slice = await reader.next({ ...unlimited(), maxItems: until - read });
      for (const { batch } of slice!.entries) {
        expect(Buffer.alloc(10_000, read % 251).equals(batch.bytes)).toBe(true);
        read++;
      }
      await reader.commit(slice!.upTo, "");
    }
  }
  expect(read).toBe(appended);
});
