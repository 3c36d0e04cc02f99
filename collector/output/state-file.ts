// What an output remembers beside its cursor, where that is too much to be stored with each commit: a
// picture of all of it, and behind it the records of what came since. A new picture takes the place of the
// file at once, so a crash finds one or the other, and a torn record at the end is cut off.
//
//   ┌──────────┬───────────┬─────────┐
//   │ size u32 │ crc32 u32 │ payload │   repeated; the checksum is of the size and the payload
//   └──────────┴───────────┴─────────┘
//
// Appending is not synced: it survives kill -9, as a commit does, and what a power cut takes is found when
// the number of items is compared with that of the books.

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { makeFolder, syncFolder } from "../log/lasting.ts";

const headBytes = 8;

export class StateFile {
  readonly path: string;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  /** There may be something behind its size. */
  #isTorn = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Of all that is in it. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** False before there is a picture to append to. */
  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * Hands over one record after the other until `take` says that it wants no more; what is appended next
   * takes the place of the rest.
   */
  async load(take: (record: Buffer) => boolean | Promise<boolean>): Promise<void> {
    const handle = await open(this.path, "r+").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (!handle) return;
    this.#handle = handle;
    const { size } = await handle.stat();
    let at = 0;
    for (;;) {
      const record = await recordAt(handle, at, size);
      if (!record || !(await take(record))) break;
      at += headBytes + record.length;
    }
    this.#sizeBytes = at;
    this.#isTorn = true;
  }

  /** All of them or none; each record in parts. */
  async append(records: readonly (readonly Uint8Array[])[]): Promise<void> {
    const handle = this.#handle;
    if (!handle) throw new Error(`${this.path} is not open`);
    if (this.#isTorn) await handle.truncate(this.#sizeBytes);
    this.#isTorn = true;
    try {
      const written = await write(handle, this.#sizeBytes, records);
      this.#sizeBytes += written;
      this.#isTorn = false;
    } catch (error) {
      await handle.truncate(this.#sizeBytes).catch(() => {});
      throw error;
    }
  }

  /** Everything that was in the file is gone when this resolves; as it was where it fails. */
  async replace(records: Iterable<readonly Uint8Array[]>): Promise<void> {
    const temporary = `${this.path}.new`;
    await makeFolder(dirname(this.path));
    const handle = await open(temporary, "w+", 0o600);
    let at = 0;
    try {
      for (const record of records) at += await write(handle, at, [record]);
      await handle.datasync();
      await rename(temporary, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      await handle.close().catch(() => {});
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
    await this.#handle?.close().catch(() => {});
    this.#handle = handle;
    this.#sizeBytes = at;
    this.#isTorn = false;
  }

  /** For a person to look at; the next one begins anew. */
  async setAside(): Promise<void> {
    await this.close();
    await rename(this.path, `${this.path}.bad`).catch(() => {});
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    this.#sizeBytes = 0;
  }
}

/** Undefined at the end, and where what stands there is no whole record. */
async function recordAt(
  handle: FileHandle,
  at: number,
  fileBytes: number,
): Promise<Buffer | undefined> {
  if (at + headBytes > fileBytes) return undefined;
  const head = Buffer.alloc(headBytes);
  await handle.read(head, 0, headBytes, at);
  const size = head.readUInt32LE(0);
  if (at + headBytes + size > fileBytes) return undefined;
  const record = Buffer.allocUnsafeSlow(size);
  await handle.read(record, 0, size, at + headBytes);
  return head.readUInt32LE(4) === crc32(record, crc32(head.subarray(0, 4))) ? record : undefined;
}

/** In one piece, so that many small records cost one call. */
async function write(
  handle: FileHandle,
  at: number,
  records: readonly (readonly Uint8Array[])[],
): Promise<number> {
  const sizes = records.map((parts) => parts.reduce((sum, { length }) => sum + length, 0));
  const length = sizes.reduce((sum, size) => sum + headBytes + size, 0);
  const bytes = Buffer.allocUnsafe(length);
  let end = 0;
  records.forEach((parts, index) => {
    const head = end;
    bytes.writeUInt32LE(sizes[index]!, head);
    end += headBytes;
    for (const part of parts) {
      bytes.set(part, end);
      end += part.length;
    }
    const checksum = crc32(
      bytes.subarray(head + headBytes, end),
      crc32(bytes.subarray(head, head + 4)),
    );
    bytes.writeUInt32LE(checksum, head + 4);
  });
  const { bytesWritten } = await handle.write(bytes, 0, length, at);
  if (bytesWritten === length) return length;
  const message = `only ${bytesWritten} of ${length} bytes could be written`;
  throw Object.assign(new Error(message), { code: "ENOSPC" });
}
