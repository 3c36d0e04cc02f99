// A file that was made, renamed or deleted is so for good only when its folder is synced too.

import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder, and those above it, to last. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
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
