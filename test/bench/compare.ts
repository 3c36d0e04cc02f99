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
}

export interface Comparison {
  readonly cases: readonly Case[];
  /** Ours comes first. */
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Told of each run that is done. */
  readonly progress?: (line: string) => void;
}

export async function compare(comparison: Comparison): Promise<Series[]> {
  const { cases, subjects, rounds, signal, progress } = comparison;
  const all: Series[] = [];
  for (const given of cases) {
    const series = subjects.map(({ name }) => ({ case: given, subject: name, runs: [] as Run[] }));
    for (let round = 1; round <= rounds; round++) {
      for (const [index, subject] of subjects.entries()) {
        const run = await measure(given, subject, signal);
        series[index]?.runs.push(run);
        const seconds = run.cpuSeconds.toFixed(2);
        progress?.(`${given.name}, round ${round} of ${rounds}: ${subject.name} ${seconds} CPU s`);
      }
    }
    all.push(...series);
  }
  return all;
}
