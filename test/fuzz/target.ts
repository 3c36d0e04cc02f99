// What a fuzz target is. Each file in targets/ exports one or more of them as `targets`.

import type { Random } from "./random.ts";

export interface Target {
  readonly name: string;
  /** Modules whose branches guide the search, by their paths from the repository's root. */
  readonly covers: readonly string[];
  /** How its inputs are made; bytes without structure unless given. */
  readonly shape?: "protobuf" | "text";
  /** Sound inputs to begin with. */
  seeds(random: Random): Iterable<Uint8Array>;
  /** Words that the format knows, beside the strings in the modules. */
  readonly words?: readonly (string | Uint8Array)[];
  /** 4,096 unless given. */
  readonly maxBytes?: number;
  /** How often a loop may turn beside 200 times for each byte; 10,000 unless given. */
  readonly turns?: number;
  /**
   * Every input; true if it was taken, false if it was refused as it should be. Whatever is thrown is a
   * bug found, and so is a loop of the modules that turns too often.
   */
  run(input: Uint8Array): boolean | Promise<boolean>;
  /** What takes too long for every input: for seeds, those that went a new way, and some others. */
  inspect?(input: Uint8Array, isTaken: boolean): void | Promise<void>;
}

/** Fails a target: an invariant is broken. */
export function demand(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Error(what());
}
