// A disk of a given size of which we are the only user: a tmpfs in a mount namespace of its own, for which
// nobody has to be root. What shall use it is started under `under`; we look into it through /proc.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { until } from "../support/until.ts";

export interface SmallDisk {
  /** The path of the disk, as those see it that were started under it. */
  readonly path: string;
  /** The same, as we see it. */
  readonly seen: string;
  readonly under: readonly string[];
  /** Makes it read-only, or writable again. */
  remount(how: "ro" | "rw"): void;
  remove(): Promise<void>;
}

export function isNamespaceAbsent(): boolean {
  if (spawnSync("unshare", ["-Urm", "true"]).status === 0) return false;
  if (process.env["CI"]) throw new Error("no namespace of our own can be had: unshare -Urm fails");
  process.stderr.write("\n  SKIPPED: no namespace of our own can be had (unshare -Urm)\n\n");
  return true;
}

export async function makeSmallDisk(path: string, size: string): Promise<SmallDisk> {
  const mount = `mount -t tmpfs -o size=${size} tmpfs "$0" && echo mounted && exec sleep 3600`;
  const holder = spawn("unshare", ["-Urm", "sh", "-c", mount, path], { stdio: "pipe" });
  let said = "";
  holder.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  holder.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until(`the disk is mounted`, () => said.includes("mounted"));
  const enterArgs = ["-t", String(holder.pid), "-U", "-m", "--preserve-credentials"];
  return {
    path,
    seen: join("/proc", String(holder.pid), "root", path),
    under: ["nsenter", ...enterArgs, "--wd=/"],
    remount(how) {
      const args = [...enterArgs, "mount", "-o", `remount,${how}`, path];
      const { status, stderr } = spawnSync("nsenter", args, { encoding: "utf8" });
      if (status !== 0) throw new Error(`remount: ${stderr}`);
    },
    remove: () => ended(holder),
  };
}

function ended(holder: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    holder.on("exit", () => resolve());
    holder.kill("SIGKILL");
  });
}
