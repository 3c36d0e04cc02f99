// Records that an output could not deliver, with the reason: one line of JSON each, in a file per output.
// A letter is on disk before the output's cursor moves past the record.

import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Signal } from "../wire/batch.ts";
import type { Reason } from "./output.ts";

export interface DeadLetter {
  readonly at: string;
  readonly signal: Signal;
  readonly reason: Reason;
  readonly detail: string;
  readonly position: number;
  /** The leaf's place in the batch; absent where the whole batch was refused. */
  readonly index?: number;
  readonly items: number;
  /** The OTLP request that holds just these records, protobuf in base64. */
  readonly request: string;
}

const defaultMaxBytes = 256 << 20;
const longestDetail = 2_000;

export class DeadLetters {
  readonly #path: string;
  readonly #maxBytes: number;
  #handle: FileHandle | undefined;
  #size = 0;

  constructor(path: string, maxBytes = defaultMaxBytes) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** False when the file has reached its limit and the letters were not kept. */
  async write(letters: readonly DeadLetter[]): Promise<boolean> {
    const text = letters
      .map((letter) => ({ ...letter, detail: letter.detail.slice(0, longestDetail) }))
      .map((letter) => `${JSON.stringify(letter)}\n`)
      .join("");
    const handle = (this.#handle ??= await this.#open());
    const size = Buffer.byteLength(text);
    if (this.#size + size > this.#maxBytes) return false;
    await handle.appendFile(text);
    await handle.datasync();
    this.#size += size;
    return true;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const handle = await open(this.#path, "a", 0o600);
    this.#size = (await handle.stat()).size;
    return handle;
  }
}
