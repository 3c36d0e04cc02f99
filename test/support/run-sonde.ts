// A command of sonde as a user runs it, to its end, while the test's own servers go on answering.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cleanEnv } from "./collector-process.ts";

const main = fileURLToPath(new URL("../../collector/main.ts", import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** With a web port of 0, as in the tests' collectors: it is found through the data folder. */
export async function runSonde(args: readonly string[], options: RunOptions): Promise<Ran> {
  const { dataDir, env = {} } = options;
  const child = spawn(process.execPath, ["--conditions=source", main, ...args], {
    env: cleanEnv({ SONDE_DATA_DIR: dataDir, SONDE_WEB_PORT: "0", ...env }),
    cwd: dataDir,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise<number | null>((done) => child.on("close", done));
  return { status, stdout, stderr };
}

/** What differs from run to run, made the same: times, ids, folders, processes, ages. */
export function normalize(text: string, replace: Readonly<Record<string, string>> = {}): string {
  let same = text;
  for (const [from, to] of Object.entries(replace)) same = same.replaceAll(from, to);
  return same
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "2026-01-31 12:34:56")
    .replaceAll(/for [\d.]+ (s|min)/g, "for 3 s")
    .replaceAll(/\b[\da-f]{12}\b/g, "0123456789ab")
    .replaceAll(/log [\da-f]{16}/g, "log 0123456789abcdef")
    .replaceAll(/process \d+/g, "process 4711")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:1");
}
