// The crash tests at any length: kills at random moments. Ends with 1 if a promise was broken.

import { parseArgs } from "node:util";
import { inWords, killRounds, problemsOf } from "./kill-rounds.ts";

const usage = `npm run crash -- [--rounds N] [--seed S] [--lanes N]

  --rounds N   how often the collector is killed, 200 unless given
  --seed S     of the plan: loads, moments, destinations; made up and printed unless given
  --lanes N    how many collectors are killed side by side, 2 unless given
`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    lanes: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(usage);
else await run();

async function run(): Promise<void> {
  const [rounds = 0, seed = 0, lanes = 0] = [values.rounds, values.seed, values.lanes].map(Number);
  const began = performance.now();
  process.stdout.write(`seed ${seed}\n`);
  const report = await killRounds({ rounds, seed, lanes });
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${inWords(report)}\n  took ${seconds} s\n`);
  const problems = problemsOf(report);
  for (const problem of problems) process.stdout.write(`BROKEN: ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
