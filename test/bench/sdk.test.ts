// The benchmark of the SDK in small, so that it cannot rot. No figure of it is asserted.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { cleanEnv } from "../support/collector-process.ts";

vi.setConfig({ testTimeout: 120_000 }); // some forty processes, one after the other

const main = fileURLToPath(new URL("sdk.ts", import.meta.url));

test("it prints figures of each app, of the start and of the ends", async () => {
  const printed = await run("--quick");
  expect(printed).not.toMatch(/NaN|undefined|Infinity/);
  for (const title of ["http: agent", "express: agent", "agent", "last span"]) {
    expect(printed).toMatch(new RegExp(`^\\| ${title} .*\\n\\| -`, "m"));
  }
  expect(printed.match(/^\| sonde /gm)).toHaveLength(4);
  expect(printed).toMatch(/^\| sonde +\| kept +\| kept/m);
  const modules = Number(/^\| sonde +\| \d+ +\| (\d+) /m.exec(printed)?.[1]);
  expect(modules).toBeGreaterThan(20);
});

test("a profile tells which parts and which functions of ours cost how much", async () => {
  const args = ["--quick", "--profile", "--app", "http", "--only", "sonde"];
  const printed = await run(...args);
  expect(printed).toMatch(/^\| where the microseconds go /m);
  expect(printed).toMatch(/^\| (sonde: sdk|@opentelemetry)\//m);
  expect(printed).toMatch(/^\| functions of ours /m);
});

async function run(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ["--conditions=source", main, ...args], {
    env: cleanEnv(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(stderr);
  return stdout;
}
