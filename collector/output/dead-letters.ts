// Records that an output could not deliver, with the reason: one line of JSON each, in a file per output.
// A letter is on disk before the output's cursor moves past the record.
//
// Only the collector writes the file, through this; anybody may read it at any time.

import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Signal } from "../wire/batch.ts";
import { type Revision, revise } from "./dead-letter-revision.ts";
import type { Reason } from "./output.ts";

export interface DeadLetter {
  readonly at: string;
  /** The id of the log that the position is in. */
  readonly log?: string;
  readonly signal: Signal;
  readonly reason: Reason;
  readonly detail: string;
  readonly position: number;
  /** The leaf's place in the batch; absent where the whole batch was refused. */
  readonly index?: number;
  readonly items: number;
  /**
   * Only where the destination did not say which: so many are in the request, and all but `items` of
   * them were taken. Sending it again would deliver those twice.
   */
  readonly among?: number;
  /** How often it was refused, if more than once. */
  readonly attempts?: number;
  /** The OTLP request that holds just these records, protobuf in base64. */
  readonly request: string;
}

const defaultMaxBytes = 256 << 20;
const longestDetail = 2_000;

export class DeadLetters {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #logId: string | undefined;
  #handle: FileHandle | undefined;
  #size = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #revising: Promise<unknown> = Promise.resolve();

  /** `logId` goes into each letter, since positions are of one log. */
  constructor(path: string, maxBytes = defaultMaxBytes, logId?: string) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#logId = logId;
  }

  /** False when the file has reached its limit and the letters were not kept. */
  write(letters: readonly DeadLetter[]): Promise<boolean> {
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
          const handle = this.#handle;
          this.#handle = undefined;
          await handle?.close();
        },
      }),
    );
    this.#revising = done.catch(() => {});
    return done;
  }

  async close(): Promise<void> {
    await this.#revising;
    await this.#alone(async () => await this.#handle?.close());
  }

  /** Writing, and replacing what is written to, take turns. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {});
    return done;
  }

  async #write(letters: readonly DeadLetter[]): Promise<boolean> {
    const log = this.#logId;
    const text = letters
      .map((letter) => encodeLetter(log === undefined ? letter : { log, ...letter }))
      .join("");
    const handle = (this.#handle ??= await this.#open());
    const size = Buffer.byteLength(text);
    if (this.#size + size > this.#maxBytes) return false;
    await handle.appendFile(text);
    await handle.datasync();
    this.#size += size;
    return true;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const handle = await open(this.#path, "a", 0o600);
    this.#size = (await handle.stat()).size;
    return handle;
  }
}

export function encodeLetter(letter: DeadLetter): string {
  return `${JSON.stringify({ ...letter, detail: letter.detail.slice(0, longestDetail) })}\n`;
}
