// kill -9 of the real process under load, 200 times where the suite is the judge; any number with
// `npm run crash -- --rounds N`.

import { expect, test } from "vitest";
import { inWords, killRounds, problemsOf } from "./kill-rounds.ts";

const rounds = Number(
  process.env["SONDE_TEST_KILL_ROUNDS"] ?? (process.env["CI"] === "true" ? 200 : 20),
);

test(
  `nothing acknowledged is lost in ${rounds} rounds of kill -9`,
  { timeout: 60_000 + rounds * 5_000 },
  async () => {
    const seed = Date.now() % 1_000_000;
    const report = await killRounds({ rounds, seed, lanes: 2 });
    process.stdout.write(`${inWords(report)}; seed ${seed}\n`);
    expect(problemsOf(report)).toEqual([]);
  },
);
