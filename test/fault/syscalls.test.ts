// Every call to the disk failed, and used as the moment of a kill: a part of them here, spread over all
// there are and another part each day; all of them with `npm run crash -- --syscalls`.

import { describe, expect, test } from "vitest";
import { isStraceAbsent } from "./strace.ts";
import { failEveryCall, inWords } from "./syscalls.ts";

const visits = Number(process.env["SONDE_TEST_SYSCALL_VISITS"] ?? 40);

describe.skipIf(isStraceAbsent())("whichever call to the disk fails or is the last", () => {
  test(
    "nothing acknowledged is lost, and the collector works on or says why it does not",
    { timeout: 60_000 + visits * 15_000 },
    async () => {
      const seed = Math.floor(Date.now() / 86_400_000);
      const report = await failEveryCall({ visits, seed, lanes: 2 });
      process.stdout.write(`${inWords(report)}; seed ${seed}\n`);
      expect(report.problems).toEqual([]);
      expect(report.visits).toBe(visits);
      expect(report.missed).toBeLessThanOrEqual(visits / 10);
      expect(Math.min(...Object.values(report.ends))).toBeGreaterThan(0);
    },
  );
});
