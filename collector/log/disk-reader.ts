// A reader of the disk log: steps through the segments from its cursor, hands out slices, commits.

import type { Incidents } from "../telemetry/incidents.ts";
import { noItems, type PerSignal, signals } from "../wire/batch.ts";
import { CursorFile } from "./cursor-file.ts";
import { type Frame, FrameScan, piecesForReading } from "./frame-scan.ts";
import type { Entry, Limits, Position, Reader, Slice, Waiting } from "./log.ts";
import type { Piece } from "./pieces.ts";
import type { Reserve } from "./reserve.ts";
import { after, type Segment, type Totals } from "./segment.ts";
import type { Kept, Tail } from "./tail.ts";
import { Waiters } from "./waiters.ts";

/** What the log shows its readers. */
export interface Readable {
  readonly segments: readonly Segment[];
  readonly incidents: Incidents;
  readonly head: Position;
  readonly totals: Totals;
  readonly tail: Tail;
  trimTail(): void;
  readonly reserve: Reserve;
  committed(): Promise<void>;
}

/** A place between two frames. */
interface Place {
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
  /** Not committed yet. */
  readonly #handedOut: HandedOut[] = [];
  readonly #pieces = piecesForReading();
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
  }

  static async open(log: Readable, name: string, path: string): Promise<DiskReader> {
    const { file, state } = await CursorFile.open(path);
    const oldest = log.segments[0];
    const begin = { position: oldest?.base ?? log.head, totals: oldest?.before ?? log.totals };
    // What the log has deleted since was passed by the others while this reader was not open.
    const place = state && state.position >= begin.position ? state : begin;
    return new DiskReader(log, name, { file, memo: state?.memo, place });
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

  async commit(upTo: Position, memo: string): Promise<void> {
    const index = this.#handedOut.findIndex(({ position }) => position === upTo);
    const place = this.#handedOut[index];
    if (!place) throw new Error(`commit of ${upTo}, which ends no slice that is handed out`);
    const state = { position: place.position, totals: place.totals, memo };
    await this.#log.reserve.use(() => this.#file.write(state));
    for (const { pieces } of this.#handedOut.splice(0, index + 1)) {
      for (const piece of pieces) piece.release();
    }
    this.#committed = place;
    this.#memo = memo;
    await this.#log.committed();
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

  /** When reading fails midway, the next try begins where this one did. */
  async #readOrStay(limits: Limits): Promise<Slice | undefined> {
    const from = this.#at;
    const slice = this.#fromTail(limits);
    if (slice) return slice;
    try {
      return await this.#read(limits);
    } catch (error) {
      this.#at = from;
      this.#leaveSegment();
      throw error;
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
      if (kept.piece) use(kept.piece, pieces);
      kept = this.#log.tail.at(position + 1);
    }
    const upTo = from.position + entries.length;
    this.#at = { position: upTo, totals: { items, bytes: from.totals.bytes + bytes } };
    this.#handedOut.push({ ...this.#at, oldestAtMs: first.entry.atMs, pieces });
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
    for (;;) {
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
    if (this.#at === from) return undefined;
    this.#handedOut.push({ ...this.#at, oldestAtMs: entries[0]?.atMs, pieces });
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

  /** Makes `#scan` stand in the segment that holds the present position. */
  #enterSegment(lost: PerSignal): void {
    const { segments } = this.#log;
    const { position } = this.#at;
    if (this.#segment && this.#segment.base <= position && position < this.#segment.upTo) return;
    const segment = segments.findLast(({ base }) => base <= position) ?? segments[0];
    if (!segment) return;
    if (segment.base > position) {
      this.#skip({ position: segment.base, totals: segment.before }, lost);
    }
    if (segment === this.#segment) return;
    this.#leaveSegment();
    this.#segment = segment;
    this.#scan = new FrameScan(segment, this.#pieces);
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
    const what = signals.map((signal) => `${gap[signal]} ${signal}`).join(", ");
    this.#log.incidents.logDamaged(file, `${count} batches from ${this.#at.position} on: ${what}`);
    this.#at = to;
  }
}

/** A slice that was handed out: where it ends, and the memory that it lies in. */
interface HandedOut extends Place {
  readonly oldestAtMs: number | undefined;
  readonly pieces: readonly Piece[];
}

interface Opened {
  readonly file: CursorFile;
  readonly memo: string | undefined;
  readonly place: Place;
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
