// Targets for fuzz.test.ts, which shows that what is planted is found.

import type { Target } from "../target.ts";
import { readNames, readSteps } from "./decoder.ts";

export const targets: readonly Target[] = [
  { name: "planted-throw", decode: readNames },
  { name: "planted-loop", decode: readSteps },
].map(({ name, decode }) => ({
  name,
  covers: ["test/fuzz/planted/decoder.ts"],
  seeds: () => [Uint8Array.of(1, 1, 1), Uint8Array.of(0x42, 5, 1, 2, 3, 4, 5, 0x77, 2, 1, 2)],
  maxBytes: 64,
  run(input) {
    try {
      return decode(input) > 0;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  },
}));
