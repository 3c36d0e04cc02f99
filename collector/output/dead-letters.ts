// Records that an output could not deliver, with the reason: one line of JSON each, in a file per output.
// A letter is on disk before the output's cursor moves past the record. After a crash between the two the
// record is delivered again and another letter may be written, so the first one is taken back at start.
//
// Only the collector writes the file, through this; anybody may read it at any time.

import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "../log/lasting.ts";
import type { Position } from "../log/log.ts";
import { AppendFile, endOfLastLine } from "./append-file.ts";
import { type DeadLetter, encodeLetter } from "./dead-letter.ts";
import { readLines } from "./dead-letter-file.ts";
import { openIfThere, type Revision, revise } from "./dead-letter-revision.ts";

const defaultMaxBytes = 256 << 20;
/** Nearly always the last letter is enough. */
const firstLookBytes = 64 << 10;

export class DeadLetters {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #logId: string | undefined;
  #file: AppendFile | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #revising: Promise<unknown> = Promise.resolve();

  /** `logId` goes into each letter, since positions are of one log. */
  constructor(path: string, maxBytes = defaultMaxBytes, logId?: string) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#logId = logId;
  }

  /** How many were kept: those that come when the file has reached its limit are not. */
  write(letters: readonly DeadLetter[]): Promise<number> {
    return this.#alone(() => this.#write(letters));
  }

  /**
   * Those about what stands at this position of the log or behind it, as far as they are the last ones of
   * the file: a cursor that is there will come to them again. What it then becomes may be something else.
   */
  takeBack(position: Position): Promise<void> {
    return this.#alone(async () => {
      const handle = await openIfThere(this.#path);
      if (!handle) return;
      try {
        const file = (this.#file ??= await this.#open());
        const end = await this.#endBefore(position, handle, file.sizeBytes);
        if (end < file.sizeBytes) await file.cutAt(end);
      } finally {
        await handle.close();
      }
    });
  }

  /** Where the last letter ends that is of another log or about what stands before the position. */
  async #endBefore(position: Position, handle: FileHandle, size: number): Promise<number> {
    for (let window = firstLookBytes; ; window *= 4) {
      const start = Math.max(0, size - window);
      let end = start === 0 ? 0 : undefined;
      for await (const { letter, offset, bytes } of readLines(handle, start, size)) {
        if (offset === start && start > 0) continue; // begins before it, perhaps
        const isOwn = letter !== undefined && letter.log === this.#logId;
        if (!isOwn || letter.position < position) end = offset + bytes.length;
      }
      if (end !== undefined) return end;
    }
  }

  /** Letters are taken out or changed; one revision at a time. When it fails, the file is as it was. */
  revise(revision: Revision): Promise<void> {
    const alone = <Result>(work: () => Promise<Result>): Promise<Result> => this.#alone(work);
    const done = this.#revising.then(() =>
      revise(this.#path, revision, {
        alone,
        // What is written next goes to the new file.
        replaced: async () => {
          const file = this.#file;
          this.#file = undefined;
          await file?.close();
        },
      }),
    );
    this.#revising = done.catch(() => {});
    return done;
  }

  async close(): Promise<void> {
    await this.#revising;
    await this.#alone(async () => await this.#file?.close());
  }

  /** Writing, and replacing what is written to, take turns. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {});
    return done;
  }

  async #write(letters: readonly DeadLetter[]): Promise<number> {
    const log = this.#logId;
    const file = (this.#file ??= await this.#open());
    let room = this.#maxBytes - file.sizeBytes;
    const lines: Buffer[] = [];
    for (const letter of letters) {
      const line = Buffer.from(encodeLetter(log === undefined ? letter : { log, ...letter }));
      room -= line.length;
      if (room < 0) break;
      lines.push(line);
    }
    if (lines.length > 0) await file.append(lines.length === 1 ? lines : [Buffer.concat(lines)]);
    return lines.length;
  }

  async #open(): Promise<AppendFile> {
    await makeFolder(dirname(this.#path));
    return await AppendFile.open(this.#path, { wholeUpTo: endOfLastLine });
  }
}
