import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockFolder } from "../../../collector/log/folder-lock.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("one holder at a time, told by its process; free again once released", async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}; stop it`);
  await lock.release();
  await (await lockFolder(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a lock is never seen without the words that say whose it is", async () => {
  const done = new AbortController();
  const seen = new Set<string>();
  const watching = (async () => {
    while (!done.signal.aborted) {
      try {
        seen.add(readFileSync(join(folder, "lock"), "utf8"));
      } catch {
        // not locked at this moment
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 0; round < 300; round++) await (await lockFolder(folder)).release();
  done.abort();
  await watching;
  expect(seen.size).toBe(1);
  expect([...seen][0]).toMatch(new RegExp(`^${process.pid} \\w+\n$`));
});

const stale = {
  "of a process that has ended": "999999999 1\n",
  "of a process id that another process has now": `${process.pid} 1\n`,
  "left empty by a power cut": "",
  "of garbage": "\0\0\0 what",
};

test.each(Object.entries(stale))("a lock %s is taken over", async (_, words) => {
  writeFileSync(join(folder, "lock"), words);
  const lock = await lockFolder(folder);
  expect(readFileSync(join(folder, "lock"), "utf8")).toMatch(new RegExp(`^${process.pid} `));
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test("who died while taking a stale lock away is in nobody's way", async () => {
  for (const name of ["lock", "lock.stale", "lock.stale.stale"]) {
    writeFileSync(join(folder, name), "999999999 1\n");
  }
  await (await lockFolder(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("of several processes that find the same stale lock one gets the folder", async () => {
  const source = new URL("../../../collector/log/folder-lock.ts", import.meta.url);
  const program = `
    const { lockFolder } = await import(${JSON.stringify(source.href)});
    process.stdout.write("ready\\n");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    await lockFolder(${JSON.stringify(folder)}).then(
      () => process.stdout.write("locked\\n"),
      (error) => process.stdout.write(error.message + "\\n"),
    );
    process.stdin.once("end", () => process.exit());`;
  for (let round = 0; round < 5; round++) {
    writeFileSync(join(folder, "lock"), "999999999 1\n");
    const starters = Array.from({ length: 4 }, () => start(program));
    await Promise.all(starters.map(({ line }) => line(0)));
    for (const { child } of starters) child.stdin.write("go\n");
    const answers = await Promise.all(starters.map(({ line }) => line(1)));
    expect(answers.filter((answer) => answer === "locked").length, answers.join()).toBe(1);
    expect(answers.filter((answer) => /is in use/.test(answer)).length, answers.join()).toBe(3);
    for (const { child } of starters) child.stdin.end();
  }
});

function start(program: string) {
  const args = ["--input-type=module", "-e", program];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  let rest = "";
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    for (const look of waiting) look();
  });
  const line = (index: number): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines[index];
        if (found !== undefined) resolve(found);
      };
      waiting.push(look);
      look();
    });
  return { child, line };
}
