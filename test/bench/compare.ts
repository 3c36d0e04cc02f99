// All runs of a benchmark: every case, in rounds in which the collectors take turns, so that a slow minute
// of the machine falls on all of them.

import type { Case } from "./cases.ts";
import { measure, type Run } from "./measure.ts";
import type { Subject } from "./subjects.ts";

/** The rounds of one collector in one case. */
export interface Series {
  readonly case: Case;
  readonly subject: string;
  readonly runs: readonly Run[];
  /** Why there are no more runs. */
  readonly failure?: string;
}

/** A case and the collectors to run it with; ours comes first. */
export interface Entry {
  readonly case: Case;
  readonly subjects: readonly Subject[];
}

export interface Comparison {
  readonly entries: readonly Entry[];
  readonly rounds: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Told of each run that is done. */
  readonly progress?: (line: string) => void;
}

/** A collector that fails is left out of the rounds that follow; the others are measured all the same. */
export async function compare(comparison: Comparison): Promise<Series[]> {
  const { entries, rounds, signal, progress } = comparison;
  const all: Series[] = [];
  for (const { case: given, subjects } of entries) {
    const found = subjects.map((subject) => ({ subject, runs: [] as Run[], failure: "" }));
    for (let round = 1; round <= rounds; round++) {
      for (const one of found.filter(({ failure }) => failure === "")) {
        const { subject, runs } = one;
        const where = `${given.name}, round ${round} of ${rounds}: ${subject.name}`;
        try {
          const run = await measure(given, subject, signal);
          runs.push(run);
          progress?.(`${where} ${describe(run)}`);
        } catch (error) {
          signal.throwIfAborted();
          one.failure = String(error);
          progress?.(`${where} FAILED: ${one.failure}`);
        }
      }
    }
    for (const { subject, runs, failure } of found) {
      all.push({ case: given, subject: subject.name, runs, ...(failure ? { failure } : {}) });
    }
  }
  return all;
}

function describe({ cpuSeconds, seconds, aside }: Run): string {
  const others = Object.entries({ ...seconds, ...aside }).map(
    ([what, value]) => `${what} ${value.toFixed(2)} s`,
  );
  return `${cpuSeconds.toFixed(2)} CPU s (${others.join(", ")})`;
}
