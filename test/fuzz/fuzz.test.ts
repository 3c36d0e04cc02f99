// A short run of every fuzz target, the same each time, and proof that the fuzzer finds what it should.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Line {
  readonly name: string;
  readonly runs: number;
  readonly taken: number;
  readonly seedFeatures: number;
  readonly features: number;
  readonly corpus: number;
  readonly crash?: { readonly input: string; readonly error: string };
}

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** What breaks something is kept there. */
const folder = mkdtempSync(join(tmpdir(), "sonde-fuzz-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function fuzz(...args: string[]): Promise<{ lines: Line[]; said: string; code: number }> {
  const flags = ["--conditions=source", "--no-warnings", main, "--json", "--seed", "1", ...args];
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "pipe"], env });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("close", (code) => resolve(code ?? -1));
    child.once("error", reject);
  });
  const [out, said, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
  const text = out.toString().trim();
  const lines = text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Line);
  return { lines, said: said.toString(), code };
}

describe("a short run of every target", () => {
  const runs = 2000;
  let lines: readonly Line[] = [];
  let said = "";

  beforeAll(async () => {
    ({ lines, said } = await fuzz("--runs", String(runs)));
  });

  test("breaks nothing", () => {
    expect(said).toBe("");
    expect(lines.length).toBeGreaterThanOrEqual(27);
    for (const { name, runs: done, crash } of lines) {
      expect({ name, done, crash }).toEqual({ name, done: runs, crash: undefined });
    }
  });

  test("goes ways that the seeds did not, and has inputs taken as well as refused", () => {
    for (const { name, features, seedFeatures, taken } of lines) {
      expect(features, name).toBeGreaterThan(seedFeatures);
      expect(taken, name).toBeGreaterThan(0);
      expect(taken, name).toBeLessThan(runs);
    }
  });
});

describe("a planted bug", () => {
  const throwing = ["--folder", "planted", "--target", "planted-throw", "--runs", "100000"];

  test("behind four comparisons is found, at the same input every time", async () => {
    const [one, another] = await Promise.all([fuzz(...throwing), fuzz(...throwing)]);
    expect(one.lines[0]?.crash?.error).toContain("the planted bug");
    expect(another.lines[0]?.crash).toEqual(one.lines[0]?.crash);
    expect(another.lines[0]?.runs).toBe(one.lines[0]?.runs);
    expect(one.code).toBe(1);
  });

  test("is not found without looking at the coverage", async () => {
    const { lines, code } = await fuzz(...throwing, "--blind");
    expect(lines).toMatchObject([{ runs: 100_000 }]);
    expect(lines[0]?.crash).toBeUndefined();
    expect(code).toBe(0);
  });

  test("that is a loop without end is stopped, and can be run again by what is printed", async () => {
    const found = await fuzz("--folder", "planted", "--target", "planted-loop", "--runs", "100000");
    expect(found.lines[0]?.crash?.error).toContain("turns without end");
    const input = /--input (\S+)/.exec(found.said)?.[1];
    expect(input).toBe(found.lines[0]?.crash?.input);
    const again = await fuzz("--folder", "planted", "--target", "planted-loop", "--input", input!);
    expect(again.said).toContain("turns without end");
    expect(again.code).not.toBe(0);
  });
});

test("a target that does not exist is named, with those that do", async () => {
  const { said, code } = await fuzz("--target", "nonsense");
  expect(said).toContain("no target is called nonsense; there are");
  expect(said).toContain("protobuf-traces");
  expect(code).toBe(2);
});
