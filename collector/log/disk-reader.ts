// A reader of the disk log: steps through the segments from its cursor, hands out slices, commits.

import type { Memory, Piece } from "../memory/memory.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { noItems, type PerSignal, signals } from "../wire/batch.ts";
import { CursorFile, type CursorState } from "./cursor-file.ts";
import { type Frame, FrameScan } from "./frame-scan.ts";
import { minus, nothingSkipped, plus, type Skipped } from "./limit.ts";
import type { Entry, Limits, Position, Reader, Slice, Waiting } from "./log.ts";
import type { Reserve } from "./reserve.ts";
import { after, beginOf, type Segment, type Totals } from "./segment.ts";
import type { Kept, Tail } from "./tail.ts";
import { Waiters } from "./waiters.ts";

/** What the log shows its readers. */
export interface Readable {
  readonly segments: readonly Segment[];
  readonly incidents: Incidents;
  readonly memory: Memory;
  readonly head: Position;
  readonly totals: Totals;
  readonly tail: Tail;
  trimTail(): void;
  readonly reserve: Reserve;
  committed(): Promise<void>;
}

/** A place between two frames. */
export interface Place {
  readonly position: Position;
  readonly totals: Totals;
}

export class DiskReader implements Reader {
  readonly name: string;
  readonly #log: Readable;
  readonly #file: CursorFile;
  readonly #waiters = new Waiters();
  #memo: string | undefined;
  #committed: Place;
  /** Behind what was handed out last. */
  #at: Place;
  /** Slices that were handed out and not committed. */
  readonly #handedOut: HandedOut[] = [];
  #skipped: Skipped;
  /** Writes to the cursor file come one after the other. */
  #writing: Promise<void> = Promise.resolve();
  /** Set while segments are read. */
  #reading: Promise<unknown> | undefined;
  #scan: FrameScan | undefined;
  #segment: Segment | undefined;
  /** Read, but too large for the slice before it. */
  #ahead: Frame | undefined;
  #isClosed = false;

  private constructor(log: Readable, name: string, opened: Opened) {
    this.#log = log;
    this.name = name;
    this.#file = opened.file;
    this.#memo = opened.memo;
    this.#committed = opened.place;
    this.#at = opened.place;
    this.#skipped = opened.skipped;
  }

  static async open(log: Readable, name: string, path: string): Promise<DiskReader> {
    const { file, state } = await CursorFile.open(path);
    const oldest = log.segments[0];
    const begin = { position: oldest?.base ?? log.head, totals: oldest?.before ?? log.totals };
    // What the log has deleted since was passed by the others while this reader was not open.
    const place = state && state.position >= begin.position ? state : begin;
    const skipped = state?.skipped ?? nothingSkipped;
    return new DiskReader(log, name, { file, memo: state?.memo, place, skipped });
  }

  get memo(): string | undefined {
    return this.#memo;
  }

  get committedUpTo(): Position {
    return this.#committed.position;
  }

  /** Behind what was handed out last. */
  get at(): Position {
    return this.#at.position;
  }

