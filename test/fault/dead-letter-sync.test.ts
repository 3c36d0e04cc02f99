// A letter counts as kept when nothing of it can be lost with the power: not its bytes, not the name of
// the file, not the name of the folder.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { letter } from "../support/letters.ts";
import { isStraceAbsent, seenBy, under } from "./strace.ts";

const deadLetters = fileURLToPath(
  new URL("../../collector/output/dead-letters.ts", import.meta.url),
);
const program = `
  const { DeadLetters } = await import(process.argv[1]);
  await new DeadLetters(process.argv[2]).write([JSON.parse(process.argv[3])]);
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-dead-sync-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The calls by which a process of its own writes a letter, each with what it is done to. */
async function callsToWrite(position: number): Promise<string[]> {
  const strace = { trace: join(folder, `trace-${position}`), paths: undefined };
  const [command, ...traced] = [...under(strace), process.execPath];
  const options = ["--conditions=source", "--input-type=module", "-e", program];
  const given = [deadLetters, join(folder, "dead", "out.jsonl"), JSON.stringify(letter(position))];
  const child = spawn(command, [...traced, ...options, ...given], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(code).toBe(0);
  const seen = await seenBy(strace, child.pid ?? 0);
  const telling = new Set(["mkdir", "write", "fsync", "fdatasync"]);
  return seen
    .filter(({ call, path }) => telling.has(call) && path.startsWith(folder))
    .map(({ call, path }) => `${call} ${path.slice(folder.length)}`.trim());
}

describe.skipIf(isStraceAbsent())("before a dead letter counts as kept", () => {
  const file = ["write /dead/out.jsonl", "fdatasync /dead/out.jsonl"];

  test("its file, the folder that names it, and what names the folder are synced", async () => {
    const made = ["mkdir /dead", "fsync", "fsync /dead"];
    expect(await callsToWrite(0)).toEqual([...made, ...file]);
  });

  test("so is a folder that is there already: who made it may not have come so far", async () => {
    await callsToWrite(0);
    expect(await callsToWrite(1)).toEqual(["mkdir /dead", "fsync", ...file]);
  });
});
