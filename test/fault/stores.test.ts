// kill -9 of the collector, and all that goes wrong between it and a real store. Any number of records with
// `npm run crash -- --stores --records N`.

import { expect, test } from "vitest";
import { inWords, problemsOf, storeRounds } from "./store-rounds.ts";
import { isStoreAbsent, startStore, storeNames } from "./stores.ts";

const records = Number(process.env["SONDE_TEST_STORE_RECORDS"] ?? 5_000);
const kills = records < 100_000 ? 2 : 3;

for (const name of storeNames) {
  test.skipIf(isStoreAbsent(name))(
    `${name} has each of ${records} acknowledged records once, through faults and kills`,
    { timeout: 120_000 + records * 10 },
    async () => {
      const store = await startStore(name);
      try {
        const seed = Date.now() % 1_000_000;
        const options = { records, kills, seed, percent: records < 100_000 ? 12 : 25 };
        const report = await storeRounds(store, options);
        process.stdout.write(`${inWords(name, report)}; seed ${seed}\n`);
        expect(problemsOf(report, options)).toEqual([]);
      } finally {
        await store.stop();
      }
    },
  );
}
