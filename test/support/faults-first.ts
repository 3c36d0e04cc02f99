// The tests of crashes and faults before all others: they are small files and take minutes. Without the times of an earlier run
// Vitest takes the largest file first, and the last of them would run on alone.

import { BaseSequencer, type TestSpecification } from "vitest/node";

export class FaultsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's, but the sequencer's own
    const sorted = await super.sort(files);
    return [...sorted.filter(isOfFaults), ...sorted.filter((file) => !isOfFaults(file))];
  }
}

const isOfFaults = ({ moduleId }: TestSpecification): boolean =>
  /\/test\/fault\/|\/faults\.test\.ts$/.test(moduleId);
