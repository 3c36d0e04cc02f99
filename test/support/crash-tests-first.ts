// The crash tests before all others: they are small files and take minutes. Without the times of an earlier run
// Vitest takes the largest file first, and the last of them would run on alone.

import { BaseSequencer, type TestSpecification } from "vitest/node";

export class CrashTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's, but the sequencer's own
    const sorted = await super.sort(files);
    return [...sorted.filter(isCrashTest), ...sorted.filter((file) => !isCrashTest(file))];
  }
}

const isCrashTest = ({ moduleId }: TestSpecification): boolean => moduleId.includes("/test/fault/");
