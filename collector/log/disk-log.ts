// The log on disk.
//
//   <folder>/0000000000000000.segment   ┌──────┬───────┬───────┬───────┐
//                                       │ head │ 0     │ 1     │ 2     │   frames of positions 0 to 2
//   <folder>/0000000000000003.segment   ├──────┼───────┼───────┴───┬───┘
//                                       │ head │ 3     │ 4         │ …     the last one is written to
//                                       └──────┴───────┴───────────┴──
//   <folder>/jaeger.cursor              where the reader "jaeger" stands, with its memo
//   <folder>/lock                       one process per folder
//   <folder>/….segment.spare            was passed by all, and becomes the next segment
//   <folder>/reserve                    room for what a full disk needs to become less full
//
//   head, frame   ┌───────┬─────┬──────────────────────────────┬──────────────────────────────┬─────────
//   (segment.ts)  │ magic │ crc │ position, signal, items, sum │ totals of all that is before │ payload
//                 └───────┴─────┴──────────────────────────────┴──────────────────────────────┴─────────
//
// An append waits until its frame is on disk: everything that waits is written together, one fdatasync
// serves it all, and only then does any of it resolve (group commit). Readers see only what is synced.
//
// What must stay true:
// - A position is given to one acknowledged batch only. A group whose write or sync failed was not
//   acknowledged, and its positions are used again; what of it may stand on disk is not read, because a
//   segment ends where the next one's base says, and because after a failed fdatasync nothing more goes
//   into that file: the kernel may have dropped the pages and would call the next sync a success.
// - Every open begins a new segment, so a torn tail is never written over and never extended.
// - A segment's file becomes another one's only once it is out of the log for good, and only if all that
//   it ever held was acknowledged: its frames have positions below the new one's base, and are none there.
// - A frame that cannot be read is stepped over and counted as lost to each reader; the totals in the
//   next sound frame say exactly how many items it held. The process goes on.
// - What was made, renamed or deleted is synced in its folder before anything relies on it.
// - Segments are let go of when every reader that is open has committed past them, after the cursors that
//   say so are synced.
// - At the limit a reader that holds the oldest segment back is moved past it, if another has passed it
//   (limit.ts); its cursor says so, with what it missed, before the segment is deleted. Nobody is moved
//   while all are behind: then, and with `refuse`, nothing more is taken.
// - A full disk refuses appends and nothing else: what is delivered can still be let go of (reserve.ts).

import { type FileHandle, readdir, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setImmediate as immediate } from "node:timers/promises";
import { Memory } from "../memory/memory.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { type Batch, copiedBelowBytes, type PerSignal } from "../wire/batch.ts";
import { loadChecksum } from "./checksum.ts";
import { DiskReader, type Readable } from "./disk-reader.ts";
import { type FolderLock, lockFolder } from "./folder-lock.ts";
import { Inbox, type Pending, type Settle, stretchesOf } from "./inbox.ts";
import { laggards, type WhenFull } from "./limit.ts";
import { type Log, owned, type Position, type Reader, Refused } from "./log.ts";
import { recover, type Recovered } from "./recover.ts";
import { Reserve } from "./reserve.ts";
import { explain, makeFolder } from "./lasting.ts";
import {
  addMilestone,
  addTo,
  encodeFrameHead,
  headBytes,
  type Segment,
  type Totals,
} from "./segment.ts";
import { isSpare, Segments } from "./segments.ts";
import { Tail } from "./tail.ts";

export interface DiskLogOptions {
  readonly folder: string;
  /** Of all segments together. */
  readonly maxBytes: number;
  /** When an append would go above that. */
  readonly whenFull?: WhenFull;
  readonly segmentBytes?: number;
  /** How much of what was written last is kept in memory for the readers. */
  readonly tailBytes?: number;
  readonly memory?: Memory;
  readonly incidents: Incidents;
  readonly nowMs?: () => number;
}

const defaultSegmentBytes = 64 << 20;
const defaultTailBytes = 12 << 20;
const unreachedTailBytes = 2 << 20;

export class DiskLog implements Log, Readable {
  readonly id: string;
  readonly incidents: Incidents;
  readonly memory: Memory;
  readonly tail: Tail;
  readonly reserve: Reserve;
  readonly #options: Required<DiskLogOptions>;
  readonly #lock: FolderLock;
  readonly #segments: Segments;
  readonly #readers = new Map<string, DiskReader>();
  readonly #inbox: Inbox;
  #flushing: Promise<void> | undefined;
  #deleting: Promise<void> = Promise.resolve();
  #head: Position;
  #totals: Totals;
  #isClosed = false;

  private constructor(opened: Opened) {
    this.id = opened.id;
    this.incidents = opened.options.incidents;
    this.memory = opened.options.memory;
    this.tail = new Tail(opened.options.tailBytes, opened.head);
    this.#inbox = new Inbox(this.memory);
    this.reserve = opened.reserve;
    this.#options = opened.options;
    this.#lock = opened.lock;
    this.#segments = new Segments(opened.segments, { ...opened.options, logId: opened.id });
    this.#head = opened.head;
    this.#totals = opened.totals;
  }

