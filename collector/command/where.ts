// `sonde where`: what became of a trace at each output.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { OutputReport, ReportedOutcome, TraceReport } from "../query/where.ts";
import { ask } from "./ask.ts";
import { failed, parse, type Result, settings, UsageError } from "./command.ts";
import { clean, counted, duration, json, size, table, time } from "./terminal.ts";

export const usage = `sonde where: what became of a trace at each output

  sonde where TRACE_ID        32 hexadecimal digits

  --config FILE  the settings file
  --json         for scripts

  delivered   the output's destination has taken it
  waiting     it is still to be delivered: behind what, and for how long
  filtered    a step of the output took it out, or the output takes no traces
  rejected    the destination refused it: see sonde dead show
  passed      delivered or filtered: which, only a running collector can tell

  What every output is done with leaves the log after a while, and is not found any more.
  Exit status: 0 found; 1 not found, or it could not be looked for; 2 wrong call or settings.
`;

export async function run(args: readonly string[]): Promise<Result> {
  const { values, positionals } = parse(args, {});
  if (values.help) return { exitCode: 0, stdout: usage };
  const [given, extra] = positionals;
  if (given === undefined) throw new UsageError("a trace id is missing");
  if (extra !== undefined) throw new UsageError(`"${extra}" is too much`);
  const { parseTraceId } = await import("../query/trace-search.ts");
  const traceId = parseTraceId(given);
  if (!traceId) throw new UsageError(`"${given}" is not a trace id: 32 hexadecimal digits`);

  const config = await settings(values.config);
  const path = `/api/where/${traceId.toString("hex")}`;
  const answer = await ask(config, { method: "GET", path });
  if (answer.kind === "refused") return failed(answer.error);
  const isAsked = answer.kind === "answer";
  // What the API says it is.
  const report = isAsked ? (answer.body as TraceReport) : await readFolder(traceId, config);
  const note = isAsked && answer.note !== "" ? `sonde: ${answer.note}\n` : "";
  const exitCode = report.span_count > 0 ? 0 : 1;
  if (values.json) return { exitCode, stdout: json(report), stderr: note };
  if (exitCode === 1) return failed(notFound(report, isAsked));
  return { exitCode, stdout: textOf(report), stderr: note };
}

/** Without a collector: cursors and books as they were last written. */
async function readFolder(traceId: Buffer, { dataDir, outputs }: Config): Promise<TraceReport> {
  const { heldIn, readCursors } = await import("../log/inspect.ts");
  const { linesIn } = await import("../query/books-in.ts");
  const { where } = await import("../query/where.ts");
  const folder = join(dataDir, "log");
  if (!existsSync(folder)) return await where(traceId, { held: noneHeld, outputs: [] });
  const cursors = await readCursors(folder);
  const found = outputs.map(({ name }) => {
    const state = cursors.get(name);
    const books = linesIn(state?.memo) ?? [];
    const deadLetters = join(dataDir, "dead", `${name}.jsonl`);
    return { name, position: state?.position ?? 0, books, deadLetters };
  });
  return await where(traceId, { held: () => heldIn(folder), outputs: found });
}

async function* noneHeld(): AsyncGenerator<never> {}

function notFound({ trace_id, outputs }: TraceReport, isAsked: boolean): string {
  const source = isAsked ? "" : " No collector was asked; the data folder was read.";
  const refused = outputs.some((output) => output.refused_without_letter > 0)
    ? " Some outputs refused spans of which no dead letter is left."
    : "";
  return (
    `trace ${trace_id} is not in the log: it never came, or every output is done with it ` +
    `and it was deleted.${refused}${source}`
  );
}

// ── as a person reads it ─────────────────────────────────────────────────────────────────────────

const mostSpans = 20;

function textOf(report: TraceReport): string {
  const batches = new Set(report.spans.map(({ position }) => position)).size;
  const head = `trace ${report.trace_id}: ${counted(report.span_count, "span")} in ${counted(batches, "batch", "batches")}\n`;
  return `${head}\n${spansOf(report)}\n${outputsOf(report)}${notesOf(report)}`;
}

function spansOf({ spans, span_count }: TraceReport): string {
  const rows = spans.slice(0, mostSpans).map((span) => {
    const { span_id, service, name, received, position, is_in_log } = span;
    const place = is_in_log ? String(position) : "dead letter";
    return [span_id, clean(service) || "-", clean(name) || "-", time(received), place];
  });
  const columns = ["span", "service", "name", "received", "position"].map((title) => ({ title }));
  const rest = span_count - rows.length;
  return table(columns, rows) + (rest > 0 ? `… ${counted(rest, "more span")}\n` : "");
}

function outputsOf({ outputs }: TraceReport): string {
  const rows = outputs.flatMap((output) =>
    output.outcomes.map((outcome, index) => [
      index === 0 ? output.output : "",
      outcome.outcome,
      counted(outcome.spans, "span"),
      wordsFor(outcome, output),
    ]),
  );
  if (rows.length === 0) return "no output is configured\n";
  const columns = ["output", "outcome", "spans", "why"].map((title) => ({ title }));
  return table(columns, rows);
}

function wordsFor(outcome: ReportedOutcome, { failure }: OutputReport): string {
  switch (outcome.outcome) {
    case "delivered":
      return "";
    case "passed":
      return "delivered or filtered";
    case "filtered":
      if (outcome.step !== undefined) return `by step ${outcome.step}`;
      return outcome.reason === "not_wanted" ? "it takes no traces" : (outcome.reason ?? "");
    case "rejected":
      if (!outcome.letters) return outcome.detail ?? "";
      return `${outcome.reason}: ${outcome.detail} (${wordsForLetters(outcome.letters)})`;
    default:
      return wordsForWaiting(outcome, failure);
  }
}

const mostLetters = 3;

function wordsForLetters(ids: readonly string[]): string {
  const named = ids.slice(0, mostLetters).join(", ");
  return `dead letter${ids.length > 1 ? "s" : ""} ${named}${ids.length > mostLetters ? ", …" : ""}`;
}

function wordsForWaiting(
  { before_it: ahead, age_s: age = 0 }: ReportedOutcome,
  failure: OutputReport["failure"],
): string {
  const { batches = 0, items = 0, bytes = 0 } = ahead ?? {};
  const place =
    batches === 0
      ? "next to be delivered"
      : `behind ${counted(batches, "batch", "batches")} (${counted(items, "item")}, ${size(bytes)})`;
  const why = failure ? `; ${failure.reason}: ${failure.detail}` : "";
  return `${place}, for ${duration(age)}${why}`;
}

function notesOf({ outputs }: TraceReport): string {
  const notes = outputs
    .filter(({ outcomes }) => outcomes.some(({ outcome }) => outcome === "delivered"))
    .filter((output) => output.refused_without_letter > 0)
    .map(
      ({ output, refused_without_letter: spans }) =>
        `${output} has refused ${counted(spans, "span")} of which no dead letter is left ` +
        `(sent again, dropped, or not kept); delivered is what was not found among the others.\n`,
    );
  return notes.length === 0 ? "" : `\n${notes.join("")}`;
}
