// How long the built package takes from exec until all its listeners are ready: npm run bench:ready

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnv } from "../support/collector-process.ts";
import { build } from "../support/build.ts";

const starts = 21;

const ours = await build();
const folder = mkdtempSync(join(tmpdir(), "sonde-ready-"));
try {
  const first = await startOnce(ours.main);
  const times: number[] = [];
  while (times.length < starts) times.push(await startOnce(ours.main));
  times.sort((a, b) => a - b);
  const ms = (time = 0): string => `${Math.round(time)} ms`;
  console.log(`ready after ${ms(times[starts >> 1])} (${ms(times[0])} – ${ms(times.at(-1))})`);
  console.log(`${starts} starts; the very first one, which fills the compile cache: ${ms(first)}`);
  console.log(`load average ${loadavg()[0]?.toFixed(2)}`);
} finally {
  ours.remove();
  rmSync(folder, { recursive: true, force: true });
}

function startOnce(main: string): Promise<number> {
  const env = cleanEnv({
    NODE_COMPILE_CACHE: join(folder, "cache"),
    SONDE_DATA_DIR: join(folder, "data"),
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_PROMETHEUS_PORT: "0",
    SONDE_WEB_PORT: "0",
  });
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    let ready: number | undefined;
    let output = "";
    const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      // One line for each of the four listeners.
      if (ready !== undefined || output.split("\n").length <= 4) return;
      ready = performance.now() - begin;
      child.kill("SIGTERM");
    });
    child.on("exit", () =>
      ready === undefined ? reject(new Error("it ended before it was ready")) : resolve(ready),
    );
  });
}
