// Starts another Node with the same options, as npm and test runners do, and passes on what it prints.
const { spawnSync } = require("node:child_process");

if (process.argv[2] === "child") {
  process.stdout.write("child\n");
} else {
  const child = spawnSync(process.execPath, [__filename, "child"], { encoding: "utf8" });
  process.stdout.write(`${child.status} ${child.stdout}`);
  process.stderr.write(child.stderr);
}
