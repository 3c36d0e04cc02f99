// What is left of a request whose invalid items are left out: exactly the others, and their exact number.

import { deepStrictEqual } from "node:assert";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { salvage } from "../../../collector/wire/salvage.ts";
import { describeProblem, validate } from "../../../collector/wire/validate.ts";
import { Writer } from "../../../collector/wire/writer.ts";
import type { Random } from "../random.ts";
import { protobufSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = signals.map((signal) => ({
  name: `salvage-${signal}`,
  covers: [
    "collector/wire/salvage.ts",
    "collector/wire/validate.ts",
    "collector/wire/leaves.ts",
    "collector/wire/path.ts",
    "collector/wire/writer.ts",
  ],
  shape: "protobuf",
  seeds: (random) => [
    // So small that the copy is written up to the end of its buffer.
    Buffer.from("0a0a12081200120432020a00", "hex"),
    ...protobufSeeds(signal, random).map((bytes) => damagedOnce(bytes, random)),
  ],
  run: (input) => save(signal, input),
}));

function damagedOnce(sound: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(sound);
  if (bytes.length > 0) bytes[random.below(bytes.length)] = random.next();
  return bytes;
}

function save(signal: Signal, input: Uint8Array): boolean {
  if (validate(signal, input).kind === "valid") return false;
  const left = salvage(signal, input);
  if (!left) return false;
  const { batch, rejectedItems, problem } = left;
  const again = validate(signal, batch.bytes);
  demand(again.kind === "valid", () => `what is left is invalid: ${JSON.stringify(again)}`);
  demand(again.batch.items === batch.items && batch.items > 0, () => `${batch.items} items`);
  const isPlace = problem.offset >= 0 && problem.offset <= input.length && problem.path !== "";
  demand(isPlace && describeProblem(problem).length < 2000, () => JSON.stringify(problem));
  const all = leavesOf(input);
  const sound = all.filter((leaf) => isSound(signal, leaf));
  deepStrictEqual(leavesOf(batch.bytes), sound);
  const lost = all.length - sound.length;
  const isCounted = signal === "metrics" ? rejectedItems >= lost : rejectedItems === lost;
  demand(isCounted && lost > 0, () => `${rejectedItems} items of ${lost} leaves are rejected`);
  return true;
}

function leavesOf(bytes: Uint8Array): Buffer[] {
  const found: Buffer[] = [];
  const leaves = new Leaves({ bytes });
  while (leaves.next()) found.push(Buffer.from(bytes.subarray(leaves.start, leaves.end)));
  return found;
}

/** In a request of its own, as deep as it stood before. */
function isSound(signal: Signal, leaf: Uint8Array): boolean {
  const writer = new Writer();
  for (const field of [1, 2, 2]) writer.begin(field);
  writer.raw(leaf);
  for (let level = 0; level < 3; level++) writer.end();
  return validate(signal, writer.finish()).kind === "valid";
}
