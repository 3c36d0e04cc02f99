// Waits for something to become true, instead of sleeping and hoping.

import { setTimeout as sleep } from "node:timers/promises";

/** The first value that is neither false nor undefined; what `check` throws last is what it fails with. */
export async function until<Value>(
  what: string,
  check: () => Promise<Value | false | undefined> | Value | false | undefined,
  limitMs = 60_000,
): Promise<Value> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await check();
      if (value !== false && value !== undefined) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  throw new Error(`not within ${limitMs} ms: ${what}`, { cause: last });
}
