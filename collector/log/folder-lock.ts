// One process per data folder. The lock is a file that names its holder; a holder that has ended, even
// by kill -9, no longer holds it. A process id alone is used again (in a container it is always 1), so
// the time at which the process began stands beside it where the system tells.
//
// The file appears with its words in it, as a link to one that was written before: who looks in between
// would find an empty lock, take it for stale and take it away from its holder. And a stale lock is taken
// away only by who holds the lock on doing that: of several that find it, a slow one would take away what
// a quick one has put in its place.

import { constants, readFileSync } from "node:fs";
import { copyFile, link, readFile, rm, writeFile } from "node:fs/promises";
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
    await acquire(path, written, folder);
  } finally {
    await rm(written, { force: true });
  }
  return { release: () => rm(path, { force: true }) };
}

/** As often as a lock can be given back, or found stale, while we look at it. */
const attempts = 5;

async function acquire(path: string, written: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (await take(path, written)) return;
    const seen = await read(path);
    if (seen === undefined) continue;
    const [pid, birth] = seen.trim().split(" ");
    if (pid && isRunning(Number(pid), birth)) {
      throw new Error(`${folder} is in use by process ${pid}; stop it or give another data_dir`);
    }
    // Whoever died doing this has left a lock that is stale itself, and so on.
    const right = `${path}.stale`;
    await acquire(right, written, folder);
    try {
      if ((await read(path)) === seen) await rm(path);
    } finally {
      await rm(right);
    }
  }
  throw new Error(`${folder} is in use: its lock file comes back; give another data_dir`);
}

/** False when there is one already. */
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

/** Undefined when it is gone. */
async function read(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
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
