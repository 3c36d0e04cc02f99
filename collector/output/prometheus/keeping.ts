// Keeps what is held on disk, so that after a restart or kill -9 every sum goes on from where it was: a
// picture of all series, and behind it each batch that was folded in since. What was folded but never
// committed comes again from the log, so of the batches only those are folded again at the start that the
// books count, item for item.
//
//   1 head, as JSON    2 a piece of the picture    3 end of the picture    4 batch    5 time

import type { Entry } from "../../log/log.ts";
import type { Incidents } from "../../telemetry/incidents.ts";
import type { StateFile } from "../state-file.ts";

const kinds = { head: 1, piece: 2, end: 3, batch: 4, time: 5 } as const;

/** Of the picture. What another one has written is set aside, and all sums begin anew. */
const version = 2;

/**
 * Batches behind the picture, as a multiple of its size and at least: then a new picture is made. With half
 * of the latter, folding and keeping points of 10,000 histograms costs a quarter more.
 */
const growth = 3;
const leastBytes = 64 << 20;
/** A disk that refused is not asked again at once. */
const patienceMs = 5_000;

export interface KeepingOptions {
  readonly name: string;
  readonly file: StateFile;
  readonly logId: string;
  /** What names are made by: series made by others are not those that come now. */
  readonly naming: string;
  /** Items whose outcome is in the books. */
  readonly settled: () => number;
  readonly incidents: Incidents;
  readonly picture: () => Iterable<Uint8Array>;
}

/** Where what was kept goes. */
export interface Restored {
  piece(bytes: Uint8Array): void;
  batch(bytes: Uint8Array, nowMs: number): Promise<void>;
  time(nowMs: number): void;
}

/** Of a record. */
type Parts = readonly Uint8Array[];

interface Head {
  readonly version: typeof version;
  readonly logId: string;
  readonly naming: string;
  readonly taken: number;
  readonly nowMs: number;
}

export class Keeping {
  readonly #options: KeepingOptions;
  /** Items folded in; those of dead letters that are sent again are not counted, nor do the books. */
  #taken: number;
  #pictureBytes = 0;
  /** The file lacks something, and a new picture is needed. */
  #isBehind = true;
  #notBeforeMs = 0;
  #lastMs = 0;

  constructor(options: KeepingOptions) {
    this.#options = options;
    this.#taken = options.settled();
  }

