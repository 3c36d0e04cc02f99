// One process per data folder. The lock is a file that names its holder; a holder that has ended, even
// by kill -9, no longer holds it. A process id alone is used again (in a container it is always 1), so
// the time at which the process began stands beside it where the system tells.

import { readFileSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

export interface FolderLock {
  release(): Promise<void>;
}

export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "lock");
  const own = `${process.pid} ${birthOf(process.pid)}\n`;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = await open(path, "wx", 0o600);
      await handle.writeFile(own);
      await handle.close();
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const seen = await readFile(path, "utf8").catch(() => "");
    const [pid, birth] = seen.trim().split(" ");
    if (pid && isRunning(Number(pid), birth)) {
      throw new Error(`${folder} is in use by process ${pid}; stop it or give another data_dir`);
    }
    await clear(path, seen);
  }
  throw new Error(`${folder} is in use: its lock file comes back; give another data_dir`);
}

/** Takes a stale lock away; of two who find the same one, the slower must not take the other's new one. */
async function clear(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return; // it is gone: someone else was quicker
  }
  if ((await readFile(aside, "utf8")) === stale) await rm(aside, { force: true });
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

/** The process that holds the folder; undefined if none does. */
export async function holderOf(folder: string): Promise<number | undefined> {
  return runningIn(await readFile(join(folder, "lock"), "utf8").catch(() => ""));
}

/** Names this process, also to those who come when it has ended. */
export function ownName(): string {
  return `${process.pid} ${birthOf(process.pid)}`;
}

/** The process that ownName() named; undefined if it has ended. */
export function runningIn(name: string): number | undefined {
  const [pid, birth] = name.trim().split(" ");
  return pid && isRunning(Number(pid), birth) ? Number(pid) : undefined;
}
