// What the SDK adds to the start of an app that does nothing, beside OpenTelemetry's own assembly with
// the same instrumentations, and what loading its packages is of that: npm run bench:sdk-start

import { spawnSync } from "node:child_process";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cleanEnv } from "../support/collector-process.ts";
import { build } from "./sonde.ts";

const rounds = 15;
const root = fileURLToPath(new URL("../..", import.meta.url));

interface Start {
  readonly args?: readonly string[];
  /** What the app does first. */
  readonly requires?: readonly string[];
}

const ours = await build();
try {
  const starts: Readonly<Record<string, Start>> = {
    "no SDK": {},
    "sonde/register": { args: ["--import", join(dirname(ours.main), "..", "sdk", "register.js")] },
    "sdk-node, assembled": { args: ["--require", join(root, "test/sdk/support/official.cjs")] },
    "sdk-node, loaded only": { requires: ["sdk-node"] },
    "the parts, loaded only": {
      requires:
        "api core context-async-hooks resources sdk-trace sdk-metrics sdk-logs otlp-transformer".split(
          " ",
        ),
    },
  };
  const times = new Map(Object.keys(starts).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, start] of Object.entries(starts)) times.get(name)?.push(run(start).ms);
  }
  for (const [name, start] of Object.entries(starts)) {
    const sorted = times.get(name)?.toSorted((a, b) => a - b) ?? [];
    const [median = 0, least = 0, most = 0] = [sorted[rounds >> 1], sorted[0], sorted.at(-1)];
    const ms = `${median.toFixed(0)} ms (${least.toFixed(0)} – ${most.toFixed(0)})`;
    console.log(`${name.padEnd(24)} ${ms.padEnd(22)} ${run(start).modules} CommonJS modules`);
  }
  console.log(`${rounds} rounds, load average ${loadavg()[0]?.toFixed(2)}`);
} finally {
  ours.remove();
}

/** Nothing is sent: the app ends before anything is exported. */
function run({ args = [], requires = [] }: Start): { ms: number; modules: number } {
  const lines = requires.map((name) => `require("@opentelemetry/${name}")`);
  // Not by console.log, which is telemetry too.
  const print = "process.stdout.write(String(Object.keys(require.cache).length))";
  const code = [...lines, print, "process.exit(0)"];
  const begin = performance.now();
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...args, "--eval", code.join(";")],
    { env: cleanEnv(), cwd: root, encoding: "utf8" },
  );
  const ms = performance.now() - begin;
  if (status !== 0) throw new Error(stderr);
  return { ms, modules: Number(stdout) };
}
