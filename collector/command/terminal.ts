// How commands show things to a person: columns, units, times.

import { printable, shorten } from "../wire/printable.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand right, so that their digits do. */
  readonly isRight?: boolean;
}

/** Two blanks between columns, none behind the last. Cells may hold any text. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(clean))];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => row[index]?.length ?? 0)),
  );
  const lines = cells.map((row) =>
    columns
      .map(({ isRight }, index) => {
        const cell = row[index] ?? "";
        return isRight ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

const longestCell = 200;

/** One line of text from outside, for a terminal. */
export function clean(text: string): string {
  return printable(shorten(text, longestCell));
}

/** `1,234` */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 span`, `1,234 spans` */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** `12 B`, `3.4 KiB`, `56 MiB` */
export function size(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1000) return `${short(value, unit === "B")} ${unit}`;
    value /= 1024;
  }
  return `${short(value, false)} TiB`;
}

/** `12 s`, `3.4 min`, `5.6 h`, `7.8 days` */
export function duration(seconds: number): string {
  if (seconds < 90) return `${short(seconds, seconds >= 10)} s`;
  if (seconds < 90 * 60) return `${short(seconds / 60, false)} min`;
  if (seconds < 48 * 3600) return `${short(seconds / 3600, false)} h`;
  return `${short(seconds / 86_400, false)} days`;
}

function short(value: number, isWhole: boolean): string {
  return isWhole || value >= 10 ? count(Math.round(value)) : String(Math.round(value * 10) / 10);
}

/** `2026-01-31 12:34:56`, by the clock on the wall. */
export function time(at: Date | number | string): string {
  const date = new Date(at);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}

const lineWidth = 100;

/** JSON for a person: what fits into a line stands in one. */
export function readable(value: unknown, indent = ""): string {
  const inOneLine = (JSON.stringify(value, undefined, 1) ?? "null").replaceAll(/\n */g, " ");
  if (typeof value !== "object" || value === null) return inOneLine;
  if (indent.length + inOneLine.length <= lineWidth) return inOneLine;
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => inner + readable(item, inner))
    : Object.entries(value).map(
        ([name, item]) => `${inner}${JSON.stringify(name)}: ${readable(item, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}

/** For scripts. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
