// A little room kept back for a full disk. A log that has filled its disk needs some to let go of what is
// delivered: to write the cursor down and to begin the segment that takes the old one's place. Without it
// the log would stay full for good.

import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** For a few cursor files written anew, which have a line each, and the head of a segment. */
const reserveBytes = 64 << 10;
/** When that much cannot be had, some of it is better than none: a block or two are what is needed. */
const triedBytes = [reserveBytes, 32 << 10, 16 << 10, 8 << 10];

export class Reserve {
  readonly #path: string;
  #isKept = false;

  constructor(folder: string) {
    this.#path = join(folder, "reserve");
  }

  /** As far as there is room for it. */
  async keep(): Promise<void> {
    if (this.#isKept) return;
    const { size: keptBytes } = await stat(this.#path).catch(() => ({ size: 0 }));
    this.#isKept = keptBytes === reserveBytes;
    for (const bytes of triedBytes) {
      if (this.#isKept) return;
      try {
        await writeFile(this.#path, Buffer.alloc(bytes, "reserve "));
        this.#isKept = bytes === reserveBytes;
        return;
      } catch {
        await rm(this.#path, { force: true }).catch(() => {});
      }
    }
  }

  /** Does what needs room on the disk; when there is none, once more with what was kept back. */
  async use<Value>(operation: () => Promise<Value>): Promise<Value> {
    try {
      return await operation();
    } catch (error) {
      if (!isNoSpace(error) || !(await this.#spend())) throw error;
      return await operation();
    }
  }

  async #spend(): Promise<boolean> {
    this.#isKept = false;
    return await rm(this.#path).then(
      () => true,
      () => false,
    );
  }
}

function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}
