// For work on our own disk, which nobody else can do: when it fails it is tried again until it works.

import { setTimeout as sleep } from "node:timers/promises";
import { Backoff, type BackoffOptions } from "./backoff.ts";

export interface InsistOptions {
  readonly backoff: BackoffOptions;
  /** Ends it between two tries. */
  readonly stop: AbortSignal;
  readonly failed: (error: unknown) => void;
}

/** Undefined when it was stopped before the work was done. */
export async function insist<Value>(
  work: () => Promise<Value>,
  { backoff, stop, failed }: InsistOptions,
): Promise<Value | undefined> {
  const waits = new Backoff(backoff);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      failed(error);
    }
    await sleep(waits.nextMs(), undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return undefined;
  }
}
