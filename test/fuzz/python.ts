// Asks Python's opentelemetry-proto, which is Google's own decoder in C, through read.py.

import { execFileSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Signal } from "../../collector/wire/batch.ts";
import type { Reading } from "./read-message.ts";

const program = fileURLToPath(new URL("read.py", import.meta.url));
const peers = process.env["SONDE_PEERS"] ?? join(homedir(), ".cache/sonde-peers");
const python = join(peers, "python/bin/python");

export type Answer =
  | { readonly items: number; readonly reading: Reading }
  | { readonly refused: string };

export function askForRequests(
  given: readonly { readonly signal: Signal; readonly bytes: Uint8Array }[],
): Answer[] {
  return ask(
    given.map(({ signal, bytes }) => ["request", signal, Buffer.from(bytes).toString("base64")]),
  ) as Answer[];
}

/** By message: number, name, type, and "repeated", "oneof", "optional" or "". */
export type Schema = Readonly<
  Record<string, readonly (readonly [number, string, string, string])[]>
>;

export function askForSchema(signal: Signal): Schema {
  return ask([["schema", signal, ""]])[0] as Schema;
}

/** The bits of the nearest doubles, in hex. */
export function askForDoubles(texts: readonly string[]): string[] {
  return ask(texts.map((text) => ["double", "", text])) as string[];
}

/** All digits of integers such as 1.2e3, "none" where it is none. */
export function askForIntegers(texts: readonly string[]): string[] {
  return ask(texts.map((text) => ["integer", "", text])) as string[];
}

function ask(questions: readonly (readonly [string, string, string])[]): unknown[] {
  const input = questions.map((question) => JSON.stringify(question)).join("\n");
  const output = execFileSync(python, [program], { input, maxBuffer: 1 << 30, encoding: "utf8" });
  return output
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}
