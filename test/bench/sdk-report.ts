// The figures of test/bench/sdk.ts as tables for docs/figures.md. Each is a ratio to, or what is added to,
// the app without an agent in the same turn or round; their median and their spread.

import type { AppName, Ending, Kept } from "./sdk-measure.ts";
import type { Agent } from "./sdk-agents.ts";
import type { Profile } from "./sdk-profile.ts";
import type { Heat } from "./sdk-requests.ts";

/** What was measured of one agent, the rounds in their order. */
export interface Series {
  readonly agent: Agent;
  readonly modules: number;
  readonly startsMs: number[];
  readonly heats: Readonly<Record<AppName, Heat[]>>;
  readonly ends: Map<Ending, Kept>;
}

/** The first series is that without an agent. */
export function report(series: readonly Series[]): string {
  const [base] = series;
  if (!base) return "";
  const apps = (["http", "express"] as const).filter((app) => base.heats[app].length > 0);
  return [
    ...apps.map((app) => requestTable(app, series, base)),
    startTable(series, base),
    ...(series.some(({ ends }) => ends.size > 0) ? [endTable(series)] : []),
  ].join("\n");
}

function requestTable(app: AppName, series: readonly Series[], base: Series): string {
  const turns = ({ heats }: Series) => heats[app].flatMap(({ micros }) => micros);
  const column = (read: (heat: Heat) => number | readonly number[], how: How) => (one: Series) =>
    spread(compared(one.heats[app].flatMap(read), base.heats[app].flatMap(read), how), how.digits);
  const micros = (how: How) => column((heat) => heat.micros, how);
  const p99 = (how: How) => column((heat) => heat.p99Ms, how);
  const columns: Readonly<Record<string, (one: Series) => string>> = {
    "CPU µs a request": micros(itself),
    ratio: micros(ratio),
    "added µs": micros(added),
    "in quiet turns": (one) => (quiet(turns(one)) - quiet(turns(base))).toFixed(1),
    "p99 latency, ms": p99({ ...itself, digits: 2 }),
    "p99 latency, ratio": p99(ratio),
    "RSS at rest, added MiB": column(({ restBytes }) => restBytes / 2 ** 20, added),
    "RSS at saturation, added MiB": column(({ peakBytes }) => peakBytes / 2 ** 20, added),
    "spans a request that arrive": column(({ spans }) => spans, itself),
    "log records": column(({ logs }) => logs, itself),
  };
  return table(
    [`${app}: agent`, ...Object.keys(columns)],
    series.map((one) => [one.agent.name, ...Object.values(columns).map((show) => show(one))]),
  );
}

/** What a tenth of the turns is below: least changed by what else the machine has to do. */
function quiet(micros: readonly number[]): number {
  return micros.toSorted((a, b) => a - b)[Math.floor(micros.length / 10)] ?? 0;
}

function compared(values: readonly number[], bases: readonly number[], how: How): number[] {
  return values.map((value, index) => how.of(value, bases[index] ?? value));
}

function startTable(series: readonly Series[], base: Series): string {
  return table(
    ["agent", "start, added ms", "modules loaded", "packages", "installed MB"],
    series.map(({ agent, modules, startsMs }) => [
      agent.name,
      spread(compared(startsMs, base.startsMs, added), 0),
      String(modules),
      String(agent.installed.packages),
      (agent.installed.bytes / 1e6).toFixed(1),
    ]),
  );
}

function endTable(series: readonly Series[]): string {
  const rows = series.slice(1);
  const endings = [...(rows[0]?.ends.keys() ?? [])];
  return table(
    ["last span", ...endings, "kept"],
    rows.map(({ agent, ends }) => [
      agent.name,
      ...endings.map((ending) => ends.get(ending) ?? ""),
      `${[...ends.values()].filter((kept) => kept === "kept").length} of ${endings.length}`,
    ]),
  );
}

/** Beside each other: what the same part costs without us. */
export function profileReport(ours: Profile, alone: Profile): string {
  const without = new Map(alone.parts);
  const rows = ours.parts.map(([name, micros]) => {
    const before = without.get(name) ?? 0;
    return { name, micros, before, added: micros - before };
  });
  const total = (parts: Profile["parts"]) => parts.reduce((sum, [, micros]) => sum + micros, 0);
  const [micros, before] = [total(ours.parts), total(alone.parts)];
  const shown = [
    { name: "all", micros, before, added: micros - before },
    ...rows.toSorted((one, other) => other.added - one.added).slice(0, 30),
  ];
  return [
    table(
      ["where the microseconds go", "µs a request", "without an agent", "added"],
      shown.map(({ name, micros, before, added }) => [
        name,
        ...[micros, before, added].map((value) => value.toFixed(2)),
      ]),
    ),
    table(
      ["functions of ours", "µs a request"],
      ours.functions.slice(0, 30).map(([name, micros]) => [name, micros.toFixed(2)]),
    ),
  ].join("\n");
}

interface How {
  readonly of: (value: number, base: number) => number;
  readonly digits: number;
}

const itself: How = { of: (value) => value, digits: 1 };
const ratio: How = { of: (value, base) => value / base, digits: 2 };
const added: How = { of: (value, base) => value - base, digits: 1 };

/** `1.52 (1.48 – 1.60)`: the median, and between which half of the others lie; of few between which all do. */
function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const show = (share: number): string => {
    const text = (sorted[Math.round((sorted.length - 1) * share)] ?? 0).toFixed(digits);
    return /^-0(\.0+)?$/.test(text) ? text.slice(1) : text;
  };
  if (sorted.length < 2) return show(0);
  const [low, high] = sorted.length < 6 ? [0, 1] : [0.25, 0.75];
  return `${show(0.5)} (${show(low)} – ${show(high)})`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, titles.map(() => ""), ...rows];
  const widths = titles.map((_, column) => Math.max(3, ...all.map((row) => row[column]!.length)));
  const lines = all.map((row, index) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column]!, index === 1 ? "-" : " "));
    return `| ${cells.join(" | ")} |`;
  });
  return `${lines.join("\n")}\n`;
}
