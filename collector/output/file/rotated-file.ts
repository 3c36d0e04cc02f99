// A file that is set aside when it has grown large: out.jsonl becomes out.jsonl.1, what was .1 becomes
// .2, and so on. It is opened when it is first needed, and again when somebody else has moved it away.

import { rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { syncFolder } from "../../log/lasting.ts";
import { AppendFile } from "../append-file.ts";
import { wholeUpTo } from "./records.ts";
import type { Settings } from "./settings.ts";

export class RotatedFile {
  readonly #settings: Settings;
  readonly #path: string;
  #file: AppendFile | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#path = resolve(settings.path);
  }

  /** All of it or nothing, synced. */
  async append(records: Uint8Array): Promise<void> {
    const { max_bytes: maxBytes = Infinity } = this.#settings;
    let file = await this.#open();
    if (file.sizeBytes > 0 && file.sizeBytes + records.length > maxBytes) {
      await this.close();
      await this.#setAside();
      file = await this.#open();
    }
    await file.append([records]);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #open(): Promise<AppendFile> {
    if (this.#file && !(await this.#file.isAt(this.#path))) await this.close();
    const { format } = this.#settings;
    this.#file ??= await AppendFile.open(this.#path, {
      wholeUpTo: (handle, size) => wholeUpTo(format, handle, size),
    });
    return this.#file;
  }

  /** From the oldest on, so that one that is cut short leaves a gap and overwrites nothing. */
  async #setAside(): Promise<void> {
    const { max_files: maxFiles } = this.#settings;
    await rm(`${this.#path}.${maxFiles}`, { force: true });
    for (let age = maxFiles - 1; age >= 1; age--) {
      await moveIfThere(`${this.#path}.${age}`, `${this.#path}.${age + 1}`);
    }
    await moveIfThere(this.#path, `${this.#path}.1`);
    await syncFolder(dirname(this.#path));
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
