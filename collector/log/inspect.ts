// What is in a log's folder, for whoever wants to look at it: nothing is locked and nothing is changed,
// so it may be done while a collector writes there. Everything is read through, damage is searched for.

import { access, type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { noItems, type PerSignal } from "../wire/batch.ts";
import { loadChecksum } from "./checksum.ts";
import { CursorFile, type CursorState } from "./cursor-file.ts";
import { difference } from "./disk-reader.ts";
import { holderOf } from "./folder-lock.ts";
import { type Frame, FrameScan } from "./frame-scan.ts";
import type { Entry, Position } from "./log.ts";
import { readSegmentHead } from "./recover.ts";
import { after, baseOf, headBytes, noTotals, type Totals } from "./segment.ts";

export interface Inspection {
  readonly id: string | undefined;
  /** The process that has the folder open. */
  readonly usedBy: number | undefined;
  readonly bytes: number;
  /** The position that the next batch gets. */
  readonly head: Position;
  readonly segments: readonly InspectedSegment[];
  readonly readers: readonly InspectedReader[];
  readonly damages: readonly Damage[];
}

export interface InspectedSegment {
  readonly file: string;
  readonly bytes: number;
  /** Positions `from` … `upTo` − 1. */
  readonly from: Position;
  readonly upTo: Position;
  /** Of what can be read. */
  readonly batches: number;
  readonly items: PerSignal;
  readonly firstAtMs: number | undefined;
  readonly lastAtMs: number | undefined;
}

export interface InspectedReader {
  readonly name: string;
  /** Undefined for one that has committed nothing, or whose file is damaged from end to end. */
  readonly position: Position | undefined;
  readonly isDamaged: boolean;
  readonly memo: string | undefined;
  readonly behind: {
    readonly batches: number;
    readonly items: PerSignal;
    readonly bytes: number;
    /** When the oldest of them was written, if it can be read. */
    readonly oldestAtMs: number | undefined;
  };
}

export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /**
   * What it cost: `lost` batches that had been acknowledged; a segment's `head`, which the frames make
   * up for; or nothing, since a crash has left a `tail` behind that nobody was told of.
   */
  readonly kind: "lost" | "head" | "tail";
  readonly batches: number;
  readonly items: PerSignal;
}

export async function inspect(folder: string): Promise<Inspection> {
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const inspection = await tryToInspect(folder);
    if (inspection) return inspection;
  }
  throw new Error(`${folder}: its segments are gone before they can be opened`);
}

const mostTries = 20;

/** Undefined if everything was deleted while it looked; there is something newer then. */
async function tryToInspect(folder: string): Promise<Inspection | undefined> {
  // Cursors first: what they have passed was in the segments before.
  const cursors = await readCursors(folder);
  const damaged = await damagedCursors(folder, cursors);
  const usedBy = await holderOf(folder);
  let survey = new Survey(cursors, usedBy !== undefined);
  let isGone = false;
  let id: string | undefined;
  for await (const opened of openSegments(folder)) {
    if (opened) {
      id = opened.logId ?? id;
      await survey.add(opened);
    }
    // What was passed meanwhile may have been overwritten while it was read.
    isGone = !opened || !(await isThere(join(folder, opened.file)));
    if (isGone) survey = new Survey(cursors, usedBy !== undefined); // those before it are gone too by now
  }
  if (isGone) return undefined;
  survey.finish();
  return {
    id,
    usedBy,
    bytes: survey.segments.reduce((sum, { bytes }) => sum + bytes, 0),
    head: survey.at.position,
    segments: survey.segments,
    readers: survey.readers(damaged),
    damages: survey.damages,
  };
}

/** Where readers stand, by name. */
export async function readCursors(
  folder: string,
): Promise<ReadonlyMap<string, CursorState | undefined>> {
  const cursors = new Map<string, CursorState | undefined>();
  for (const file of (await readdir(folder)).toSorted()) {
    const name = /^(.+)\.cursor$/.exec(file)?.[1];
    if (name !== undefined) cursors.set(name, await CursorFile.read(join(folder, file)));
  }
  return cursors;
}

/** Those whose file has something in it, but nothing to go by. */
async function damagedCursors(
  folder: string,
  cursors: ReadonlyMap<string, CursorState | undefined>,
): Promise<ReadonlySet<string>> {
  const damaged = new Set<string>();
  for (const [name, state] of cursors) {
    if (!state && (await stat(join(folder, `${name}.cursor`))).size > 0) damaged.add(name);
  }
  return damaged;
}

/** Every batch that can be read, oldest first; segments that are deleted meanwhile are left out. */
export async function* heldIn(folder: string): AsyncGenerator<Entry> {
  for await (const opened of openSegments(folder)) {
    if (!opened) continue;
    for await (const { head, payload } of framesOf(opened)) {
      const batch = { signal: head.signal, bytes: payload, items: head.items };
      yield { position: head.position, batch, atMs: head.atMs };
    }
  }
}

interface OpenedSegment {
  readonly file: string;
  readonly base: Position;
  /** Undefined for the last. */
  readonly nextBase: Position | undefined;
  readonly logId: string | undefined;
  /** At its base; undefined if its head is damaged. */
  readonly before: Totals | undefined;
  readonly size: number;
  readonly scan: FrameScan;
}

