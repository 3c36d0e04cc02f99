// A file that grows by whole records: what an append has resolved for is on disk, and of one that failed
// nothing is left. A record that a crash tore is cut off when the file is opened.

import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../log/lasting.ts";

export interface AppendFileOptions {
  /** How far the file holds whole records; what it throws leaves the file as it is. */
  readonly wholeUpTo: (handle: FileHandle, sizeBytes: number) => Promise<number>;
  readonly mode?: number;
}

export class AppendFile {
  readonly #handle: FileHandle;
  #size: number;
  /** Behind `#size` there may be what is left of an append that failed. */
  #isTorn: boolean;

  private constructor(handle: FileHandle, size: number, isTorn: boolean) {
    this.#handle = handle;
    this.#size = size;
    this.#isTorn = isTorn;
  }

  static async open(path: string, options: AppendFileOptions): Promise<AppendFile> {
    const handle = await open(path, "a+", options.mode ?? 0o600);
    try {
      const { size } = await handle.stat();
      if (size === 0) await syncFolder(dirname(path));
      const whole = await options.wholeUpTo(handle, size);
      return new AppendFile(handle, whole, whole < size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#size;
  }

  /** All of it or nothing; it may be tried again. Not before the last one has ended. */
  async append(pieces: Iterable<Uint8Array>): Promise<void> {
    if (this.#isTorn) await this.#cutBack();
    this.#isTorn = true;
    let size = 0;
    try {
      for (const piece of pieces) {
        await this.#handle.appendFile(piece);
        size += piece.length;
      }
      await this.#handle.datasync();
    } catch (error) {
      // After a failed sync the kernel may take for written what is not. That is no trap here: the next
      // try writes all that was not synced anew, and waits for the sync of that.
      await this.#cutBack().catch(() => {});
      throw error;
    }
    this.#size += size;
    this.#isTorn = false;
  }

  /** The records behind it are gone from the disk, too. Not before the last append has ended. */
  async cutAt(sizeBytes: number): Promise<void> {
    this.#size = sizeBytes;
    this.#isTorn = true;
    await this.#cutBack();
    await this.#handle.datasync();
  }

  /** False when the name leads elsewhere by now, or nowhere. */
  async isAt(path: string): Promise<boolean> {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    const own = await this.#handle.stat();
    return found !== undefined && found.ino === own.ino && found.dev === own.dev;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #cutBack(): Promise<void> {
    await this.#handle.truncate(this.#size);
    this.#isTorn = false;
  }
}

const pieceBytes = 64 << 10;

/** For files of lines: behind the last line feed, looked for from the end. */
export async function endOfLastLine(handle: FileHandle, sizeBytes: number): Promise<number> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let end = sizeBytes; end > 0;) {
    const start = Math.max(0, end - pieceBytes);
    const { bytesRead } = await handle.read(piece, 0, end - start, start);
    const found = piece.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}
