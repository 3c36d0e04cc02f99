// The collector's own account of what became of each item, taken from its metrics.

import { expect } from "vitest";
import { type Signal, signals } from "../../collector/wire/batch.ts";
import type { CollectorProcess } from "./collector-process.ts";
import { until } from "./until.ts";

/** For each output and signal: what came into the log since the output began is done with or waits. */
export async function expectBalance(
  collector: CollectorProcess,
  ...outputs: readonly string[]
): Promise<void> {
  for (const output of outputs) {
    for (const signal of signals) {
      const labels = { output, signal };
      const [total, began, done, waiting] = await Promise.all([
        collector.metric("sonde_log_items_total", { signal }),
        collector.metric("sonde_output_began_items", labels),
        collector.metric("sonde_output_items_total", labels),
        collector.metric("sonde_output_waiting_items", labels),
      ]);
      expect(`${output} ${signal} ${done + waiting}`).toBe(`${output} ${signal} ${total - began}`);
    }
  }
}

/** Until the output has nothing left to do; it may be waiting half a minute before it tries again. */
export async function untilDone(collector: CollectorProcess, output: string): Promise<void> {
  const isDone = async (): Promise<boolean> =>
    (await collector.metric("sonde_output_waiting_items", { output })) === 0;
  await until(`nothing waits for ${output}`, isDone, 60_000);
}

export async function delivered(
  collector: CollectorProcess,
  output: string,
  signal: Signal,
): Promise<number> {
  const labels = { output, signal, outcome: "delivered" };
  return await collector.metric("sonde_output_items_total", labels);
}
