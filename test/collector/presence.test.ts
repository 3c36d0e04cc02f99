import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { announce, findCollector } from "../../collector/presence.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-presence-"));
  path = join(folder, "collector.json");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const url = "http://127.0.0.1:4319";

test("a collector is found while it is there", async () => {
  expect(await findCollector(folder)).toBeUndefined();
  const withdraw = await announce(folder, { url });
  expect(await findCollector(folder)).toEqual({ pid: process.pid, url });
  await withdraw();
  expect(existsSync(path)).toBe(false);
  expect(await findCollector(folder)).toBeUndefined();
});

test("one without a web port is found without an address", async () => {
  await announce(folder, {});
  expect(await findCollector(folder)).toEqual({ pid: process.pid });
});

test("the file is for its owner, whatever stood there before", async () => {
  writeFileSync(path, "{}");
  chmodSync(path, 0o666);
  await announce(folder, { url });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("one that was killed is not found, nor is another process that has its number now", async () => {
  await announce(folder, { url });
  const stored = JSON.parse(readFileSync(path, "utf8")) as { process: string };
  writeFileSync(path, JSON.stringify({ ...stored, process: `${process.pid} 1` }));
  expect(await findCollector(folder)).toBeUndefined();
  writeFileSync(path, JSON.stringify({ ...stored, process: "2147483646 1" }));
  expect(await findCollector(folder)).toBeUndefined();
});

test.each(["", "{", "null", "7", '{"pid":1}', '{"process":7}'])(
  "%j is no collector",
  async (text) => {
    writeFileSync(path, text);
    expect(await findCollector(folder)).toBeUndefined();
  },
);

test("what another one has announced since is not taken back", async () => {
  const withdraw = await announce(folder, { url });
  writeFileSync(path, JSON.stringify({ pid: 1, process: "1 1" }));
  await withdraw();
  expect(existsSync(path)).toBe(true);
});
