// `sonde check`: what is wrong with the configuration, or what is in effect and where it came from.

import { loadConfig, type Setting, type Sources } from "./config.ts";
import { ConfigError, withoutUser } from "./problem.ts";

export interface Check {
  readonly text: string;
  readonly exitCode: 0 | 2;
}

export async function check(sources: Sources): Promise<Check> {
  try {
    const { settings } = await loadConfig(sources);
    return { text: table(settings), exitCode: 0 };
  } catch (error) {
    if (error instanceof ConfigError) return { text: `${error.message}\n`, exitCode: 2 };
    throw error;
  }
}

/** Name in the file, variable, value, origin. */
function table(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    setting.name,
    setting.variable ?? "-",
    show(setting),
    setting.origin,
  ]);
  const widths = [0, 1, 2].map((column) =>
    Math.min(50, Math.max(...rows.map((row) => row[column]?.length ?? 0))),
  );
  return rows
    .map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`)
    .join("");
}

function show({ value, isBytes, isSecret }: Setting): string {
  if (value === undefined) return "-";
  if (typeof value === "number" && isBytes) return withUnit(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, isSecret)).join(",") || "-";
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).map(([name, item]) => `${name}=${plain(item, isSecret)}`);
    return pairs.join(",") || "-";
  }
  return plain(value, isSecret);
}

function plain(value: unknown, isSecret: boolean): string {
  if (isSecret) return "***";
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  const text = withoutUser(String(value));
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text);
}

/** In the largest unit of which it is a multiple, so that it can be written back as it is. */
function withUnit(bytes: number): string {
  const units = ["TiB", "GiB", "MiB", "KiB"];
  const fit = units.findIndex((_, index) => bytes > 0 && bytes % 1024 ** (4 - index) === 0);
  return fit < 0 ? String(bytes) : `${bytes / 1024 ** (4 - fit)}${units[fit]}`;
}
