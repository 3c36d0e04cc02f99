// Makes `npm start` and `npm test` work on a fresh clone: installs the locked dependencies when they
// are missing or older than the lockfile. Plain JavaScript, because it runs before the project's own
// Node is installed, under whatever Node the machine has.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const installedAt = statSync(new URL("node_modules/.package-lock.json", root), {
  throwIfNoEntry: false,
})?.mtimeMs;

if (
  installedAt === undefined ||
  installedAt < statSync(new URL("package-lock.json", root)).mtimeMs
) {
  console.error("installing dependencies, once …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status } = spawnSync(npm, ["ci", "--loglevel=error"], {
    cwd: fileURLToPath(root),
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  process.exitCode = status ?? 1;
}
