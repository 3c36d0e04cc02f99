// `sonde log`: what is in the log's folder. It only reads, whether a collector runs there or not.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Damage, InspectedReader, InspectedSegment, Inspection } from "../log/inspect.ts";
import type { Outcome } from "../output/books.ts";
import { findCollector } from "../presence.ts";
import type { PerSignal } from "../wire/batch.ts";
import { failed, parse, type Result, settings, UsageError } from "./command.ts";
import { count, counted, duration, json, size, table, time } from "./terminal.ts";

export const usage = `sonde log: what is in the log on disk

  sonde log                   segments, where each output stands, dead letters, damage

  --config FILE  the settings file
  --json         for scripts

  It reads the whole log and changes nothing; a collector may run meanwhile.
  Exit status: 0 fine; 1 no log, or acknowledged data was lost to damage; 2 wrong call or settings.
`;

export async function run(args: readonly string[]): Promise<Result> {
  const { values, positionals } = parse(args, {});
  if (values.help) return { exitCode: 0, stdout: usage };
  if (positionals[0] !== undefined) throw new UsageError(`"${positionals[0]}" is too much`);
  const config = await settings(values.config);
  const folder = resolve(config.dataDir, "log");
  const { inspect } = await import("../log/inspect.ts");
  const inspection = await inspect(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!inspection) {
    const why = config.log === "disk" ? "no collector has run with this data_dir" : "log is memory";
    return failed(`there is no log in ${folder}: ${why}`);
  }
  const report = await reportOf(inspection, folder, config);
  const exitCode = report.damages.some(({ kind }) => kind === "lost") ? 1 : 0;
  return { exitCode, stdout: values.json ? json(report) : textOf(report) };
}

// ── as scripts read it ───────────────────────────────────────────────────────────────────────────

interface Report {
  readonly folder: string;
  readonly id: string | undefined;
  readonly used_by_process: number | undefined;
  readonly bytes: number;
  readonly max_bytes: number;
  readonly next_position: number;
  readonly segments: readonly SegmentReport[];
  readonly readers: readonly ReaderReport[];
  readonly dead_letters: readonly { readonly output: string; readonly bytes: number }[];
  readonly damages: readonly Damage[];
}

interface SegmentReport extends Omit<InspectedSegment, "upTo" | "firstAtMs" | "lastAtMs"> {
  readonly up_to: number;
  readonly first_at: string | undefined;
  readonly last_at: string | undefined;
}

interface ReaderReport {
  readonly name: string;
  readonly is_configured: boolean;
  /** Its file has something in it, but no sound line: it will be given everything again. */
  readonly is_damaged: boolean;
  /** Undefined where it has not committed anything. */
  readonly position: number | undefined;
  readonly behind: {
    readonly batches: number;
    readonly items: PerSignal;
    readonly bytes: number;
    readonly oldest_age_s: number | undefined;
  };
  /** Items by what became of them, since the output began; undefined where that cannot be read. */
  readonly books: Readonly<Record<Outcome, number>> | undefined;
}

async function reportOf(inspection: Inspection, folder: string, config: Config): Promise<Report> {
  const { linesIn } = await import("../query/books-in.ts");
  const running = await findCollector(config.dataDir);
  const names = new Set(running?.outputs ?? config.outputs.map(({ name }) => name));
  const nowMs = Date.now();
  return {
    folder,
    id: inspection.id,
    used_by_process: inspection.usedBy,
    bytes: inspection.bytes,
    max_bytes: config.logMaxBytes,
    next_position: inspection.head,
    segments: inspection.segments.map(({ upTo, firstAtMs, lastAtMs, ...segment }) => ({
      ...segment,
      up_to: upTo,
      first_at: isoOf(firstAtMs),
      last_at: isoOf(lastAtMs),
    })),
    readers: inspection.readers.map((reader: InspectedReader) => {
      const { name, position, isDamaged, memo, behind } = reader;
      const { oldestAtMs, ...amount } = behind;
      const age = oldestAtMs === undefined ? undefined : Math.max(0, nowMs - oldestAtMs) / 1000;
      const books = { delivered: 0, filtered: 0, rejected: 0, dropped: 0 };
      const lines = linesIn(memo);
      for (const { outcome, items } of lines ?? []) books[outcome] += items;
      return {
        name,
        is_configured: names.has(name),
        is_damaged: isDamaged,
        position,
        behind: { ...amount, oldest_age_s: age },
        books: lines && books,
      };
    }),
    dead_letters: await deadLettersOf(config.dataDir),
    damages: inspection.damages,
  };
}

const isoOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

async function deadLettersOf(dataDir: string): Promise<Report["dead_letters"]> {
  const folder = join(dataDir, "dead");
  const files = await readdir(folder).catch(() => []);
  const found: { output: string; bytes: number }[] = [];
  for (const file of files.filter((name) => name.endsWith(".jsonl")).toSorted()) {
    const { size: bytes } = await stat(join(folder, file));
    if (bytes > 0) found.push({ output: file.slice(0, -".jsonl".length), bytes });
  }
  return found;
}

// ── as a person reads it ─────────────────────────────────────────────────────────────────────────

function textOf(report: Report): string {
  const parts = [
    headOf(report),
    segmentsOf(report),
    readersOf(report),
    deadOf(report),
    damagesOf(report),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function headOf({ folder, id, used_by_process: pid, bytes, max_bytes }: Report): string {
  const use = pid === undefined ? "not in use" : `in use by process ${pid}`;
  return (
    `log ${id ?? "(its id cannot be read)"} in ${folder}, ${use}\n` +
    `${size(bytes)} of ${size(max_bytes)} (log_max_bytes)\n`
  );
}

function segmentsOf({ segments }: Report): string {
  const rows = segments.map((segment) => {
    const { file, bytes, from, up_to, batches, items, first_at, last_at } = segment;
    const { traces, metrics, logs } = items;
    const positions = up_to > from ? `${from}–${up_to - 1}` : "-";
    const times = [first_at, last_at].map((at) => (at === undefined ? "-" : time(at)));
    return [file, size(bytes), positions, ...[batches, traces, metrics, logs].map(count), ...times];
  });
  const columns = [
    { title: "segment" },
    { title: "size", isRight: true },
    { title: "positions" },
    { title: "batches", isRight: true },
    { title: "spans", isRight: true },
    { title: "points", isRight: true },
    { title: "records", isRight: true },
    { title: "first" },
    { title: "last" },
  ];
  return table(columns, rows);
}

const outcomes = ["delivered", "filtered", "rejected", "dropped"] as const;

function readersOf({ readers }: Report): string {
  if (readers.length === 0) return "no output has read from it yet\n";
  const rows = readers.map(({ name, is_configured, is_damaged, position, behind, books }) => [
    is_configured ? name : `${name} (not configured)`,
    position === undefined ? (is_damaged ? "unreadable" : "-") : String(position),
    ...outcomes.map((outcome) => (books ? count(books[outcome]) : "-")),
    behindOf(behind),
  ]);
  const columns = [
    { title: "output" },
    { title: "position", isRight: true },
    ...outcomes.map((title) => ({ title, isRight: true })),
    { title: "waiting" },
  ];
  return table(columns, rows);
}

function behindOf({ batches, items, bytes, oldest_age_s: age }: ReaderReport["behind"]): string {
  if (batches === 0) return "nothing";
  const all = items.traces + items.metrics + items.logs;
  const since = age === undefined ? "" : `, for ${duration(age)}`;
  return `${counted(batches, "batch", "batches")}, ${counted(all, "item")}, ${size(bytes)}${since}`;
}

function deadOf({ dead_letters }: Report): string {
  if (dead_letters.length === 0) return "";
  const each = dead_letters.map(({ output, bytes }) => `${output} ${size(bytes)}`);
  return `dead letters: ${each.join(", ")}; see sonde dead list\n`;
}

function damagesOf({ damages }: Report): string {
  return damages.map((damage) => `${wordsForDamage(damage)}\n`).join("");
}

function wordsForDamage({ file, offset, bytes, kind, batches, items }: Damage): string {
  const place = `${file} at byte ${offset}`;
  const length = counted(bytes, "byte");
  switch (kind) {
    case "lost": {
      const lost = `${counted(batches, "batch", "batches")} lost (${wordsFor(items)})`;
      return bytes === 0
        ? `damage: ${file === "" ? "" : `behind ${file}: `}${lost}`
        : `damage: ${place}: ${length} cannot be read: ${lost}`;
    }
    case "head":
      return `damage: ${place}: its head cannot be read; nothing is lost by that`;
    default:
      return `${place}: ${length} that a crash left behind; nothing that was acknowledged`;
  }
}

function wordsFor({ traces, metrics, logs }: PerSignal): string {
  const parts = [
    traces > 0 ? counted(traces, "span") : "",
    metrics > 0 ? counted(metrics, "data point") : "",
    logs > 0 ? counted(logs, "log record") : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "how many items is not known" : parts.join(", ");
}
