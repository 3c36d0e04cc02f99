// What an output remembers beside its cursor, where that is too much to be stored with each commit: a
// picture of all of it, and behind it the records of what came since. A new picture takes the place of the
// file at once, so a crash finds one or the other, and a torn record at the end is cut off.
//
//   ┌──────────┬──────────────┬─────────┐
//   │ size u32 │ checksum u32 │ payload │   repeated; the checksum is of the size and the payload
//   └──────────┴──────────────┴─────────┘
//
// It is the lower half of XXH64: crc32 was a twelfth of what a point of a histogram costs.
//
// Appending is not synced: it survives kill -9, as a commit does, and what a power cut takes is found when
// the number of items is compared with that of the books.

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { checksumOfParts, loadChecksum } from "../log/checksum.ts";
import { makeFolder, syncFolder } from "../log/lasting.ts";

const headBytes = 8;
const bufferBytes = 256 << 10;

export class StateFile {
  readonly path: string;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  /** There may be something behind its size. */
  #isTorn = false;
  /** Of what is written; one thing at a time is. */
  #buffer: Buffer | undefined;

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
    await loadChecksum();
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
      this.#sizeBytes += await this.#write(handle, this.#sizeBytes, records);
      this.#isTorn = false;
    } catch (error) {
      await handle.truncate(this.#sizeBytes).catch(() => {});
      throw error;
    }
  }

  /** Everything that was in the file is gone when this resolves; as it was where it fails. */
  async replace(records: Iterable<readonly Uint8Array[]>): Promise<void> {
    await loadChecksum();
    const temporary = `${this.path}.new`;
    await makeFolder(dirname(this.path));
    const handle = await open(temporary, "w+", 0o600);
    let size = 0;
    try {
      size = await this.#write(handle, 0, records);
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
    this.#sizeBytes = size;
    this.#isTorn = false;
  }

  async #write(
    handle: FileHandle,
    at: number,
    records: Iterable<readonly Uint8Array[]>,
  ): Promise<number> {
    const writing = new Writing(handle, at, (this.#buffer ??= Buffer.allocUnsafeSlow(bufferBytes)));
    for (const parts of records) await writing.record(parts);
    await writing.flush();
    return writing.sizeBytes;
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
  const checksum = checksumOfParts([head.subarray(0, 4), record]);
  return head.readUInt32LE(4) === checksum ? record : undefined;
}

/**
 * Records as they go to a file, small ones through one piece of memory that is used again and again, so that
 * many cost one call; large ones from where they lie. None has memory of its own, which V8 would soon collect
 * all its heap for.
 */
class Writing {
  /** What has reached the file. */
  sizeBytes = 0;
  readonly #handle: FileHandle;
  readonly #at: number;
  readonly #buffer: Buffer;
  #length = 0;

  constructor(handle: FileHandle, at: number, buffer: Buffer) {
    this.#handle = handle;
    this.#at = at;
    this.#buffer = buffer;
  }

  async record(parts: readonly Uint8Array[]): Promise<void> {
    const head = Buffer.alloc(headBytes);
    head.writeUInt32LE(
      parts.reduce((sum, { length }) => sum + length, 0),
      0,
    );
    head.writeUInt32LE(checksumOfParts([head.subarray(0, 4), ...parts]), 4);
    await this.#put(head);
    for (const part of parts) await this.#put(part);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    if (bytes.length >= this.#buffer.length / 4) {
      await this.flush();
      await this.#write(bytes);
      return;
    }
    let from = 0;
    while (from < bytes.length) {
      if (this.#length === this.#buffer.length) await this.flush();
      const piece = bytes.subarray(from, from + this.#buffer.length - this.#length);
      this.#buffer.set(piece, this.#length);
      this.#length += piece.length;
      from += piece.length;
    }
  }

  async flush(): Promise<void> {
    const written = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (written.length > 0) await this.#write(written);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    const at = this.#at + this.sizeBytes;
    const { bytesWritten } = await this.#handle.write(bytes, 0, length, at);
    this.sizeBytes += bytesWritten;
    if (bytesWritten === length) return;
    const message = `only ${bytesWritten} of ${length} bytes could be written`;
    throw Object.assign(new Error(message), { code: "ENOSPC" });
  }
}
