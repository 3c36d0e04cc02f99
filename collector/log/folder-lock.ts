// One process per data folder. The lock is a file that names its holder; a holder that has ended, even
// by kill -9, no longer holds it. A process id alone is used again (in a container it is always 1), so
// the time at which the process began stands beside it where the system tells.
//
// The file appears with its words in it, as a link to one that was written before: who looks in between
// would find an empty lock, take it for stale and take it away from its holder.

import { constants, readFileSync } from "node:fs";
import { copyFile, link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

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
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      if (await take(path, written)) return { release: () => rm(path, { force: true }) };
      const seen = await read(path);
      if (seen === undefined) continue; // it has just been let go
      const holder = runningHolder(seen);
      if (holder) {
        throw new Error(
          `${folder} is in use by process ${holder}; stop it or give another data_dir`,
        );
      }
      await clear(path, { stale: seen, written });
    }
  } finally {
    await rm(written, { force: true });
  }
  throw new Error(`${folder} is in use: its lock file comes back; give another data_dir`);
}

const mostAttempts = 100;
const pauseMs = 10;

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

/** Undefined where there is none. */
async function read(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

interface Stale {
  readonly stale: string;
  /** The file to link to. */
  readonly written: string;
}

/**
 * Takes a stale lock away, one process at a time: whoever found it together with another, and comes
 * later, must not take away the lock that the other one has made since.
 */
async function clear(path: string, { stale, written }: Stale): Promise<void> {
  const guard = `${path}.clearing`;
  if (await take(guard, written)) {
    try {
      if ((await read(path)) === stale) await rm(path, { force: true });
    } finally {
      await rm(guard, { force: true });
    }
    return;
  }
  const seen = await read(guard);
  // Killed between these few calls: then, and only then, two who clear at once are not kept apart.
  if (seen !== undefined && runningHolder(seen) === undefined) await rm(guard, { force: true });
  else await sleep(pauseMs);
}

function runningHolder(lock: string): string | undefined {
  const [pid, birth] = lock.trim().split(" ");
  return pid && isRunning(Number(pid), birth) ? pid : undefined;
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
