// The files that take longest before all others, longest first, so that none of them runs on alone in the end. Without
// the times of an earlier run Vitest goes by the size of the files, and the longest are small. Those that share a worker
// come last, one after the other: between them another file would cost the worker.

import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Of the whole run on two cores, where each took more than 15 s. */
const longest = [
  "fault/kill",
  "collector/output/faults",
  "sdk/runners",
  "fault/syscalls",
  "collector/output/elasticsearch-real",
  "fault/stores",
  "e2e/bad-destinations",
  "sdk/servers",
  "e2e/package",
  "sdk/threads",
  "e2e/go-collector",
  "e2e/first-light",
  "collector/output/remote-write-peer",
  "collector/command/run",
  "collector/command/dead",
  "collector/log/damage",
  "bench/sdk",
  "sdk/metrics/sums",
  "fuzz/fuzz",
  "collector/output/prometheus-restarts",
  "bench/bench",
  "sdk/libraries",
  "e2e/jaeger",
  "sdk/garbage",
  "sdk/peers",
  "sdk/host",
  "sdk/http-routes",
  "e2e/command",
  "collector/output/prometheus-peer",
  "collector/command/doctor",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's, but the sequencer's own
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  if (!project.config.isolate) return longest.length + 1;
  const rank = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return rank < 0 ? longest.length : rank;
}
