// Packages that some tests and benchmarks need and the repository does not, of npm, Maven and PyPI: installed once, into
// a cache outside of it, when they are first asked for. Where they cannot be had this is said, loudly.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "sonde-tests");

/** The folder with the node_modules that hold the packages; undefined if they cannot be had. */
export function onDemand(name: string, packages: readonly string[]): string | undefined {
  return installed(name, packages, (folder) => {
    writeFileSync(join(folder, "package.json"), '{ "private": true }');
    const options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    return [["npm", "install", ...options, ...packages]];
  });
}

/** The folder with the jar of `group:artifact:version` and those that it needs. */
export function jarsOnDemand(name: string, coordinates: string): string | undefined {
  return installed(name, [coordinates], (folder) => {
    const [group, artifact, version] = coordinates.split(":");
    writeFileSync(
      join(folder, "pom.xml"),
      `<project><modelVersion>4.0.0</modelVersion>
      <groupId>test</groupId><artifactId>test</artifactId><version>1</version>
      <dependencies><dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>
      <version>${version}</version></dependency></dependencies></project>`,
    );
    const goal = ["dependency:copy-dependencies", "-DoutputDirectory=."];
    return [["mvn", "-q", "-B", "-ntp", ...goal]];
  });
}

/** The folder with a bin/python that has the packages. */
export function pythonOnDemand(name: string, packages: readonly string[]): string | undefined {
  return installed(name, packages, () => [
    ["python3", "-m", "venv", "."],
    ["bin/python", "-m", "pip", "install", "-q", ...packages],
  ]);
}

/** `prepare` gets the folder to install into, and gives the commands that do so. */
function installed(
  name: string,
  packages: readonly string[],
  prepare: (folder: string) => readonly (readonly string[])[],
): string | undefined {
  const folder = join(cache, name.replaceAll(/[^\w.-]+/g, "_"));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Elsewhere first: whoever looks meanwhile sees all of it or nothing.
  const making = mkdtempSync(join(cache, "making-"));
  for (const [program = "", ...args] of prepare(making)) {
    const options = { cwd: making, encoding: "utf8", timeout: 180_000 } as const;
    const { status, stdout, stderr } = spawnSync(program, args, options);
    if (status === 0) continue;
    rmSync(making, { recursive: true, force: true });
    const said = (stderr || stdout || "").trim().split("\n").at(0);
    const what = `${packages.join(", ")} cannot be installed`;
    process.stderr.write(`\n  SKIPPED: ${what}: ${said || `${program} cannot be run`}\n\n`);
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
