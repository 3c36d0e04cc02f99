// A folder with a sonde.yaml (or none) and variables, as a user would start the collector with.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { loadConfig, type Loaded } from "../../../collector/config/config.ts";
import { ConfigError } from "../../../collector/config/problem.ts";

export interface Given {
  readonly env?: Readonly<Record<string, string>>;
  /** The text of sonde.yaml. */
  readonly yaml?: string | Uint8Array;
  /** Other files in the folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** What --config names. */
  readonly file?: string;
}

/** Goes with the test. */
export function folderWith({ yaml, files = {} }: Given): string {
  const folder = mkdtempSync(join(tmpdir(), "sonde-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  if (yaml !== undefined) writeFileSync(join(folder, "sonde.yaml"), yaml);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

export async function load(given: Given): Promise<Loaded> {
  return await loadConfig({ env: given.env ?? {}, file: given.file, cwd: folderWith(given) });
}

/** Everything that is said to be wrong; nothing if it is all right. */
export async function problems(given: Given): Promise<readonly string[]> {
  try {
    await load(given);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