  /** False when what there is is of no use: then whatever was handed over has to be forgotten again. */
  async restore(into: Restored): Promise<boolean> {
    const { name, file, incidents } = this.#options;
    const reading = new Reading(this.#options, into);
    try {
      await file.load((record) => reading.take(record));
    } catch (error) {
      reading.problem ??= `cannot be read: ${String(error)}`;
    }
    if (!reading.head && !reading.problem && file.sizeBytes === 0 && !file.isOpen) return true;
    const problem = reading.problem ?? reading.problemAtEnd();
    if (problem !== undefined) {
      incidents.stateNotRestored(name, `${file.path}: ${problem}`);
      await file.setAside();
      return false;
    }
    this.#isBehind = !reading.isOfThisLog;
    this.#pictureBytes = reading.pictureBytes;
    this.#lastMs = reading.lastMs;
    return true;
  }

  /** Before they are folded in: what is not written down now could be counted twice or be lost. */
  async note(entries: readonly Entry[], nowMs: number): Promise<void> {
    const { file, settled } = this.#options;
    const limit = Math.max(leastBytes, growth * this.#pictureBytes);
    const isDue = this.#isBehind || file.sizeBytes - this.#pictureBytes > limit;
    if (isDue && nowMs >= this.#notBeforeMs && this.#taken === settled()) await this.save(nowMs);
    for (const { batch, origin } of entries) if (!origin) this.#taken += batch.items;
    if (this.#isBehind) return;
    // Without an end to deliveries that are never settled it would grow without one.
    if (file.sizeBytes > 4 * (limit + this.#pictureBytes)) this.#isBehind = true;
    else
      await this.#append(
        entries.map((entry) => batchRecord(entry, nowMs)),
        nowMs,
      );
  }

  /** So that what has ended meanwhile is known to have, however long nothing comes. */
  async tick(nowMs: number): Promise<void> {
    if (this.#isBehind || nowMs - this.#lastMs < 20_000) return;
    await this.#append([timeRecord(nowMs)], nowMs);
  }

  /** A new picture, where all that was folded in is settled. */
  async save(nowMs: number): Promise<void> {
    const { file, logId, naming, picture, settled } = this.#options;
    const taken = this.#taken;
    if (taken !== settled()) return;
    const head: Head = { version, logId, naming, taken, nowMs };
    try {
      await file.replace(pictureRecords(head, picture()));
      this.#pictureBytes = file.sizeBytes;
      this.#isBehind = false;
      this.#lastMs = nowMs;
    } catch (error) {
      this.#failed(error, nowMs);
    }
  }

  async close(nowMs: number): Promise<void> {
    if (this.#taken > 0) await this.save(nowMs);
    await this.#options.file.close();
  }

  async #append(records: readonly Parts[], nowMs: number): Promise<void> {
    try {
      await this.#options.file.append(records);
      this.#lastMs = nowMs;
    } catch (error) {
      this.#failed(error, nowMs);
    }
  }

  /** What is delivered goes on: only a crash before the next picture would be noticed. */
  #failed(error: unknown, nowMs: number): void {
    this.#isBehind = true;
    this.#notBeforeMs = nowMs + patienceMs;
    this.#options.incidents.outputFailed(this.#options.name, error);
  }
}

/** Of a file from its beginning. */
class Reading {
  head: Head | undefined;
  problem: string | undefined;
  pictureBytes = 0;
  lastMs = 0;
  isOfThisLog = false;
  readonly #options: KeepingOptions;
  readonly #into: Restored;
  #isWhole = false;
  #taken = 0;
  #readBytes = 0;

  constructor(options: KeepingOptions, into: Restored) {
    this.#options = options;
    this.#into = into;
  }

  /** False where the rest is not wanted. */
  async take(record: Buffer): Promise<boolean> {
    const kind = record[0];
    const rest = record.subarray(1);
    if (!this.head) {
      this.head = kind === kinds.head ? this.#headFrom(rest) : undefined;
      if (!this.head) this.problem ??= "does not begin as it should";
    } else if (kind === kinds.piece) this.#into.piece(rest);
    else if (kind === kinds.end) {
      this.#isWhole = true;
      this.pictureBytes = this.#readBytes;
    } else if (kind === kinds.time) this.#passTo(rest.readDoubleLE(0));
    else if (kind === kinds.batch && !(await this.#batch(rest))) return false;
    this.#readBytes += record.length;
    return this.problem === undefined;
  }

  #headFrom(rest: Buffer): Head | undefined {
    const head = JSON.parse(rest.toString()) as Head; // whole by its checksum, so that it is what save() wrote
    const { logId, naming } = this.#options;
    if (head.version !== version)
      this.problem = `is of version ${String(head.version)}, which is not known`;
    if (head.naming !== naming)
      this.problem = "was written with other settings for names and labels";
    this.isOfThisLog = head.logId === logId;
    this.#taken = head.taken;
    this.#passTo(head.nowMs);
    return head;
  }

  async #batch(rest: Buffer): Promise<boolean> {
    const nowMs = rest.readDoubleLE(0);
    const items = rest.readUInt32LE(8);
    // Another log's batches have all been handed out that there were.
    if (this.isOfThisLog && this.#taken + items > this.#options.settled()) return false;
    this.#taken += items;
    this.lastMs = nowMs;
    await this.#into.batch(rest.subarray(12), nowMs);
    return true;
  }

  #passTo(nowMs: number): void {
    this.lastMs = nowMs;
    this.#into.time(nowMs);
  }

  /** What is in the file must be what the books count, no more and no less. */
  problemAtEnd(): string | undefined {
    if (!this.head) return "is empty";
    if (!this.#isWhole) return "is damaged";
    const settled = this.#options.settled();
    if (!this.isOfThisLog || this.#taken === settled) return undefined;
    return `has ${this.#taken} points where ${settled} were taken: it is damaged or of another time`;
  }
}

function* pictureRecords(head: Head, picture: Iterable<Uint8Array>): Generator<Parts> {
  yield [Uint8Array.of(kinds.head), Buffer.from(JSON.stringify(head))];
  for (const piece of picture) yield [Uint8Array.of(kinds.piece), piece];
  yield [Uint8Array.of(kinds.end)];
}

function batchRecord({ batch, origin }: Entry, nowMs: number): Parts {
  const head = Buffer.alloc(13);
  head[0] = kinds.batch;
  head.writeDoubleLE(nowMs, 1);
  head.writeUInt32LE(origin ? 0 : batch.items, 9);
  return [head, batch.bytes];
}

function timeRecord(nowMs: number): Parts {
  const record = Buffer.alloc(9);
  record[0] = kinds.time;
  record.writeDoubleLE(nowMs, 1);
  return [record];
}
