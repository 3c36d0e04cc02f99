// The crash tests at any length. Ends with 1 if a promise was broken.

import { parseArgs } from "node:util";
import { inWords, killRounds, problemsOf } from "./kill-rounds.ts";
import {
  inWords as storeInWords,
  problemsOf as storeProblems,
  storeRounds,
} from "./store-rounds.ts";
import { startStore, type StoreName, storeNames } from "./stores.ts";
import { failEveryCall, inWords as callsInWords } from "./syscalls.ts";

const usage = `npm run crash -- [--rounds N] [--seed S] [--lanes N]
npm run crash -- --syscalls [--visits N] [--seed S] [--lanes N]
npm run crash -- --stores NAME[,NAME] [--records N] [--kills N] [--seed S]

  --rounds N   how often the collector is killed at a random moment, 200 unless given
  --syscalls   instead: fails every call to the disk, and kills at each; needs strace
  --visits N   of those, only so many, spread over all
  --stores     instead: log records to real stores (elasticsearch, opensearch, loki), through faults
  --records N  of these, how many are sent to each, 200000 unless given
  --kills N    of these, how often the collector is killed, 3 unless given
  --seed S     of the plan: loads, moments, destinations, which visits; made up unless given
  --lanes N    how many collectors run side by side, 2 unless given
`;

const given = options();
if (given) await run(given);
else {
  process.stderr.write(usage);
  process.exitCode = 2;
}

interface Given {
  readonly isSyscalls: boolean;
  readonly stores: readonly StoreName[];
  readonly records: number;
  readonly kills: number;
  readonly rounds: number;
  readonly visits: number | undefined;
  readonly seed: number;
  readonly lanes: number;
}

function options(): Given | undefined {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "200" },
        syscalls: { type: "boolean", default: false },
        visits: { type: "string" },
        stores: { type: "string", default: "" },
        records: { type: "string", default: "200000" },
        kills: { type: "string", default: "3" },
        seed: { type: "string", default: String(Date.now() % 1_000_000) },
        lanes: { type: "string", default: "2" },
      },
    });
    const given = {
      isSyscalls: values.syscalls,
      rounds: Number(values.rounds),
      stores: storeNames.filter((name) => values.stores.split(",").includes(name)),
      records: Number(values.records),
      kills: Number(values.kills),
      visits: values.visits === undefined ? undefined : Number(values.visits),
      seed: Number(values.seed),
      lanes: Number(values.lanes),
    };
    const counts = [given.rounds, given.visits ?? 1, given.lanes, given.records, given.kills];
    const known = values.stores === "" || given.stores.length === values.stores.split(",").length;
    return known && counts.every((count) => count > 0) && Number.isSafeInteger(given.seed)
      ? given
      : undefined;
  } catch {
    return undefined;
  }
}

async function run(given: Given): Promise<void> {
  const began = performance.now();
  process.stdout.write(`seed ${given.seed}\n`);
  const how = given.isSyscalls ? syscalls : given.stores.length > 0 ? stores : kills;
  const { words, problems } = await how(given);
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${words}\n  took ${seconds} s\n`);
  for (const problem of problems) process.stdout.write(`BROKEN: ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

interface Result {
  readonly words: string;
  readonly problems: readonly string[];
}

async function kills({ rounds, seed, lanes }: Given): Promise<Result> {
  const report = await killRounds({ rounds, seed, lanes });
  return { words: inWords(report), problems: problemsOf(report) };
}

async function syscalls({ visits, seed, lanes }: Given): Promise<Result> {
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = await failEveryCall({
    ...(visits === undefined ? {} : { visits }),
    seed,
    lanes,
    progress,
  });
  const { covered, points } = report;
  const isPart = visits !== undefined || covered === points;
  const missing = isPart ? [] : [`${points - covered} calls were never visited`];
  return { words: callsInWords(report), problems: [...report.problems, ...missing] };
}

async function stores({ stores: names, records, kills: count, seed }: Given): Promise<Result> {
  const words: string[] = [];
  const problems: string[] = [];
  for (const name of names) {
    const store = await startStore(name);
    try {
      const options = { records, kills: count, seed, percent: 25 };
      const report = await storeRounds(store, options);
      words.push(storeInWords(name, report));
      problems.push(...storeProblems(report, options).map((problem) => `${name}: ${problem}`));
    } finally {
      await store.stop();
    }
  }
  return { words: words.join("\n"), problems };
}
