// Coverage-guided fuzzing of everything that reads foreign bytes. docs/fuzzing.md tells about it.

import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { instrumentImports } from "./coverage.ts";
import { fuzz, runOnce } from "./engine.ts";
import { header, line, saveCrash, summary } from "./report.ts";
import type { Target } from "./target.ts";

const usage = `npm run fuzz -- [--target NAME]… [--seconds N | --runs N] [--seed S] [--json]
npm run fuzz -- --target NAME --input BASE64

  --target NAME   of which to run, several times if wanted; all unless given
  --seconds N     how long for each, 10 unless given
  --runs N        how many inputs for each: with the same seed it is the same run every time
  --seed S        a number, 1 unless given
  --input BASE64  runs this one input and shows what comes of it
  --json          one line of JSON for each target
`;

await main();

async function main(): Promise<void> {
  const given = options();
  if (!given) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  instrumentImports(["collector/", "test/fuzz/planted/"]);
  const known = await load(given.folder);
  const chosen = known.filter(({ name }) => given.names.length === 0 || given.names.includes(name));
  const missing = given.names.find((name) => !known.some((target) => target.name === name));
  if (missing !== undefined) {
    const names = known.map(({ name }) => name).join(", ");
    process.stderr.write(`no target is called ${missing}; there are ${names}\n`);
    process.exitCode = 2;
    return;
  }
  if (given.input !== undefined) await runOne(chosen, Buffer.from(given.input, "base64"));
  else await runAll(chosen, given);
}

async function runAll(targets: readonly Target[], given: Given): Promise<void> {
  if (!given.isJson) process.stdout.write(header());
  for (const target of targets) {
    const result = await fuzz(target, given);
    process.stdout.write(given.isJson ? `${JSON.stringify(summary(result))}\n` : line(result));
    if (!result.crash) continue;
    process.exitCode = 1;
    process.stderr.write(saveCrash(result, given.seed));
  }
}

async function runOne([target]: readonly Target[], input: Uint8Array): Promise<void> {
  if (!target) return;
  const isTaken = await runOnce(target, input);
  process.stdout.write(`${target.name}: ${isTaken ? "taken" : "refused"}\n`);
}

async function load(folder: string): Promise<Target[]> {
  const url = new URL(`${folder}/`, import.meta.url);
  const targets: Target[] = [];
  for (const file of readdirSync(url).toSorted()) {
    const module = (await import(new URL(file, url).href)) as { targets?: readonly Target[] };
    targets.push(...(module.targets ?? []));
  }
  return targets;
}

interface Given {
  readonly names: readonly string[];
  readonly folder: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly input: string | undefined;
  readonly isBlind: boolean;
  readonly isJson: boolean;
}

function options(): Given | undefined {
  try {
    const { values } = parseArgs({
      options: {
        target: { type: "string", multiple: true, default: [] },
        folder: { type: "string", default: "targets" },
        seconds: { type: "string" },
        runs: { type: "string" },
        seed: { type: "string", default: "1" },
        input: { type: "string" },
        blind: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const seconds = Number(values.seconds ?? (values.runs === undefined ? 10 : Infinity));
    const runs = Number(values.runs ?? Infinity);
    const seed = Number(values.seed);
    if (!(seconds > 0 && runs > 0 && Number.isSafeInteger(seed))) return undefined;
    const { target: names, folder, input, blind: isBlind, json: isJson } = values;
    return { names, folder, seed, runs, seconds, input, isBlind, isJson };
  } catch {
    return undefined;
  }
}
