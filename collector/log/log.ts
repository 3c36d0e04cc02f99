// The log: what receivers append to and outputs read from, each at its own pace. An append that has
// resolved is an acknowledgement: the batch will be handed to every reader until that reader commits it.
//
// Positions count batches: 0, 1, 2, … for the life of a log, never used twice. A cursor at position p
// says that everything below p has been dealt with. With its cursor a reader keeps a memo, a short text
// (an output's books) that is stored in the same write, so that the two never disagree.

import type { Batch, PerSignal } from "../wire/batch.ts";

export type Position = number;

export interface Entry {
  readonly position: Position;
  readonly batch: Batch;
  /** When it was appended. */
  readonly atMs: number;
  /** Of a dead letter that is sent again: where its first leaf was when the log handed it out. */
  readonly origin?: Origin;
}

/** What the ids of documents are made of. */
export interface Origin {
  readonly logId: string;
  readonly position: Position;
  readonly index: number;
}

/**
 * Its bytes stay as they are until it is committed, then their memory may be used again.
 * Consecutive entries; those between `from` and `upTo` that are missing were damaged and are in `lost`.
 */
export interface Slice {
  readonly from: Position;
  /** The first position that is not in the slice; what to commit once it is dealt with. */
  readonly upTo: Position;
  readonly entries: readonly Entry[];
  readonly lost: PerSignal;
}

export interface Limits {
  readonly maxItems: number;
  /** Of payload; a single batch above it is still handed out, alone. */
  readonly maxBytes: number;
  /** Ends the wait for data. */
  readonly signal: AbortSignal;
}

/** What a reader has not committed yet. */
export interface Waiting {
  readonly items: PerSignal;
  readonly batches: number;
  readonly bytes: number;
  /** When the oldest of them was appended; undefined when none waits, or none has been read yet. */
  readonly oldestAtMs: number | undefined;
}

export interface Reader {
  readonly name: string;
  /** What the last commit stored; undefined for a reader that never committed. */
  readonly memo: string | undefined;
  /** Everything below it has been dealt with. */
  readonly committedUpTo: Position;
  readonly waiting: Waiting;
  /** Items that it was moved past because the log was full; no memo has them. */
  readonly skipped: PerSignal;
  /** Whether it was moved on, and has not yet come to where the log stood then. */
  readonly isCatchingUp: boolean;
  /** The next slice after the one handed out before; waits for data. Undefined once aborted or closed. */
  next(limits: Limits): Promise<Slice | undefined>;
  commit(upTo: Position, memo: string): Promise<void>;
  /** Until something has been appended since, or the signal is aborted. */
  grown(signal: AbortSignal): Promise<void>;
}

/** A copy of a batch in memory that nobody else writes to. */
export function owned(batch: Batch): Batch {
  return { ...batch, bytes: Buffer.from(batch.bytes) };
}

export interface Log {
  /** Goes into document ids, so it is made once per log and kept with it. */
  readonly id: string;
  /** Items appended since the log began. */
  readonly appended: PerSignal;
  /**
   * The memory of a batch below `copiedBelowBytes` may be used again once this has returned, that of a
   * larger one once what it returns has settled.
   */
  append(batch: Batch): Promise<Position>;
  /**
   * How many bytes may still wait for a reader, at the most, when there is room for so many more; below
   * zero by as much as the whole log is too small.
   */
  mostWaitingFor(bytes: number): number;
  /** A name not seen before begins with the oldest batch that is still held. */
  reader(name: string): Promise<Reader>;
  close(): Promise<void>;
}

/** An append that the log refused; nothing of the batch will be read. The message is for the sender. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly reason: "full" | "failed" | "closed" | "too_large";

  constructor(reason: Refused["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
