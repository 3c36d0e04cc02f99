// OTLP/JSON of requests that are in protobuf already, for receivers that want that, and for people.

import { createRequire } from "node:module";
import type { Signal } from "../../collector/wire/batch.ts";
import type * as wire from "../../collector/wire/to-json.ts";

const require = createRequire(import.meta.url);
let toJson: typeof wire.toJson | undefined;

/** Loads what it takes when first called: few ask for it. */
export function jsonOf(signal: Signal, body: Uint8Array): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const path = `../../collector/wire/to-json.${extension}`;
  toJson ??= (require(path) as typeof wire).toJson; // the file that the type is of
  return toJson(signal, body);
}

/** A line on stdout for each request. */
export function printLine(signal: Signal): (body: Uint8Array) => boolean {
  return (body) => {
    process.stdout.write(`${jsonOf(signal, body)}\n`);
    return true;
  };
}
