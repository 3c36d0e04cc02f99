// The data folder, made sure of before anything is put into it, with words that tell what to do when it
// cannot be had.

import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { syncParent } from "./log/lasting.ts";

export async function prepareDataDir(given: string): Promise<void> {
  const folder = resolve(given);
  await make(folder);
  const probe = join(folder, ".probe"); // always the same, so that a crash leaves no more than one
  try {
    await writeFile(probe, "");
    await rm(probe, { force: true });
  } catch (error) {
    throw explain(`cannot write to ${folder}`, error);
  }
}

/** Folder by folder: Node's own recursive mkdir never returns where the file system says ENOENT to all. */
async function make(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ENOTDIR") throw explain(`${dirname(folder)} is not a folder`, error);
    throw explain(`cannot look at ${folder}`, error);
  });
  if (found?.isDirectory()) return;
  if (found) throw new Error(`data_dir: ${folder} is not a folder; give one`);
  if (dirname(folder) !== folder) await make(dirname(folder));
  try {
    await mkdir(folder, { mode: 0o700 });
    await syncParent(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return; // someone else was quicker
    throw explain(`cannot make ${folder}`, error);
  }
}

function explain(what: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const advice = "give a data_dir that this user may write to";
  return new Error(`data_dir: ${what}: ${code ?? message}; ${advice}`, { cause: error });
}
