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

export async function compare(comparison: Comparison): Promise<Series[]> {
  const { entries, rounds, signal, progress } = comparison;
  const all: Series[] = [];
  for (const { case: given, subjects } of entries) {
    const series = subjects.map(({ name }) => ({ case: given, subject: name, runs: [] as Run[] }));
    for (let round = 1; round <= rounds; round++) {
      for (const [index, subject] of subjects.entries()) {
        const run = await measure(given, subject, signal);
        series[index]?.runs.push(run);
        progress?.(`${given.name}, round ${round} of ${rounds}: ${subject.name} ${describe(run)}`);
      }
    }
    all.push(...series);
  }
  return all;
}

function describe({ cpuSeconds, seconds, aside }: Run): string {
  const others = Object.entries({ ...seconds, ...aside }).map(
    ([what, value]) => `${what} ${value.toFixed(2)} s`,
  );
  return `${cpuSeconds.toFixed(2)} CPU s (${others.join(", ")})`;
}
