// One process per data folder. The lock is a file that names its holder; a holder that has ended, even
// by kill -9, no longer holds it. A process id alone is used again (in a container it is always 1), so
// the time at which the process began stands beside it where the system tells.

import { readFileSync } from "node:fs";
import { mkdir, open, readFile, rm } from "node:fs/promises";
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
    const [pid, birth] = (await readFile(path, "utf8").catch(() => "")).trim().split(" ");
    if (pid && isRunning(Number(pid), birth)) {
      throw new Error(`${folder} is in use by process ${pid}; stop it or give another data_dir`);
    }
    await rm(path, { force: true });
  }
  throw new Error(`${folder} is in use: its lock file comes back; give another data_dir`);
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