  static async open(given: DiskLogOptions): Promise<DiskLog> {
    const segmentBytes =
      given.segmentBytes ?? Math.min(defaultSegmentBytes, Math.ceil(given.maxBytes / 8));
    const options = {
      nowMs: Date.now,
      whenFull: "skip" as const,
      tailBytes: defaultTailBytes,
      memory: new Memory(),
      ...given,
      segmentBytes,
    };
    const reserve = new Reserve(options.folder);
    try {
      await loadChecksum();
      await makeFolder(options.folder);
      return await reserve.use(() => DiskLog.#open(options, reserve));
    } catch (error) {
      throw explain(options.folder, error);
    }
  }

  static async #open(options: Required<DiskLogOptions>, reserve: Reserve): Promise<DiskLog> {
    const lock = await lockFolder(options.folder);
    let recovered: Recovered | undefined;
    try {
      const names = await readdir(options.folder);
      recovered = await recover(options.folder, names, options.incidents);
      for (const name of names.filter(isSpare)) await rm(join(options.folder, name));
      const id = recovered.id ?? randomBytes(8).toString("hex");
      const log = new DiskLog({ ...recovered, id, options, lock, reserve });
      await log.#startSegment();
      return log;
    } catch (error) {
      for (const { handle } of recovered?.segments ?? []) await handle.close().catch(() => {});
      await lock.release().catch(() => {});
      throw error;
    }
  }

  get appended(): PerSignal {
    return this.#totals.items;
  }

  get head(): Position {
    return this.#head;
  }

  get totals(): Totals {
    return this.#totals;
  }

  get segments(): readonly Segment[] {
    return this.#segments.all;
  }

