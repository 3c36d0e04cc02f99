// The walk over foreign OTLP bytes.

import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { quickCount } from "../../../collector/wire/quick-walk.ts";
import {
  describeProblem,
  validateThoroughly,
  type WireProblem,
} from "../../../collector/wire/validate.ts";
import { protobufSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = signals.map((signal) => ({
  name: `protobuf-${signal}`,
  covers: ["validate", "leaves", "join-parts"].map((name) => `collector/wire/${name}.ts`),
  shape: "protobuf",
  seeds: (random) => protobufSeeds(signal, random),
  run: (input) => walk(signal, input),
}));

function walk(signal: Signal, input: Uint8Array): boolean {
  const result = validateThoroughly(signal, input);
  demand(result.kind === "valid" || isSane(result.problem, input), () => JSON.stringify(result));
  const items = result.kind === "valid" ? result.batch.items : result.items;
  demand(items >= 0 && items <= input.length, () => `${items} items in ${input.length} bytes`);
  const quick = quickCount(signal, input);
  const isTakenAsGiven = result.kind === "valid" && result.batch.bytes === input;
  demand(
    quick === undefined || (isTakenAsGiven && quick === items),
    () => `quickly ${quick} items`,
  );
  // Now held against its own items, whatever was walked before.
  demand(quickCount(signal, input) === quick, () => `quickly ${quick} items, but not again`);
  if (result.kind === "invalid") return false;
  const { bytes } = result.batch;
  const again = bytes === input ? result : validateThoroughly(signal, bytes);
  const isSame = again.kind === "valid" && again.batch.bytes === bytes;
  demand(isSame && again.batch.items === items, () => "what was joined is not what it was");
  const leaves = new Leaves({ bytes: input });
  let count = 0;
  let last = 0;
  while (leaves.next()) {
    count++;
    demand(leaves.start >= last && leaves.end <= input.length, () => "a leaf out of its place");
    last = leaves.end;
  }
  demand(signal === "metrics" || count === items, () => `${count} leaves, ${items} items`);
  return true;
}

const step = String.raw`[a-z_]+(\[\d+\])?`;
const path = new RegExp(`^(${step}(\\.${step})*)?$`);

function isSane(problem: WireProblem, { length }: Uint8Array): boolean {
  const isPlace = problem.offset >= 0 && problem.offset <= length && path.test(problem.path);
  return isPlace && describeProblem(problem).length < 2000;
}
