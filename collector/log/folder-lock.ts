// One process per data folder. The lock is a file that names its holder; a holder that has ended, even
// by kill -9, no longer holds it. A process id alone is used again (in a container it is always 1), so
// the time at which the process began stands beside it where the system tells.
//
// The file appears with its words in it, as a link to one that was written before: who looks in between
// would find an empty lock, take it for stale and take it away from its holder.

import { constants, readFileSync } from "node:fs";
import { copyFile, link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface FolderLock {
  release(): Promise<void>;
}

export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, "lock");
  const written = `${path}.${process.pid}`;
  // Not written over, which could change a lock that it is linked to.
  await rm(written, { force: true });
  await writeFile(written, `${process.pid} ${birthOf(process.pid)}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await take(path, written)) return { release: () => rm(path, { force: true }) };
      const seen = await read(path);
      const [pid, birth] = seen.trim().split(" ");
      if (pid && isRunning(Number(pid), birth)) {
        throw new Error(`${folder} is in use by process ${pid}; stop it or give another data_dir`);
      }
      await clear(path, seen);
    }
  } finally {
    await rm(written, { force: true });
  }
  throw new Error(`${folder} is in use: its lock file comes back; give another data_dir`);
}

/** False when somebody else has it. */
async function take(path: string, written: string): Promise<boolean> {
  try {
    await link(written, path).catch(async (error: NodeJS.ErrnoException) => {
      // Some file systems have no links.
      if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(error.code ?? "")) throw error;
      await copyFile(written, path, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function read(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** Takes a stale lock away; of two who find the same one, the slower must not take the other's new one. */
async function clear(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return; // it is gone: someone else was quicker
  }
  const found = await readFile(aside, "utf8").catch(async (error: unknown) => {
    await rename(aside, path);
    throw error;
  });
  if (found === stale) await rm(aside, { force: true });
  else await rename(aside, path);
}

function isRunning(pid: number, birth: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return birth === undefined || birthOf(pid) === birth;
}

/** In clock ticks since the machine started; the same word for all where there is no /proc. */
function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "unknown";
  } catch {
    return "unknown";
  }
}
