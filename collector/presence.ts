// Where the collector of a data folder can be asked while it runs: a file in that folder, for commands
// that do not know which port the system chose, nor with which settings it was started.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ownName, runningIn } from "./log/folder-lock.ts";

export interface Presence extends Urls {
  readonly pid: number;
  /** Names of its outputs. */
  readonly outputs: readonly string[];
}

/** Each is absent if that port is off. */
export interface Urls {
  /** Of its web port. */
  readonly url?: string | undefined;
  readonly otlpHttp?: string | undefined;
  readonly otlpGrpc?: string | undefined;
}

interface Stored extends Urls {
  readonly pid: number;
  /** Tells it from a later process that has the same id. */
  readonly process: string;
  readonly outputs?: readonly string[];
  readonly started: string;
}

/** Returns what takes it back. */
export async function announce(
  dataDir: string,
  { outputs, ...urls }: Urls & Pick<Presence, "outputs">,
): Promise<() => Promise<void>> {
  const path = pathIn(dataDir);
  const own: Stored = {
    pid: process.pid,
    process: ownName(),
    ...urls,
    outputs,
    started: new Date().toISOString(),
  };
  await rm(path, { force: true }); // it may be somebody else's, and open to more than its owner
  await writeFile(path, `${JSON.stringify(own, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
  return async () => {
    if ((await readStored(path))?.process === own.process) await rm(path, { force: true });
  };
}

/** Undefined unless a collector runs on this folder. */
export async function findCollector(dataDir: string): Promise<Presence | undefined> {
  const stored = await readStored(pathIn(dataDir));
  const pid = stored && runningIn(stored.process);
  if (!stored || pid === undefined) return undefined;
  const { url, otlpHttp, otlpGrpc, outputs } = stored;
  const names = Array.isArray(outputs) ? outputs.map(String) : [];
  return { pid, url, otlpHttp, otlpGrpc, outputs: names };
}

async function readStored(path: string): Promise<Stored | undefined> {
  try {
    const stored = JSON.parse(await readFile(path, "utf8")) as Partial<Stored> | null; // checked below
    return typeof stored?.process === "string" ? (stored as Stored) : undefined;
  } catch {
    return undefined; // none, or not yet whole
  }
}

const pathIn = (dataDir: string): string => join(dataDir, "collector.json");
