// OTLP/JSON of requests that are in protobuf already, for receivers that want that, and for people.

import type { Signal } from "../../collector/wire/batch.ts";
import { loadOwn } from "../packages.ts";

export function jsonOf(signal: Signal, body: Uint8Array): string {
  return loadOwn("../collector/wire/to-json").toJson(signal, body);
}

/** A line on stdout for each request. */
export function printLine(signal: Signal): (body: Uint8Array) => boolean {
  return (body) => {
    process.stdout.write(`${jsonOf(signal, body)}\n`);
    return true;
  };
}
