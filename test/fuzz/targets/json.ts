// OTLP/JSON to protobuf: what is taken, refused and written, beside a second reading of the same text.

import { deepStrictEqual } from "node:assert";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { type FromJson, fromJson, JsonError } from "../../../collector/wire/from-json.ts";
import { mostFaults } from "../../../collector/wire/salvage.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { maxDepth } from "../../../collector/wire/walk-rules.ts";
import { readForeign } from "../foreign.ts";
import { type JsonReading, readJson, Refusal } from "../read-json.ts";
import { jsonSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = signals.map((signal) => ({
  name: `json-${signal}`,
  covers: ["collector/wire/from-json.ts", "collector/wire/json-values.ts"],
  shape: "text",
  seeds: (random) => jsonSeeds(signal, random),
  words: ['"', ":", "[", "]", "{", "}", ",", "\\", "null", '"__proto__":', "\ufeff", "1e999"],
  run: (input) => take(signal, input) !== undefined,
  inspect: (input) => compare(signal, input),
}));

function take(signal: Signal, input: Uint8Array): FromJson | undefined {
  try {
    const made = fromJson(signal, input);
    const validation = validate(signal, made.bytes);
    demand(validation.kind === "valid", () => "what was made of it is invalid");
    const { leftOut } = made;
    if (leftOut) {
      demand(leftOut.items > 0 && validation.batch.items > 0, () => "nothing is left out, or all");
      demand(leftOut.message.length < 1000, () => "a message without end");
    }
    return made;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    demand(error.message.length < 1000, () => "a message without end");
    return undefined;
  }
}

function compare(signal: Signal, input: Uint8Array): void {
  const made = take(signal, input);
  const ours = made && {
    request: readForeign(signal, made.bytes),
    leftOut: made.leftOut?.items ?? 0,
  };
  deepStrictEqual(ours, reference(signal, input));
}

/** With the one known disagreement: see roundsFractions. */
function reference(signal: Signal, input: Uint8Array): JsonReading | undefined {
  const rules = {
    maxMessages: maxDepth,
    maxBrackets: 2 * maxDepth,
    roundsFractions: true,
    mostLeftOut: mostFaults,
  };
  try {
    return readJson(signal, input, rules);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
