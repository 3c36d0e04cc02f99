// Taking letters out of a file of dead letters, or changing them, while it is written to: what stays is
// copied to a new file, which takes the place of the old one in one step once it is on disk. A crash
// leaves the one or the other, and never half of a letter. Memory does not grow with the file.

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../log/lasting.ts";
import { type DeadLine, readLines } from "./dead-letter-file.ts";

/** Reads lines as far as it likes and keeps what shall stay; what it has not read stays as it is. */
export type Revision = (
  lines: AsyncIterable<DeadLine>,
  keep: (line: Uint8Array) => Promise<void>,
) => Promise<void>;

export interface Writer {
  /** Does something while nobody writes. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>;
  /** The file is another one from now on; called while nobody writes. */
  replaced(): Promise<void>;
}

const pieceBytes = 256 << 10;

export async function revise(path: string, revision: Revision, writer: Writer): Promise<void> {
  const old = await openIfThere(path);
  if (!old) return;
  const newPath = `${path}.new`;
  try {
    await rm(newPath, { force: true }); // of a run that was killed
    const revised = await open(newPath, "ax", 0o600);
    try {
      const whole = await writer.alone(async () => (await old.stat()).size);
      const read = await copyRevised(revision, { old, revised, upTo: whole });
      await writer.alone(async () => {
        await copyRest(old, revised, read);
        await revised.datasync();
        await rename(newPath, path);
        await writer.replaced();
      });
      await syncFolder(dirname(path));
    } finally {
      await revised.close();
    }
  } finally {
    await rm(newPath, { force: true });
    await old.close();
  }
}

interface Copying {
  readonly old: FileHandle;
  readonly revised: FileHandle;
  /** Behind it there may be half a line by now. */
  readonly upTo: number;
}

/** Returns where that begins which was not read. */
async function copyRevised(revision: Revision, { old, revised, upTo }: Copying): Promise<number> {
  let read = 0;
  let pieces: Uint8Array[] = [];
  let size = 0;
  async function* lines(): AsyncGenerator<DeadLine> {
    for await (const line of readLines(old, 0, upTo)) {
      read = line.offset + line.bytes.length;
      yield line;
    }
  }
  const flush = async (): Promise<void> => {
    if (size > 0) await revised.appendFile(Buffer.concat(pieces));
    pieces = [];
    size = 0;
  };
  await revision(lines(), async (line) => {
    pieces.push(line);
    if (line.at(-1) !== lineFeed) pieces.push(Buffer.from([lineFeed])); // the last one was torn
    size += line.length;
    if (size >= pieceBytes) await flush();
  });
  await flush();
  return read;
}

const lineFeed = 10;

/** What the revision left unread, and what has been written since. */
async function copyRest(old: FileHandle, revised: FileHandle, from: number): Promise<void> {
  const { size } = await old.stat();
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let at = from; at < size;) {
    const { bytesRead } = await old.read(piece, 0, Math.min(pieceBytes, size - at), at);
    if (bytesRead === 0) break;
    await revised.appendFile(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
}

export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}
