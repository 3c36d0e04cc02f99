// What V8 makes of the limits can only be seen in a process of its own.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const heap = fileURLToPath(new URL("../../collector/heap.ts", import.meta.url));

/** What lives for as long as deliveries do, for some seconds; and how often all garbage was collected. */
const load = `
  import { PerformanceObserver, constants } from "node:perf_hooks";
  import { getHeapSpaceStatistics } from "node:v8";
  import { setTimeout as sleep } from "node:timers/promises";
  let newSpaceBytes = 0;
  let collections = 0;
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
    }
  }).observe({ entryTypes: ["gc"] });
  const alive = [];
  for (let round = 0; round < 400; round++) {
    alive[round % 20] = Array.from({ length: 20_000 }, (_, index) => ({ index, round }));
    if (round % 4 === 0) await sleep(5);
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
    newSpaceBytes = Math.max(newSpaceBytes, space.space_size);
  }
  await sleep(20);
  console.log(JSON.stringify({ newSpaceBytes, collections }));
`;

interface Seen {
  readonly newSpaceBytes: number;
  readonly collections: number;
}

async function under(limits: string): Promise<Seen> {
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", limits + load]);
  return JSON.parse(stdout) as Seen; // our own script above printed it
}

test("V8 keeps less room for new objects than it would, and collects the old ones sooner", async () => {
  const usual = await under("");
  const limited = await under(`import { limitHeap } from ${JSON.stringify(heap)}; limitHeap();`);
  expect(limited.newSpaceBytes).toBeLessThan(usual.newSpaceBytes);
  expect(limited.collections).toBeGreaterThan(usual.collections);
});
