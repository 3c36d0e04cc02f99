import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { countReporter } from "./test/support/count-reporter.ts";
import { FaultsFirst } from "./test/support/faults-first.ts";

export default defineConfig({
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", countReporter],
    // Most of what takes long waits for processes: two at a time, also where there are but two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: FaultsFirst },
    // Generous, since nothing is measured by them: a machine that is shared may be ten times as slow.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // There time itself has gaps, and what is about time may meet one; what is wrong fails again.
    retry: process.env["CI"] ? 2 : 0,
  },
});
