// Writes all of several pieces, whatever part of them the system takes at a time.

import { writevSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/**
 * Up to this size it is done without a thread: it only goes into the page cache, which takes less time
 * than to wake another thread. A sync, which waits for the disk, is never done so.
 */
const atOnceBytes = 512 << 10;

export async function writeAll(
  handle: FileHandle,
  parts: Uint8Array[],
  from: number,
): Promise<void> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  let rest = parts;
  for (let at = from; at < from + size;) {
    const count =
      size <= atOnceBytes
        ? writevSync(handle.fd, rest, at)
        : (await handle.writev(rest, at)).bytesWritten;
    if (count === 0) throw Object.assign(new Error("nothing was written"), { code: "ENOSPC" });
    at += count;
    rest = behind(rest, count);
  }
}

function behind(parts: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let index = 0;
  while (index < parts.length && left >= parts[index]!.length) left -= parts[index++]!.length;
  const rest = parts.slice(index);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}
