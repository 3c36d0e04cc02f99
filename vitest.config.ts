import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { compileCache } from "./test/support/compile-cache.ts";
import { countReporter } from "./test/support/count-reporter.ts";
import { LongestFirst } from "./test/support/longest-first.ts";

Object.assign(process.env, compileCache); // for the workers

/**
 * Small, and without anything that one of them could leave behind for the next: workers that they
 * share cost half the CPU that one for each does.
 */
const small = [
  "access",
  "config",
  "http1",
  "http2",
  "query",
  "receive",
  "step",
  "telemetry",
  "wire",
].map((folder) => `test/collector/${folder}/**/*.test.ts`);

export default defineConfig({
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    projects: [
      { extends: true, test: { name: "together", include: small, isolate: false } },
      {
        extends: true,
        test: {
          name: "apart",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...small],
        },
      },
    ],
    reporters: ["default", countReporter],
    // Most of what takes long waits: for a process, or for time to pass. So one more than there are cores.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // Generous, since nothing is measured by them: a machine that is shared may be ten times as slow.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // There time itself has gaps, and what is about time may meet one; what is wrong fails again.
    retry: process.env["CI"] ? 2 : 0,
  },
});