/** Undefined in place of one that every reader has passed since the folder was listed. */
async function* openSegments(folder: string): AsyncGenerator<OpenedSegment | undefined> {
  await loadChecksum();
  const files = (await readdir(folder)).filter((name) => baseOf(name) !== undefined).toSorted();
  for (const [index, file] of files.entries()) {
    const path = join(folder, file);
    const handle = await openIfThere(path);
    if (!handle) {
      yield undefined;
      continue;
    }
    try {
      const { size } = await handle.stat();
      const { head, magic } = await readSegmentHead(handle, path);
      const base = baseOf(file) ?? 0;
      const nextBase = baseOf(files[index + 1] ?? "");
      const scan = new FrameScan({ handle, magic, base, end: size });
      yield { file, base, nextBase, logId: head?.logId, before: head?.before, size, scan };
    } finally {
      await handle.close();
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** What stands behind the next segment's base was written, but never acknowledged. */
async function* framesOf({ scan, nextBase = Infinity }: OpenedSegment): AsyncGenerator<Frame> {
  for (let frame = await scan.next(); frame; frame = await scan.next()) {
    if (frame.head.position < nextBase) yield frame;
  }
}

interface Place {
  readonly position: Position;
  readonly totals: Totals;
}

/** Walks along the chain of positions and totals that heads and frames form; where it jumps, something is lost. */
class Survey {
  readonly segments: InspectedSegment[] = [];
  readonly damages: Damage[] = [];
  at: Place = { position: 0, totals: noTotals() };
  #begin: Place | undefined;
  /** Behind the last sound thing in the file before. */
  #lastEnd: Stretch = { file: "", offset: 0, bytes: 0 };
  readonly #cursors: ReadonlyMap<string, CursorState | undefined>;
  readonly #isInUse: boolean;
  /** By reader: when the first batch was written that it has not passed. */
  readonly #oldest = new Map<string, number>();

  constructor(cursors: ReadonlyMap<string, CursorState | undefined>, isInUse: boolean) {
    this.#cursors = cursors;
    this.#isInUse = isInUse;
  }

  async add(opened: OpenedSegment): Promise<void> {
    const { file, base, before, size } = opened;
    const items = noItems();
    let batches = 0;
    let firstAtMs: number | undefined;
    let lastAtMs: number | undefined;
    // The end of the frame before, as far as the file has been understood.
    let end = Math.min(size, headBytes);
    if (before) this.#arrive({ position: base, totals: before }, { base, gap: this.#lastEnd });
    else if (size > 0) this.#damage({ file, offset: 0, bytes: end, kind: "head" });
    for await (const { head, payload, end: frameEnd } of framesOf(opened)) {
      const offset = frameEnd - payload.length - headBytes;
      const gap = { file, offset: end, bytes: offset - end };
      this.#arrive({ position: head.position, totals: head.before }, { base, gap });
      end = frameEnd;
      if (head.position < this.at.position) continue;
      this.at = { position: head.position + 1, totals: after(head) };
      batches++;
      items[head.signal] += head.items;
      firstAtMs ??= head.atMs;
      lastAtMs = head.atMs;
      this.#noteOldest(head.position, head.atMs);
    }
    this.segments.push({
      file,
      bytes: size,
      from: base,
      upTo: 0,
      batches,
      items,
      firstAtMs,
      lastAtMs,
    });
    const isWhole = end === size || (await opened.scan.isMarked(end));
    this.#lastEnd = { file, offset: end, bytes: isWhole ? 0 : size - end };
  }

  finish(): void {
    const cursor = furthest(this.#cursors);
    if (cursor && cursor.position > this.at.position) {
      this.#arrive(cursor, { base: cursor.position, gap: this.#lastEnd });
    }
    // While it is written to, the end of the last file is only on its way.
    else if (!this.#isInUse) this.#leaveTail();
    this.segments.forEach((segment, index) => {
      const upTo = this.segments[index + 1]?.from ?? this.at.position;
      this.segments[index] = { ...segment, upTo };
    });
  }

  readers(damaged: ReadonlySet<string>): InspectedReader[] {
    const { position: head, totals } = this.at;
    const begin = this.#begin ?? this.at;
    return [...this.#cursors].map(([name, state]) => {
      // What is not held any more nobody will be given.
      const at = state && state.position >= begin.position ? state : begin;
      const behind = {
        batches: head - at.position,
        items: difference(totals.items, at.totals.items),
        bytes: Math.max(0, totals.bytes - at.totals.bytes),
        oldestAtMs: this.#oldest.get(name),
      };
      const isDamaged = damaged.has(name);
      return { name, position: state?.position, isDamaged, memo: state?.memo, behind };
    });
  }

  /** The chain goes on at `place`; `gap` is what lies between it and the last sound thing. */
  #arrive(place: Place, { base, gap }: { base: Position; gap: Stretch }): void {
    // Where the very first head is damaged, what frames are missing behind it can be told, but not their items.
    if (!this.#begin) this.at = this.#begin = { position: base, totals: place.totals };
    const batches = place.position - this.at.position;
    if (batches > 0) {
      const items = difference(place.totals.items, this.at.totals.items);
      this.damages.push({ ...gap, kind: "lost", batches, items });
      this.at = place;
    } else if (gap.bytes > 0) {
      this.#damage({ ...gap, kind: "tail" });
    }
  }

  #leaveTail(): void {
    if (this.#lastEnd.bytes > 0) this.#damage({ ...this.#lastEnd, kind: "tail" });
  }

  #damage(damage: Stretch & Pick<Damage, "kind">): void {
    this.damages.push({ ...damage, batches: 0, items: noItems() });
  }

  #noteOldest(position: Position, atMs: number): void {
    for (const [name, state] of this.#cursors) {
      if (!this.#oldest.has(name) && position >= (state?.position ?? 0))
        this.#oldest.set(name, atMs);
    }
  }
}

interface Stretch {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

function furthest(cursors: ReadonlyMap<string, CursorState | undefined>): CursorState | undefined {
  const known = [...cursors.values()].filter((state) => state !== undefined);
  return known.toSorted((a, b) => b.position - a.position)[0];
}
