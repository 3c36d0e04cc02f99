// The files that the disk log consists of: the last is written to until it is full or not to be trusted,
// then a new one is begun; the oldest are let go of. Some of these are kept, to be written over: a log that
// is delivered as it comes goes round in two files then, for half of what writing new ones costs.

import { type FileHandle, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFile, reuseFile, syncFolder } from "./lasting.ts";
import type { Position } from "./log.ts";
import {
  encodeSegmentHead,
  endMarkOf,
  fileNameOf,
  frameMagicOf,
  headBytes,
  type Segment,
} from "./segment.ts";
import { writeAll } from "./write-all.ts";

export interface SegmentsOptions {
  readonly folder: string;
  readonly logId: string;
  /** Of one, about. */
  readonly segmentBytes: number;
  /** Of all together. */
  readonly maxBytes: number;
  readonly nowMs: () => number;
}

/** What is not delivered grows and shrinks by some of them. */
const mostSpares = 4;

export class Segments {
  /** Oldest first. */
  readonly all: Segment[];
  readonly #options: SegmentsOptions;
  #isSealed = true;
  /** Those that were begun here, and went well until they were full. */
  readonly #full = new WeakSet<Segment>();
  readonly #spares: Spare[] = [];
  /** How far the last one's file holds what it held before. */
  #oldUpTo = 0;

  constructor(found: Segment[], options: SegmentsOptions) {
    this.all = found;
    this.#options = options;
  }

  /** There is one whenever the next is not due. */
  get last(): Segment {
    return this.all.at(-1)!;
  }

  /** Whether one must be begun before anything can be written. */
  get isNextDue(): boolean {
    return this.#isSealed || this.last.end >= this.#options.segmentBytes;
  }

  /** Whether the last one must not be written to any more. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  get isLastEmpty(): boolean {
    return (this.all.at(-1)?.end ?? 0) <= headBytes;
  }

  get sizeBytes(): number {
    return this.all.reduce((sum, { end }) => sum + end, 0);
  }

  seal(): void {
    this.#isSealed = true;
  }

  /** Begins one. `within` runs what needs room on the disk. */
  async begin(
    { base, before }: Pick<Segment, "base" | "before">,
    within: (create: () => Promise<FileHandle>) => Promise<FileHandle>,
  ): Promise<void> {
    const { folder, logId, nowMs } = this.#options;
    const file = fileNameOf(base);
    const last = this.all.at(-1);
    if (last && !this.#isSealed) this.#full.add(last);
    await this.#cutOld();
    if (last?.base === base) {
      // It holds nothing: the new one takes its place.
      this.all.pop();
      await last.handle.close();
    }
    const head = encodeSegmentHead({ logId, base, before, atMs: nowMs() });
    const magic = frameMagicOf(logId);
    const handle = await within(() => this.#make(join(folder, file), head, endMarkOf(magic)));
    const at = { base, file, handle, magic, before, milestones: [] };
    this.all.push({ ...at, end: headBytes, upTo: base, after: before });
    this.#isSealed = false;
  }

  async #make(path: string, head: Buffer, mark: Buffer): Promise<FileHandle> {
    const spare = this.#spares.pop();
    if (spare) {
      try {
        const handle = await reuseFile(spare.path, path, Buffer.concat([head, mark]));
        this.#oldUpTo = spare.bytes;
        return handle;
      } catch {
        await rm(spare.path, { force: true });
      }
    }
    return await createFile(path, head);
  }

  /** Of the last one; no reader would take it for frames, but it has room on the disk. */
  async #cutOld(): Promise<void> {
    const last = this.all.at(-1);
    if (last && this.#oldUpTo > last.end) await last.handle.truncate(last.end).catch(() => {});
    this.#oldUpTo = 0;
  }

  /** Returns once all is synced; otherwise the last one is as if nothing had been written. */
  async write(parts: Uint8Array[]): Promise<number> {
    const { handle, end, magic } = this.last;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const mark = end + size < this.#oldUpTo ? [endMarkOf(magic)] : [];
    try {
      await writeAll(handle, [...parts, ...mark], end);
      await handle.datasync();
      return size;
    } catch (error) {
      // No second sync of this file: it could succeed without the pages that the first one lost.
      this.seal();
      await handle.truncate(end).catch(() => {});
      throw error;
    }
  }

  /** The oldest that stays when as many are deleted as it takes; undefined when it takes all. */
  oldestWithout(bytes: number): Segment | undefined {
    let rest = bytes;
    for (const segment of this.all) {
      if (rest <= 0) return segment;
      rest -= segment.end;
    }
    return undefined;
  }

  /** Whether the oldest holds nothing from `position` on; the last one is always kept. */
  isOldestBefore(position: Position): boolean {
    const next = this.all[1];
    return next !== undefined && next.base <= position;
  }

  /** Deletes those that hold nothing from `position` on, or keeps some of them to be used again. */
  async deleteBefore(position: Position): Promise<void> {
    const { folder } = this.#options;
    const kept: Spare[] = [];
    try {
      while (this.isOldestBefore(position)) {
        const segment = this.all.shift()!;
        const path = join(folder, segment.file);
        if (this.#isWorthKeeping(segment, kept)) {
          const spare = { path: `${path}${spareEnding}`, bytes: segment.end };
          await rename(path, spare.path);
          kept.push(spare);
        } else await rm(path, { force: true });
        await segment.handle.close();
      }
      await syncFolder(folder);
    } catch (error) {
      for (const { path } of kept) await rm(path, { force: true }).catch(() => {});
      throw error;
    }
    // Not before: written over under its old name, it would be a damaged part of the log.
    this.#spares.push(...kept);
  }

  /**
   * Only where all that it holds was acknowledged before it was let go of: frames whose sync failed have
   * positions that were given out again. And only where there is room for it until it is used.
   */
  #isWorthKeeping(segment: Segment, kept: readonly Spare[]): boolean {
    const spares = [...this.#spares, ...kept];
    if (spares.length === mostSpares || !this.#full.has(segment)) return false;
    const spareBytes = spares.reduce((sum, { bytes }) => sum + bytes, segment.end);
    return this.sizeBytes + spareBytes <= this.#options.maxBytes / 2;
  }

  /** What cannot be done is told to `late`, and the rest is done. */
  async close(late: (error: Error) => void): Promise<void> {
    await this.#cutOld();
    for (const { path } of this.#spares) await rm(path, { force: true }).catch(late);
    for (const { handle } of this.all) await handle.close().catch(late);
  }
}

/** A file that was let go of and is there to become the next segment. */
interface Spare {
  readonly path: string;
  readonly bytes: number;
}

const spareEnding = ".spare";

/** What a run before this one has left of that. */
export function isSpare(fileName: string): boolean {
  return fileName.endsWith(`.segment${spareEnding}`);
}
