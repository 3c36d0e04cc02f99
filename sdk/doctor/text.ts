// What `sonde doctor` found, for a person: a block for each question, and at the end what is to be done.

import { printable, shorten } from "../../collector/wire/printable.ts";
import type { Examination } from "./doctor.ts";

export function textOf(found: Examination): string {
  const blocks = [
    block("Node", [[mark(true), found.node.version, found.node.path]]),
    block("SDK", [sdkLine(found)]),
    block("Settings", settingsLines(found)),
    block("Instrumented", instrumentedLines(found)),
    block("Not", notLines(found)),
    block("Endpoints", endpointLines(found)),
    block("Test span", testSpanLines(found)),
  ];
  return `${blocks.filter((block) => block !== "").join("\n")}${conclusion(found)}`;
}

type Row = readonly string[];

const mark = (isWell: boolean): string => (isWell ? "✓" : "✗");

function sdkLine({ preload, isDisabled, problems }: Examination): Row {
  if (isDisabled) return [mark(false), "switched off by OTEL_SDK_DISABLED"];
  if (preload !== undefined) return [mark(true), `preloaded by ${preload}`];
  if (problems.some((problem) => problem.startsWith("nothing preloads"))) {
    return [mark(false), "not preloaded"];
  }
  return [
    "·",
    "name the app's command to see whether it is preloaded: sonde doctor -- node app.js",
  ];
}

function settingsLines({ variables, problems }: Examination): Row[] {
  if (variables.length === 0) return [["·", "no variable is set, the defaults hold"]];
  return variables.map(({ name, value }) => {
    const problem = problems.find((problem) => problem.startsWith(`${name}: `));
    return [mark(problem === undefined), name, value];
  });
}

function instrumentedLines({ libraries: { builtIn, packages, project } }: Examination): Row[] {
  const rows: Row[] = packages
    .filter(({ isInstrumented }) => isInstrumented)
    .map(({ name, version, why }) => [mark(true), name, version, why]);
  const none =
    project === undefined ? [["·", "no package.json here, so no packages are known"]] : [];
  return [[mark(true), `of Node: ${builtIn.join(", ")}`], ...rows, ...none];
}

const mostOthers = 12;

function notLines({ libraries: { packages, others } }: Examination): Row[] {
  const rows: Row[] = packages
    .filter(({ isInstrumented }) => !isInstrumented)
    .map(({ name, version, why }) => ["·", name, version || "-", why]);
  if (others.length === 0) return rows;
  const more = others.length > mostOthers ? ", …" : "";
  const names = others.slice(0, mostOthers).join(", ") + more;
  return [...rows, ["·", `nobody makes spans of: ${names}`]];
}

function endpointLines({ endpoints, isDisabled }: Examination): Row[] {
  if (isDisabled) return [];
  if (endpoints.length === 0) return [["·", "nothing is sent by OTLP"]];
  return endpoints.map(({ signals, url, protocol, failure }) => [
    mark(failure === undefined),
    signals.join(", "),
    url,
    failure ?? protocol,
  ]);
}

function testSpanLines({ testSpan }: Examination): Row[] {
  if (testSpan === undefined) return [];
  const { traceId, outcome, failure } = testSpan;
  return [[mark(failure === undefined), traceId || "-", outcome]];
}

function conclusion({ problems }: Examination): string {
  if (problems.length === 0) return "\nAll is well.\n";
  const lines = problems.map((problem) => `  ✗ ${printable(problem)}\n`);
  return `\n${problems.length === 1 ? "One thing is" : `${problems.length} things are`} wrong:\n${lines.join("")}`;
}

const titleWidth = 14;
const longestCell = 120;

/** The title stands before the first row only; rows of several cells are lined up. */
function block(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const cells = rows.map((row) => row.map((cell) => printable(shorten(cell, longestCell))));
  const lined = cells.filter((row) => row.length > 2);
  const widthOf = (column: number): number =>
    Math.max(0, ...lined.map((row) => row[column]?.length ?? 0));
  return cells
    .map((row, index) => {
      const text = row.map((cell, at) => (row.length > 2 ? cell.padEnd(widthOf(at)) : cell));
      return `${(index === 0 ? title : "").padEnd(titleWidth)}${text.join("  ").trimEnd()}\n`;
    })
    .join("");
}
