// All runs of a benchmark: every case, in rounds in which the collectors take turns, so that a slow minute
// of the machine falls on all of them.

import type { Case } from "./cases.ts";
import { measure, type Run } from "./measure.ts";
import type { MetricsCase } from "./metrics-cases.ts";
import { measureMetrics } from "./metrics-measure.ts";
import type { MetricsSubject } from "./metrics-subjects.ts";
import type { Subject } from "./subjects.ts";

/** The rounds of one collector in one case. */
export interface Series {
  readonly case: Case | MetricsCase;
  readonly subject: string;
  readonly runs: readonly Run[];
  /** Why there are no more runs. */
  readonly failure?: string;
}

/** A case and the collectors to run it with; ours comes first. */
export interface Entry {
  readonly case: Case | MetricsCase;
  readonly subjects: readonly Measurable[];
}

interface Measurable {
  readonly name: string;
  measure(signal: AbortSignal): Promise<Run>;
}

export const entryOf = (given: Case, subjects: readonly Subject[]): Entry => ({
  case: given,
  subjects: subjects.map((subject) => ({
    name: subject.name,
    measure: (signal) => measure(given, subject, signal),
  })),
});

export const metricsEntryOf = (given: MetricsCase, subjects: readonly MetricsSubject[]): Entry => ({
  case: given,
  subjects: subjects.map((subject) => ({
    name: subject.name,
    measure: (signal) => measureMetrics(given, subject, signal),
  })),
});

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
      const left = found.filter(({ failure }) => failure === "");
      // Backwards every other time, so that none of them always comes behind the same one.
      for (const one of round % 2 === 0 ? left.toReversed() : left) {
        const { subject, runs } = one;
        const where = `${given.name}, round ${round} of ${rounds}: ${subject.name}`;
        try {
          const run = await subject.measure(signal);
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
