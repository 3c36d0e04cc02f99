// What trusts the bytes that validate() accepts: every field by every way of reading, one leaf apart, as
// JSON and back to the same message, as protobufjs reads it.

import { deepStrictEqual } from "node:assert";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { extractLeaf } from "../../../collector/wire/extract.ts";
import { bytesFromJson } from "../../support/otlp-json.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { toJson } from "../../../collector/wire/to-json.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { readForeign } from "../foreign.ts";
import { readMessage } from "../read-message.ts";
import { protobufSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = signals.map((signal) => ({
  name: `views-${signal}`,
  covers: [
    "collector/wire/cursor.ts",
    "collector/wire/extract.ts",
    "collector/wire/leaves.ts",
    "collector/wire/to-json.ts",
  ],
  shape: "protobuf",
  seeds: (random) => protobufSeeds(signal, random),
  run: (input) => read(signal, input),
  inspect(input, isTaken) {
    if (isTaken) compare(signal, input);
  },
}));

function read(signal: Signal, input: Uint8Array): boolean {
  if (validate(signal, input).kind === "invalid") return false;
  toJson(signal, input);
  const leaves = new Leaves({ bytes: input });
  let count = 0;
  while (leaves.next()) count++;
  for (const index of [0, count - 1]) {
    const one = extractLeaf(input, index);
    demand((one !== undefined) === (index >= 0 && count > 0), () => `leaf ${index} of ${count}`);
    if (one) demand(validate(signal, one).kind === "valid", () => "an extracted leaf is invalid");
  }
  demand(extractLeaf(input, count) === undefined, () => "a leaf beyond the last");
  return true;
}

function compare(signal: Signal, input: Uint8Array): void {
  const reading = readMessage(signal, input);
  deepStrictEqual(readForeign(signal, input), reading);
  const again = bytesFromJson(signal, toJson(signal, input));
  demand(validate(signal, again).kind === "valid", () => "JSON made invalid bytes");
  deepStrictEqual(readMessage(signal, again), reading);
}
