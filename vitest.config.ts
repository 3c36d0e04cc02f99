import { defineConfig } from "vitest/config";
import { countReporter } from "./test/support/count-reporter.ts";

export default defineConfig({
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", countReporter],
    // Generous, since nothing is measured by them: a machine that is shared may be ten times as slow.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // There time itself has gaps, and what is about time may meet one; what is wrong fails again.
    retry: process.env["CI"] ? 2 : 0,
  },
});
