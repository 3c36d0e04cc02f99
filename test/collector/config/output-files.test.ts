import { linkSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../collector/config/config.ts";
import { ConfigError } from "../../../collector/config/problem.ts";
import { folderWith } from "./folder.ts";

/** What is said of outputs a, b and so on to these paths, in a folder that was prepared. */
async function saidOf(
  paths: readonly string[],
  prepare: (folder: string) => void = () => {},
  more = "",
): Promise<readonly string[]> {
  const outputs = paths.map((path, index) => {
    const name = "abc"[index];
    return `  ${name}: { type: file, path: ${JSON.stringify(path)}${more} }\n`;
  });
  const folder = folderWith({
    yaml: `outputs:\n${outputs.join("")}`,
    files: { "there.jsonl": "" },
  });
  prepare(folder);
  try {
    await loadConfig({ env: {}, cwd: folder });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const already = (path: string): string =>
  `sonde.yaml:3 outputs.b.path: ${JSON.stringify(path)} is a file of outputs.a already; give each its own`;

describe("two outputs to one file are refused", () => {
  it.each([
    ["by the same path", "new.jsonl", "new.jsonl"],
    ["by another spelling", "new.jsonl", "./folder/..//new.jsonl"],
    ["that is there", "there.jsonl", "./there.jsonl"],
    ["through a link to it", "there.jsonl", "link.jsonl"],
    ["through a link to what is not there yet", "new.jsonl", "dangling.jsonl"],
    ["through a link of a link", "new.jsonl", "twice.jsonl"],
    ["through a link to its folder", "folder/deep/new.jsonl", "linked/deep/new.jsonl"],
    ["by another name of it", "there.jsonl", "hard.jsonl"],
  ])("%s", async (_, first, second) => {
    const prepare = (folder: string): void => {
      mkdirSync(join(folder, "folder"));
      symlinkSync("there.jsonl", join(folder, "link.jsonl"));
      symlinkSync("./new.jsonl", join(folder, "dangling.jsonl"));
      symlinkSync(join(folder, "dangling.jsonl"), join(folder, "twice.jsonl"));
      symlinkSync("folder", join(folder, "linked"));
      linkSync(join(folder, "there.jsonl"), join(folder, "hard.jsonl"));
    };
    expect(await saidOf([first, second], prepare)).toEqual([already(second)]);
  });

  it("by an absolute path, and where three share it each but the first is told", async () => {
    const folder = folderWith({});
    const path = join(folder, "x.jsonl");
    expect(await saidOf([path, path, path])).toHaveLength(2);
  });

  it("where the one would be set aside over the other, whichever comes first", async () => {
    const more = ", max_bytes: 1MiB, max_files: 3";
    expect(await saidOf(["x.jsonl", "x.jsonl.3"], undefined, more)).toEqual([already("x.jsonl.3")]);
    expect(await saidOf(["x.jsonl.1", "x.jsonl"], undefined, more)).toEqual([already("x.jsonl")]);
    expect(await saidOf(["x.jsonl", "x.jsonl.4"], undefined, more)).toEqual([]);
    expect(await saidOf(["x.jsonl", "x.jsonl.1"])).toEqual([]);
  });
});

describe("the collector's own files are no outputs", () => {
  it.each([
    ["dead letters", ".sonde/dead/b.jsonl", "in .sonde/dead"],
    ["those of another type", "./.sonde/dead/prometheus.jsonl", "in .sonde/dead"],
    ["the log", ".sonde/log/x", "in .sonde/log"],
    ["where it says that it runs", ".sonde/collector.json", ".sonde/collector.json"],
    ["through a link", "link.jsonl", "in .sonde/dead"],
  ])("%s", async (_, path, where) => {
    const link = (folder: string): void =>
      symlinkSync(join(folder, ".sonde", "dead", "b.jsonl"), join(folder, "link.jsonl"));
    const said = await saidOf([path], link);
    expect(said).toEqual([
      `sonde.yaml:2 outputs.a.path: ${JSON.stringify(path)} is ${where}, ` +
        "which is the collector's own; give another",
    ]);
  });

  it("but others may lie beside them", async () => {
    expect(await saidOf([".sonde/archive.jsonl", ".sonde/dead.jsonl"])).toEqual([]);
  });
});

it("what is no file may be shared: standard output, /dev/null", async () => {
  expect(await saidOf(["-", "-"])).toEqual([]);
  expect(await saidOf(["/dev/null", "/dev/null"])).toEqual([]);
});

it("links in a circle come to an end", async () => {
  const circle = (folder: string): void => {
    symlinkSync("b.jsonl", join(folder, "a.jsonl"));
    symlinkSync("a.jsonl", join(folder, "b.jsonl"));
  };
  expect(await saidOf(["a.jsonl", "c.jsonl"], circle)).toEqual([]);
});
