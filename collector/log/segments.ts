// The files that the disk log consists of: the last is written to until it is full or not to be trusted,
// then a new one is begun; the oldest are deleted.

import { type FileHandle, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFile, syncFolder } from "./lasting.ts";
import type { Position } from "./log.ts";
import { encodeSegmentHead, fileNameOf, frameMagicOf, headBytes, type Segment } from "./segment.ts";
import { writeAll } from "./write-all.ts";

export interface SegmentsOptions {
  readonly folder: string;
  readonly logId: string;
  /** Of one, about. */
  readonly segmentBytes: number;
  readonly nowMs: () => number;
}

export class Segments {
  /** Oldest first. */
  readonly all: Segment[];
  readonly #options: SegmentsOptions;
  #isSealed = true;

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
    if (last?.base === base) {
      // It holds nothing: the new one takes its place.
      this.all.pop();
      await last.handle.close();
    }
    const head = encodeSegmentHead({ logId, base, before, atMs: nowMs() });
    const handle = await within(() => createFile(join(folder, file), head));
    const at = { base, file, handle, magic: frameMagicOf(logId), before };
    this.all.push({ ...at, end: headBytes, upTo: base, after: before });
    this.#isSealed = false;
  }

  /** Returns once all is synced; otherwise the last one is as if nothing had been written. */
  async write(parts: Uint8Array[]): Promise<number> {
    const { handle, end } = this.last;
    try {
      const written = await writeAll(handle, parts, end);
      await handle.datasync();
      return written;
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

  /** Deletes those that hold nothing from `position` on. */
  async deleteBefore(position: Position): Promise<void> {
    while (this.isOldestBefore(position)) {
      const segment = this.all.shift()!;
      await rm(join(this.#options.folder, segment.file), { force: true });
      await segment.handle.close();
    }
    await syncFolder(this.#options.folder);
  }
}
