// The figures of test/bench/sdk.ts as tables for docs/figures.md. Each is a ratio to, or what is added to,
// the app without an agent in the same round; the median of the rounds, and their spread.

import type { Ending, Kept, RequestCost, StartCost } from "./sdk-measure.ts";
import type { Agent } from "./sdk-agents.ts";
import type { ProfileSummary } from "./sdk-profile.ts";

/** What was measured of one agent, the rounds in their order. */
export interface Series {
  readonly agent: Agent;
  readonly starts: StartCost[];
  readonly requests: Readonly<Record<string, RequestCost[]>>;
  readonly ends: Map<Ending, Kept>;
}

/** The first series is that without an agent. */
export function report(series: readonly Series[]): string {
  const [base] = series;
  if (!base) return "";
  const apps = Object.keys(base.requests).filter((app) => base.requests[app]?.length);
  return [
    ...apps.map((app) => requestTable(app, series, base)),
    startTable(series, base),
    endTable(series),
  ].join("\n");
}

function requestTable(app: string, series: readonly Series[], base: Series): string {
  const of = ({ requests }: Series) => requests[app] ?? [];
  const compared = (one: Series, read: (cost: RequestCost) => number, how: How): string =>
    spread(
      of(one).map((cost, round) => how(read(cost), read(of(base)[round] ?? cost))),
      how.digits,
    );
  return table(
    [
      `${app}: agent`,
      "CPU µs a request",
      "ratio",
      "added µs",
      "p99 latency, ratio",
      "RSS at rest, added MiB",
      "RSS at saturation, added MiB",
    ],
    series.map((one) => [
      one.agent.name,
      compared(one, ({ cpuMicros }) => cpuMicros, itself),
      compared(one, ({ cpuMicros }) => cpuMicros, ratio),
      compared(one, ({ cpuMicros }) => cpuMicros, added),
      compared(one, ({ p99Ms }) => p99Ms, ratio),
      compared(one, ({ restBytes }) => restBytes / 2 ** 20, added),
      compared(one, ({ peakBytes }) => peakBytes / 2 ** 20, added),
    ]),
  );
}

function startTable(series: readonly Series[], base: Series): string {
  return table(
    ["agent", "start, added ms", "modules loaded", "packages", "installed MB"],
    series.map(({ agent, starts }) => [
      agent.name,
      spread(
        starts.map(({ ms }, round) => ms - (base.starts[round]?.ms ?? ms)),
        0,
      ),
      String(starts.at(-1)?.modules ?? ""),
      String(agent.installed.packages),
      (agent.installed.bytes / 1e6).toFixed(1),
    ]),
  );
}

function endTable(series: readonly Series[]): string {
  const endings = [...(series[0]?.ends.keys() ?? [])];
  const rows = series.filter(({ agent }) => agent.options.length > 0);
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
export function profileReport(ours: ProfileSummary, alone: ProfileSummary): string {
  const without = new Map(alone.parts);
  const parts = ours.parts.filter(([name, micros]) => micros - (without.get(name) ?? 0) >= 0.05);
  return [
    table(
      ["where the microseconds go", "µs a request", "without an agent", "added"],
      parts.slice(0, 30).map(([name, micros]) => {
        const before = without.get(name) ?? 0;
        return [name, ...[micros, before, micros - before].map((value) => value.toFixed(2))];
      }),
    ),
    table(
      ["functions of ours", "µs a request"],
      ours.functions.map(([name, micros]) => [name, micros.toFixed(2)]),
    ),
  ].join("\n");
}

interface How {
  (value: number, base: number): number;
  digits: number;
}

const itself: How = Object.assign((value: number) => value, { digits: 0 });
const ratio: How = Object.assign((value: number, base: number) => value / base, { digits: 2 });
const added: How = Object.assign((value: number, base: number) => value - base, { digits: 0 });

/** `1.52 (1.48 – 1.60)` */
function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const show = (index: number): string => {
    const text = (sorted[index] ?? 0).toFixed(digits);
    return /^-0(\.0+)?$/.test(text) ? text.slice(1) : text;
  };
  const median = show(sorted.length >> 1);
  if (sorted.length < 2) return median;
  return `${median} (${show(0)} – ${show(sorted.length - 1)})`;
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
