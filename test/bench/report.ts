// What a benchmark run found, as a table for a terminal of 100 columns.

import { createHash } from "node:crypto";
import type { Series } from "./compare.ts";
import type { Run } from "./measure.ts";

/** Where the first series of a case is ours, the others are set in relation to it. */
export function report(series: readonly Series[]): string {
  const head = ["case", "collector", "spans per CPU-second", "ratio", "peak", "came"];
  let ours: Series | undefined;
  const lines = series.flatMap((one) => {
    if (one.case === ours?.case) return linesOf(one, ["", ratio(ours, one)]);
    ours = one;
    return linesOf(one, [one.case.name, ""]);
  });
  const parts = [row(head), ...lines, legend, ...excessesIn(series)];
  return `${parts.join("\n")}\nhash of the result: ${resultHash(series)}`;
}

function linesOf(series: Series, [name, ratio]: readonly [string, string]): string[] {
  const { subject, runs, failure } = series;
  const [failed = ""] = failure?.split("\n") ?? [];
  if (runs.length === 0) return [row([name, subject, `FAILED: ${failed}`])];
  const peak = `${Math.round(peakOf(series) / 1e6)} MB`;
  const measured = [spreadOf(spansPerCpuSecond(series)), ratio, peak, booksOf(runs)];
  return [
    row([name, subject, ...measured]),
    ...secondsOf(runs),
    ...(failed ? [row(["", "", `after ${runs.length} rounds FAILED: ${failed}`])] : []),
  ];
}

const mostBytes = 150e6;
const mostBytesOf = (given: Series["case"]): number => given.mostBytes ?? mostBytes;

/** Where ours takes more memory than it may in any case. */
function excessesIn(series: readonly Series[]): string[] {
  const found = series.filter((one) => isOurs(one) && peakOf(one) > mostBytesOf(one.case));
  return found.map(({ subject, case: given }) => {
    const most = `at most ${mostBytesOf(given) / 1e6} MB are allowed`;
    return `TOO MUCH MEMORY: ${subject} in ${given.name}, ${most}`;
  });
}

const isOurs = ({ subject }: Series): boolean => subject.startsWith("sonde");

const peakOf = ({ runs }: Series): number => Math.max(...runs.map(({ peakBytes }) => peakBytes));

const legend = `
spans per CPU-second: of the collector's process alone; median (least-most); what is counted are
  log records, points or scraped series where the case is about these
longest answer meanwhile: of a quarter of a second while somebody scrapes, to one who sends
ratio: of sonde's spans per CPU-second to the other's, round by round; below 1 sonde loses
peak: the most memory that it had in use (VmHWM), in any round; came: whether all that was sent did`;

/** What else was measured, for those kinds of case whose point that is. */
function secondsOf(runs: readonly Run[]): string[] {
  const names = Object.keys(runs[0]?.seconds ?? {});
  return names.map((name) => {
    const values = runs.map(({ seconds }) => seconds[name] ?? 0);
    const digits = Math.max(...values) < 1 ? 3 : 2;
    return row(["", "", `${name}: ${spreadOf(values, digits)} s`]);
  });
}

/** Of what was sent and what came: the same for every run of the same cases that lost nothing. */
export function resultHash(series: readonly Series[]): string {
  const hash = createHash("sha256");
  for (const { case: given, subject, runs } of series) {
    for (const { sent, delivered } of runs) {
      hash.update(`${given.name} ${subject} ${sent} ${delivered}\n`);
    }
  }
  return hash.digest("hex").slice(0, 12);
}

function spansPerCpuSecond({ runs }: Series): number[] {
  return runs.map(({ spans, cpuSeconds }) => spans / cpuSeconds);
}

/** Of runs that stand next to each other: how fast the machine is changes from minute to minute. */
function ratio(ours: Series, theirs: Series): string {
  if (ours.runs.length === 0 || !isOurs(ours)) return "";
  const others = spansPerCpuSecond(theirs);
  const own = spansPerCpuSecond(ours).slice(0, others.length);
  const ratios = own.map((value, round) => value / (others[round] ?? 0));
  const [middle, least, most] = spread(ratios);
  return `${middle.toFixed(2)} (${least.toFixed(1)}-${most.toFixed(1)})`;
}

function booksOf(runs: readonly Run[]): string {
  const sum = (pick: (run: Run) => number): number =>
    runs.reduce((total, run) => total + pick(run), 0);
  const missing = sum(({ sent, delivered }) => sent - delivered);
  const parts = [missing === 0 ? "yes" : `${missing} missing`];
  const duplicates = sum((run) => run.duplicates);
  if (duplicates > 0) parts.push(`${duplicates} twice`);
  const refusals = sum((run) => run.refusals);
  if (refusals > 0) parts.push(`${refusals} refused`);
  return parts.join(", ");
}

function spreadOf(values: readonly number[], digits = 0): string {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const [middle, least, most] = spread(values).map((value) =>
    value.toLocaleString("en-US", format),
  );
  return `${middle} (${least}-${most})`;
}

function spread(values: readonly number[]): [middle: number, least: number, most: number] {
  return [median(values), Math.min(...values), Math.max(...values)];
}

function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? 0;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? 0)) / 2 : upper;
}

const widths = [18, 27, 25, 14, 6, 0];

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join(" ")
    .trimEnd();
}
