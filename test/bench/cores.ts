// The collector has a core for itself, sender and sink have the others. That is how the Go collector
// spends least: with a second core that is idle at times, its scheduler and garbage collector spend up
// to a fifth more, on looking for work. docs/figures.md has what was measured.

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

export interface Cores {
  /** What a command line begins with that is to run there. */
  readonly collector: readonly string[];
  readonly others: readonly string[];
  readonly words: string;
}

export const cores: Cores = chooseCores();

function chooseCores(): Cores {
  const last = availableParallelism() - 1;
  const hasTaskset = spawnSync("taskset", ["--version"]).status === 0;
  if (last < 1 || !hasTaskset) {
    return { collector: [], others: [], words: "collector, sender and sink share all cores" };
  }
  return {
    collector: ["taskset", "-c", "0"],
    others: ["taskset", "-c", `1-${last}`],
    words: "the collector has a core for itself",
  };
}