  get waiting(): Waiting {
    const { position, totals } = this.#committed;
    return {
      items: difference(this.#log.totals.items, totals.items),
      batches: this.#log.head - position,
      bytes: this.#log.totals.bytes - totals.bytes,
      oldestAtMs: this.#handedOut[0]?.oldestAtMs,
    };
  }

  get skipped(): PerSignal {
    return this.#skipped.items;
  }

  get isCatchingUp(): boolean {
    return this.#committed.position < this.#skipped.until;
  }

  async next(limits: Limits): Promise<Slice | undefined> {
    while (!this.#isClosed && !limits.signal.aborted) {
      const slice = await this.#readOrStay(limits);
      if (slice) return slice;
      // What came while it was reading has sent its wake-up already.
      const isUpToDate = !this.#isClosed && this.#at.position >= this.#log.head;
      if (isUpToDate) await this.#waiters.wait(limits.signal);
    }
    return undefined;
  }

  commit(upTo: Position, memo: string): Promise<void> {
    const committing = this.#inTurn(() => this.#commit(upTo, memo));
    return committing.then(() => this.#log.committed());
  }

  /** Moves on to what follows `to`, for the sake of those that are ahead. */
  async skip(to: Place, until: Position): Promise<void> {
    await this.#inTurn(() => this.#skipTo(to, until));
    // What is being read must not be deleted meanwhile; what it gives still counts as handed out.
    while (this.#reading) await this.#reading.catch(() => {});
    if (this.#at.position < to.position) {
      this.#at = to;
      this.#leaveSegment();
    }
  }

  grown(signal: AbortSignal): Promise<void> {
    return this.#waiters.wait(signal);
  }

  /** There may be something to read. */
  wake(): void {
    this.#waiters.wake();
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiters.wake();
    await this.#file.close();
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => {});
    return written;
  }

  async #commit(upTo: Position, memo: string): Promise<void> {
    const index = this.#handedOut.findIndex(({ position }) => position === upTo);
    const slice = this.#handedOut[index];
    if (!slice) throw new Error(`commit of ${upTo}, which ends no slice that is handed out`);
    // Of what is committed only now, the cursor may have been moved past a part, or all.
    const before = this.#committed;
    const isPast = before.position > upTo;
    const { position, totals } = isPast ? before : slice;
    const passed = minus(totals.items, before.totals.items);
    const done = this.#handedOut.slice(0, index + 1).map(({ items }) => items);
    const items = done.reduce(minus, plus(this.#skipped.items, passed));
    await this.#write({ position, totals, memo, skipped: { ...this.#skipped, items } });
    for (const { pieces } of this.#handedOut.splice(0, index + 1)) {
      for (const piece of pieces) piece.release();
    }
  }

  async #skipTo(to: Place, until: Position): Promise<void> {
    const from = this.#committed;
    if (to.position <= from.position) return;
    const missed = minus(to.totals.items, from.totals.items);
    const skipped = { items: plus(this.#skipped.items, missed), until };
    await this.#write({ position: to.position, totals: to.totals, memo: this.#memo, skipped });
    this.#log.incidents.logSkipped(this.name, inWords(to.position - from.position, missed));
  }

  async #write(state: CursorState & { readonly skipped: Skipped }): Promise<void> {
    const { position, totals, memo, skipped } = state;
    const isUsual = skipped.until === 0;
    const stored = isUsual ? { position, totals, memo } : state;
    await this.#log.reserve.use(() => this.#file.write(stored));
    this.#committed = { position, totals };
    this.#memo = memo;
    this.#skipped = skipped;
  }

  /** When reading fails midway, the next try begins where this one did. */
  async #readOrStay(limits: Limits): Promise<Slice | undefined> {
    const from = this.#at;
    const slice = this.#fromTail(limits);
    if (slice) return slice;
    const reading = this.#read(limits);
    this.#reading = reading;
    try {
      return await reading;
    } catch (error) {
      this.#at = from;
      this.#leaveSegment();
      throw error;
    } finally {
      this.#reading = undefined;
    }
  }

  #fromTail({ maxItems, maxBytes }: Limits): Slice | undefined {
    const from = this.#at;
    const first = this.#log.tail.at(from.position);
    if (!first || this.#ahead) return undefined;
    const entries: Entry[] = [];
    const pieces: Piece[] = [];
    const items = { ...from.totals.items };
    let count = 0;
    let bytes = 0;
    for (let kept: Kept | undefined = first; kept;) {
      const { batch, position } = kept.entry;
      count += batch.items;
      const isFull = count > maxItems || bytes + batch.bytes.length > maxBytes;
      if (entries.length > 0 && isFull) break;
      bytes += batch.bytes.length;
      items[batch.signal] += batch.items;
      entries.push(kept.entry);
      use(kept.piece, pieces);
      kept = this.#log.tail.at(position + 1);
    }
    const upTo = from.position + entries.length;
    this.#at = { position: upTo, totals: { items, bytes: from.totals.bytes + bytes } };
    const passed = minus(items, from.totals.items);
    this.#handedOut.push({ ...this.#at, items: passed, oldestAtMs: first.entry.atMs, pieces });
    this.#log.trimTail();
    return { from: from.position, upTo, entries, lost: noItems() };
  }

  async #read({ maxItems, maxBytes }: Limits): Promise<Slice | undefined> {
    const from = this.#at;
    const entries: Entry[] = [];
    const pieces: Piece[] = [];
    const lost = noItems();
    let items = 0;
    let bytes = 0;
    // What is over the limit already is not read on from: the next one may be as large again.
    while (bytes <= maxBytes && items <= maxItems) {
      const frame = this.#readyFrame() ?? (await this.#frame(lost));
      if (!frame) break;
      const { head, payload, piece } = frame;
      items += head.items;
      bytes += payload.length;
      if (entries.length > 0 && (items > maxItems || bytes > maxBytes)) {
        this.#ahead = frame;
        break;
      }
      use(piece, pieces);
      const batch = { signal: head.signal, bytes: payload, items: head.items };
      entries.push({ position: head.position, batch, atMs: head.atMs });
      this.#at = { position: head.position + 1, totals: after(head) };
    }
    if (!this.#ahead) this.#scan?.pause();
    if (this.#at === from) return undefined;
    const passed = minus(this.#at.totals.items, from.totals.items);
    this.#handedOut.push({ ...this.#at, items: passed, oldestAtMs: entries[0]?.atMs, pieces });
    return { from: from.position, upTo: this.#at.position, entries, lost };
  }

  /** The next frame where nothing is missing before it and nothing has to be read for it. */
  #readyFrame(): Frame | undefined {
    const { position } = this.#at;
    if (this.#ahead || !this.#segment || position >= this.#log.head) return undefined;
    return position < this.#segment.upTo ? this.#scan?.ready(position) : undefined;
  }

  /** The next frame; steps over gaps, counting what they held. */
  async #frame(lost: PerSignal): Promise<Frame | undefined> {
    if (this.#ahead) {
      const frame = this.#ahead;
      this.#ahead = undefined;
      return frame;
    }
    while (this.#at.position < this.#log.head) {
      this.#enterSegment(lost);
      const frame = await this.#scan?.next();
      const end = this.#segment?.upTo ?? this.#log.head;
      if (frame && frame.head.position < this.#at.position) continue;
      if (frame && frame.head.position < end) {
        const { position, before } = frame.head;
        if (position > this.#at.position) this.#skip({ position, totals: before }, lost);
        return frame;
      }
      const segment = this.#segment;
      if (!segment || segment.upTo <= this.#at.position) return undefined;
      this.#skip({ position: segment.upTo, totals: segment.after }, lost);
    }
    return undefined;
  }

  /** Makes `#scan` stand in the segment that holds the present position, not far before that. */
  #enterSegment(lost: PerSignal): void {
    const segment = this.#segmentHere(lost);
    if (!segment) return;
    if (segment !== this.#segment) this.#leaveSegment();
    this.#segment = segment;
    const from = beginOf(segment, this.#at.position);
    if (this.#scan && this.#scan.at >= from) return;
    // Since it was here last it may have had much from memory.
    this.#scan?.close();
    this.#scan = new FrameScan(segment, this.#log.memory, from);
  }

  #segmentHere(lost: PerSignal): Segment | undefined {
    const { segments } = this.#log;
    const { position } = this.#at;
    const present = this.#segment;
    if (present && present.base <= position && position < present.upTo) return present;
    const segment = segments.findLast(({ base }) => base <= position) ?? segments[0];
    if (segment && segment.base > position) {
      this.#skip({ position: segment.base, totals: segment.before }, lost);
    }
    return segment;
  }

  #leaveSegment(): void {
    this.#ahead = undefined;
    this.#scan?.close();
    this.#scan = this.#segment = undefined;
  }

  #skip(to: Place, lost: PerSignal): void {
    const gap = difference(to.totals.items, this.#at.totals.items);
    for (const signal of signals) lost[signal] += gap[signal];
    const count = to.position - this.#at.position;
    const file = this.#segment?.file ?? "a missing segment";
    const from = this.#at.position;
    this.#log.incidents.logDamaged(file, `from position ${from} on ${inWords(count, gap)}`);
    this.#at = to;
  }
}

interface HandedOut extends Place {
  /** From the end of the slice before to the end of this one. */
  readonly items: PerSignal;
  readonly oldestAtMs: number | undefined;
  readonly pieces: readonly Piece[];
}

interface Opened {
  readonly file: CursorFile;
  readonly memo: string | undefined;
  readonly place: Place;
  readonly skipped: Skipped;
}

function inWords(batches: number, items: PerSignal): string {
  const what = signals.map((signal) => `${items[signal]} ${signal}`).join(", ");
  return `${batches} ${batches === 1 ? "batch" : "batches"}: ${what}`;
}

/** Once for all entries of a slice that lie in it. */
function use(piece: Piece, pieces: Piece[]): void {
  if (pieces.at(-1) === piece) return;
  pieces.push(piece);
  piece.retain();
}

/** Never below zero. */
export function difference(more: PerSignal, less: PerSignal): PerSignal {
  const items = noItems();
  for (const signal of signals) items[signal] = Math.max(0, more[signal] - less[signal]);
  return items;
}
