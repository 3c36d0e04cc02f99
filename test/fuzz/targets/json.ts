// OTLP/JSON to protobuf: what is taken, refused and written, beside a second reading of the same text.

import { deepStrictEqual } from "node:assert";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { fromJson, JsonError } from "../../../collector/wire/from-json.ts";
import { maxDepth, validate } from "../../../collector/wire/validate.ts";
import { readForeign } from "../foreign.ts";
import { readJson, Refusal } from "../read-json.ts";
import type { Reading } from "../read-message.ts";
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

function take(signal: Signal, input: Uint8Array): Uint8Array | undefined {
  try {
    const bytes = fromJson(signal, input);
    demand(validate(signal, bytes).kind === "valid", () => "what was made of it is invalid");
    return bytes;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    demand(error.message.length < 1000, () => "a message without end");
    return undefined;
  }
}

function compare(signal: Signal, input: Uint8Array): void {
  const made = take(signal, input);
  const ours = made && readForeign(signal, made);
  deepStrictEqual(ours, reference(signal, input));
}

/** With the one known disagreement: see roundsFractions. */
function reference(signal: Signal, input: Uint8Array): Reading | undefined {
  const rules = { maxMessages: maxDepth, maxBrackets: 2 * maxDepth, roundsFractions: true };
  try {
    return readJson(signal, input, rules);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
