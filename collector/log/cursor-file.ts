// Where a reader stands, kept as lines that are only ever appended: the last sound line counts, so a
// torn one costs nothing but a redelivery. The file is written anew when it has grown long.
//
//   <crc32 of the rest, 8 hex digits> {"position":…,"totals":…,"memo":"…","skipped":…}
//
// A commit is written at once, which survives kill -9, but synced only before the segments that it
// frees are deleted: what a power cut takes from a cursor is delivered again, never lost.

import { writeSync } from "node:fs";
import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { syncFolder } from "./lasting.ts";
import type { Skipped } from "./limit.ts";
import type { Totals } from "./segment.ts";

export interface CursorState {
  readonly position: number;
  readonly totals: Totals;
  readonly memo: string | undefined;
  /** Absent unless the log was full once. */
  readonly skipped?: Skipped;
}

const rewriteAboveBytes = 1 << 20;

export class CursorFile {
  readonly #path: string;
  #handle: FileHandle;
  #length: number;
  #isSynced = false;
  /** Whether its name, too, would outlast a power cut. */
  #isInFolder = false;

  private constructor(path: string, handle: FileHandle, length: number) {
    this.#path = path;
    this.#handle = handle;
    this.#length = length;
  }

  static async open(path: string): Promise<{ file: CursorFile; state: CursorState | undefined }> {
    const text = await textOf(path);
    const handle = await open(path, "a", 0o600);
    const length = Buffer.byteLength(text);
    const file = new CursorFile(path, handle, length);
    if (text !== "" && !text.endsWith("\n"))
      file.#length += (await handle.write("\n")).bytesWritten;
    return { file, state: lastSound(text) };
  }

  /** Where it stands, without a mind to move it. */
  static async read(path: string): Promise<CursorState | undefined> {
    return lastSound(await textOf(path));
  }

  async write(state: CursorState): Promise<void> {
    const line = encode(state);
    this.#isSynced = false;
    if (this.#length > rewriteAboveBytes) {
      await this.#rewrite(line);
      return;
    }
    // At once, as the log itself is written: to wake a thread for it takes a hundred times as long.
    const bytesWritten = writeSync(this.#handle.fd, line);
    this.#length += bytesWritten;
    if (bytesWritten === Buffer.byteLength(line)) return;
    this.#length = Infinity; // the torn line must not become part of the next: that one begins anew
    const message = `${this.#path}: only ${bytesWritten} bytes of a line could be written`;
    throw Object.assign(new Error(message), { code: "ENOSPC" });
  }

  async sync(): Promise<void> {
    if (this.#isSynced) return;
    await this.#handle.datasync();
    if (!this.#isInFolder) await syncFolder(dirname(this.#path));
    this.#isInFolder = true;
    this.#isSynced = true;
  }

  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      await this.#handle.close();
    }
  }

  async #rewrite(line: string): Promise<void> {
    const temporary = `${this.#path}.new`;
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.writeFile(line);
      await handle.datasync();
      await rename(temporary, this.#path);
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    const old = this.#handle;
    this.#handle = handle;
    this.#length = Buffer.byteLength(line);
    this.#isInFolder = false;
    await old.close();
  }
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

export function encode(state: CursorState): string {
  const json = JSON.stringify(state);
  return `${checksum(json)} ${json}\n`;
}

export function lastSound(text: string): CursorState | undefined {
  const lines = text.split("\n");
  for (let index = lines.length - 1; index >= 0; index--) {
    const line = lines[index]!;
    const json = line.slice(9);
    if (line.length < 10 || line.slice(0, 8) !== checksum(json)) continue;
    return JSON.parse(json) as CursorState; // sound by its checksum, so it is what encode() wrote
  }
  return undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
