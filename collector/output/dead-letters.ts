// Records that an output could not deliver, with the reason: one line of JSON each, in a file per output.
// A letter is on disk before the output's cursor moves past the record; after a crash between the two
// it stands there twice, with the same position.
//
// Only the collector writes the file, through this; anybody may read it at any time.

import { dirname } from "node:path";
import { makeFolder } from "../log/lasting.ts";
import { AppendFile, endOfLastLine } from "./append-file.ts";
import { type DeadLetter, encodeLetter } from "./dead-letter.ts";
import { type Revision, revise } from "./dead-letter-revision.ts";

const defaultMaxBytes = 256 << 20;

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
