// What the commands that look at a collector have in common: how they are called and what they answer.

import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Config } from "../config/schema.ts";

/**
 * What a command says and how it ends: 0 fine, 1 not found or failed, 2 called wrongly; of `sonde run`
 * what the program that it ran ended with.
 */
export interface Result {
  readonly exitCode: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export type Options = NonNullable<ParseArgsConfig["options"]>;

const common = {
  config: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies Options;

/** A wrong call; the message is for the caller. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function parse<More extends Options>(args: readonly string[], more: More) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { ...common, ...more },
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split(". ", 1)[0]);
  }
}

export async function settings(file: string | undefined): Promise<Config> {
  const { loadConfig } = await import("../config/config.ts");
  return (await loadConfig({ env: process.env, file })).config;
}

export const failed = (message: string): Result => ({ exitCode: 1, stderr: `sonde: ${message}\n` });