  append(batch: Batch): Promise<Position> {
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      const refused = this.#refusal(batch);
      if (!refused) this.#take(batch, settle);
      else if (refused.reason === "full" && this.#options.whenFull === "skip") {
        const own = batch.bytes.length < copiedBelowBytes ? owned(batch) : batch;
        void this.#makeRoom(own).then(() => this.#takeOrRefuse(own, settle));
      } else this.#refuse(settle, refused);
    });
  }

  #take(batch: Batch, settle: Settle): void {
    this.#inbox.add(batch, settle);
    this.#flushing ??= this.#flush();
  }

  #takeOrRefuse(batch: Batch, settle: Settle): void {
    const refused = this.#refusal(batch);
    if (refused) this.#refuse(settle, refused);
    else this.#take(batch, settle);
  }

  #refuse({ reject }: Settle, refused: Refused): void {
    if (refused.reason === "full") this.incidents.logRefuses("full", this.#fullness());
    reject(refused);
  }

  #fullness(): string {
    const { maxBytes } = this.#options;
    return `${this.#usedBytes()} of ${maxBytes} bytes (log_max_bytes) wait for an output`;
  }

  mostWaitingFor(bytes: number): number {
    const { maxBytes } = this.#options;
    const size = sizeOf(bytes);
    const oldest = this.#segments.oldestWithout(this.#usedBytes() + size - maxBytes);
    if (oldest) return this.#totals.bytes - oldest.before.bytes;
    return Math.min(0, maxBytes - headBytes - size);
  }

  async reader(name: string): Promise<Reader> {
    if (this.#readers.has(name)) throw new Error(`the log has a reader "${name}" already`);
    const path = join(this.#options.folder, `${name}.cursor`);
    const reader = await DiskReader.open(this, name, path).catch((error: unknown) => {
      throw explain(path, error);
    });
    this.#readers.set(name, reader);
    return reader;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#flushing;
    // What cannot be synced any more costs a redelivery after a power cut, and is no reason to stay.
    const late = (error: Error): void => this.incidents.logNotClosed(error.message);
    await this.#deleting;
    for (const reader of this.#readers.values()) await reader.close().catch(late);
    await this.#segments.close(late);
    await this.#lock.release().catch(late);
  }

  /**
   * What no reader will ask for any more need not be kept; and not much where all are so far behind that
   * more would come before they have read up to here.
   */
  trimTail(): void {
    let read = this.#head;
    let isInReach = false;
    for (const { at } of this.#readers.values()) {
      read = Math.min(read, at);
      isInReach ||= this.tail.reaches(at);
    }
    this.tail.forget(read);
    if (!isInReach) this.tail.shrinkTo(unreachedTailBytes);
  }

  /** A reader has moved on: deletes what all have passed, one deletion at a time. */
  committed(): Promise<void> {
    return this.#whenDeleted(() => this.#deletePassed());
  }

  #whenDeleted(work: () => Promise<void>): Promise<void> {
    this.#deleting = this.#deleting
      .then(() => work())
      .catch((error: Error) => this.incidents.logNotTrimmed(error.message));
    return this.#deleting;
  }

  /** Of all segments, on disk or about to be. */
  #usedBytes(): number {
    return this.#segments.sizeBytes + this.#inbox.sizeBytes;
  }

  #refusal(batch: Batch): Refused | undefined {
    if (this.#isClosed) return new Refused("closed", "the collector is shutting down");
    const { maxBytes } = this.#options;
    const size = sizeOf(batch.bytes.length);
    if (size > maxBytes) {
      const limit = `log_max_bytes is ${maxBytes}`;
      return new Refused("too_large", `a request of ${batch.bytes.length} bytes, but ${limit}`);
    }
    if (this.#usedBytes() + size <= maxBytes) return undefined;
    return new Refused("full", `the log is full: ${this.#fullness()}`);
  }

  // ── writing ────────────────────────────────────────────────────────────────────────────────────

  async #flush(): Promise<void> {
    while (this.#inbox.length > 0) {
      await this.#gather();
      const group = this.#inbox.takeGroup();
      try {
        await this.#write(group);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        this.incidents.logRefuses("failed", message);
        const refused = new Refused("failed", `the log cannot be written: ${code ?? message}`, {
          cause: error,
        });
        for (const { reject, piece } of group) {
          piece?.release();
          reject(refused);
        }
      }
    }
    this.#flushing = undefined;
  }

  /** As long as every turn of the event loop brings more to write, it is worth to wait for one more. */
  async #gather(): Promise<void> {
    const mostTurns = 8;
    for (let turn = 0, before = -1; turn < mostTurns; turn++) {
      if (this.#inbox.length === before || this.#inbox.isGroup) return;
      before = this.#inbox.length;
      await immediate();
    }
  }

  async #write(group: readonly Pending[]): Promise<void> {
    if (this.#segments.isNextDue) {
      // On a full disk what was kept back is not for what comes in, but for letting go of what is there.
      await this.#startSegment((create) => create());
    }
    const segment = this.#segments.last;
    const atMs = this.#options.nowMs();
    let totals = this.#totals;
    group.forEach(({ batch, head }, index) => {
      const position = this.#head + index;
      encodeFrameHead(head, { magic: segment.magic, position, batch, before: totals, atMs });
      totals = addTo(totals, batch);
    });
    const written = await this.#segments.write(stretchesOf(group));
    addMilestone(segment);
    segment.end += written;
    segment.upTo = this.#head + group.length;
    segment.after = totals;
    const first = this.#head;
    this.#head = segment.upTo;
    this.#totals = totals;
    group.forEach(({ batch, piece, resolve }, index) => {
      this.tail.push({ position: first + index, batch, atMs }, piece);
      resolve(first + index);
    });
    for (const reader of this.#readers.values()) reader.wake();
    this.trimTail();
  }

  async #startSegment(
    within = (create: () => Promise<FileHandle>) => this.reserve.use(create),
  ): Promise<void> {
    await this.#segments.begin({ base: this.#head, before: this.#totals }, within);
    await this.reserve.keep();
  }

  // ── deleting ───────────────────────────────────────────────────────────────────────────────────

  async #deletePassed(): Promise<void> {
    if (this.#isClosed) return;
    const passed = this.#passed();
    // Delivered data in the segment being written would otherwise count against the limit, or keep the
    // disk full, for good.
    const isWasteful = this.#segments.isSealed || this.#usedBytes() > this.#options.maxBytes / 2;
    if (isWasteful && passed === this.#head && !this.#segments.isLastEmpty) {
      await this.#sealWhenIdle();
    }
    if (!this.#segments.isOldestBefore(passed)) return;
    for (const reader of this.#readers.values()) await reader.sync();
    await this.#segments.deleteBefore(passed);
    await this.reserve.keep();
  }

  /** Moves on those that stand in the oldest segments while others have passed them. */
  #makeRoom(batch: Batch): Promise<void> {
    return this.#whenDeleted(async () => {
      while (this.#refusal(batch)?.reason === "full") {
        if (this.segments.length === 1) await this.#sealWhenIdle();
        const next = this.segments[1];
        if (!next) return;
        const place = { position: next.base, totals: next.before };
        for (const reader of laggards(this.#readers.values(), next.base)) {
          await reader.skip(place, this.#head + 1);
        }
        await this.#deletePassed();
        if (this.segments[0] !== next) return;
      }
    });
  }

  /** The position that every reader has committed. */
  #passed(): Position {
    let passed = this.#head;
    for (const reader of this.#readers.values()) passed = Math.min(passed, reader.committedUpTo);
    return passed;
  }

  /** The next write begins a segment; only the flush starts one, so that two never do. */
  async #sealWhenIdle(): Promise<void> {
    this.#segments.seal();
    if (this.#flushing) return;
    this.#flushing = this.#startSegment().then(
      () => this.#flush(),
      () => this.#flush(),
    );
    await this.#flushing;
  }
}

/** What a payload of so many bytes may take: it may be the first of a segment. */
const sizeOf = (bytes: number): number => 2 * headBytes + bytes;

interface Opened {
  readonly id: string;
  readonly options: Required<DiskLogOptions>;
  readonly lock: FolderLock;
  readonly reserve: Reserve;
  readonly segments: Segment[];
  readonly head: Position;
  readonly totals: Totals;
}
