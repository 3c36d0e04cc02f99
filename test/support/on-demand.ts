// Packages that some tests and benchmarks need and the repository does not: installed once, into a cache
// outside of it, when they are first asked for. Where they cannot be had this is said, loudly.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "sonde-tests");

/** The folder with the node_modules that hold the packages; undefined if they cannot be had. */
export function onDemand(name: string, packages: readonly string[]): string | undefined {
  const folder = join(cache, name.replaceAll(/[^\w.-]+/g, "_"));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Elsewhere first: whoever looks meanwhile sees all of it or nothing.
  const making = mkdtempSync(join(cache, "making-"));
  writeFileSync(join(making, "package.json"), '{ "private": true }');
  const options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const { status, stderr } = spawnSync("npm", ["install", ...options, ...packages], {
    cwd: making,
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status !== 0) {
    rmSync(making, { recursive: true, force: true });
    const reason = stderr?.trim().split("\n").at(0) ?? "npm cannot be run";
    process.stderr.write(`\n  SKIPPED: ${packages.join(", ")} cannot be installed: ${reason}\n\n`);
    return undefined;
  }
  try {
    renameSync(making, folder);
  } catch {
    rmSync(making, { recursive: true, force: true }); // another was quicker
  }
  return folder;
}

/** Another Node than the one that runs the tests: the newest of a major version. */
export function nodeOf(major: number): string | undefined {
  if (Number(process.versions.node.split(".")[0]) === major) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = onDemand(`node-${major}`, [`${name}@${major}`]);
  return folder && join(folder, "node_modules", name, "bin", "node");
}
