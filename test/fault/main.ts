// The crash tests at any length. Ends with 1 if a promise was broken.

import { parseArgs } from "node:util";
import { inWords, killRounds, problemsOf } from "./kill-rounds.ts";
import { failEveryCall, inWords as callsInWords } from "./syscalls.ts";

const usage = `npm run crash -- [--rounds N] [--seed S] [--lanes N]
npm run crash -- --syscalls [--visits N] [--seed S] [--lanes N]

  --rounds N   how often the collector is killed at a random moment, 200 unless given
  --syscalls   instead: fails every call to the disk, and kills at each; needs strace
  --visits N   of those, only so many, spread over all
  --seed S     of the plan: loads, moments, destinations, which visits; made up unless given
  --lanes N    how many collectors run side by side, 2 unless given
`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    syscalls: { type: "boolean", default: false },
    visits: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    lanes: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await run();

async function run(): Promise<void> {
  const [seed, lanes] = [Number(values.seed), Number(values.lanes)];
  const began = performance.now();
  process.stdout.write(`seed ${seed}\n`);
  const { words, problems } = values.syscalls
    ? await syscalls(seed, lanes)
    : await kills(seed, lanes);
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${words}\n  took ${seconds} s\n`);
  for (const problem of problems) process.stdout.write(`BROKEN: ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

interface Result {
  readonly words: string;
  readonly problems: readonly string[];
}

async function kills(seed: number, lanes: number): Promise<Result> {
  const report = await killRounds({ rounds: Number(values.rounds), seed, lanes });
  return { words: inWords(report), problems: problemsOf(report) };
}

async function syscalls(seed: number, lanes: number): Promise<Result> {
  const visits = values.visits === undefined ? {} : { visits: Number(values.visits) };
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = await failEveryCall({ ...visits, seed, lanes, progress });
  const { covered, points } = report;
  const isPart = values.visits !== undefined || covered === points;
  const missing = isPart ? [] : [`${points - covered} calls were never visited`];
  return { words: callsInWords(report), problems: [...report.problems, ...missing] };
}
