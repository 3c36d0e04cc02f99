// A file that was made, renamed or deleted is so for good only when its folder is synced too.

import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder, and those above it, to last. One that is there may have been made just before a crash,
 * and not been synced: that is done again, once.
 */
export async function makeFolder(given: string): Promise<void> {
  const folder = resolve(given);
  const first = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    await syncParent(made);
  }
}

/** One that may be entered but not read cannot be synced by us: that is left to the system then. */
export async function syncParent(folder: string): Promise<void> {
  await syncFolder(dirname(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES") throw error;
  });
}

/** On disk with what it begins with, or not there. */
export async function createFile(path: string, head: Uint8Array): Promise<FileHandle> {
  await rm(path, { force: true });
  return await begin(await open(path, "wx+", 0o600), path, head);
}

/** The same with a file that is there and wanted no more: what stands behind `head` in it stays. */
export async function reuseFile(old: string, path: string, head: Uint8Array): Promise<FileHandle> {
  // Renamed not before it can be told from what it was.
  return await begin(await open(old, "r+"), path, head, () => rename(old, path));
}

async function begin(
  handle: FileHandle,
  path: string,
  head: Uint8Array,
  take = async (): Promise<void> => {},
): Promise<FileHandle> {
  try {
    await handle.write(head);
    await handle.datasync();
    await take();
    await syncFolder(dirname(path));
    return handle;
  } catch (error) {
    await handle.close();
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
}

/** An error of the system that a call on an open file met does not say which file that was. */
export function explain(what: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || message.includes(what)) return error as Error;
  return new Error(`${what}: ${message}`, { cause: error });
}
