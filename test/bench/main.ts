// The benchmark: what it costs to forward spans, and to show metrics, ours beside the Go collector on the same machine in
// the same minutes. docs/figures.md has what it found.

import { cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { isAbsent } from "../support/peers.ts";
import { type Case, cases, shortened } from "./cases.ts";
import { cores } from "./cores.ts";
import { compare, type Entry, entryOf, metricsEntryOf } from "./compare.ts";
import { type MetricsCase, metricsCases, shortenedMetrics } from "./metrics-cases.ts";
import { formats, type MetricsSubject, otelcolShowing, sondeShowing } from "./metrics-subjects.ts";
import { report } from "./report.ts";
import { build } from "../support/build.ts";
import { stepSubjects } from "./steps.ts";
import { otelcol, sonde, sondeToElasticsearch, type Subject } from "./subjects.ts";

const usage = `npm run bench -- [--all] [--quick] [--rounds N] [--case NAME] [--only NAME]

  --all         every case, with every setting of the Go collector that can do it
  --quick       few requests: shows that it works; its figures are of collectors still warming up
  --rounds N    how often each case is run, 3 unless given
  --case NAME   ${cases.map(({ name }) => name).join(", ")},
                ${metricsCases.map(({ name }) => name).join(", ")}; may be given several times; without it those that say most
  --only NAME   of the collectors only those whose name begins so: sonde, "otelcol, disk"
`;

const quickRequests = 300;

const flags = {
  all: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  rounds: { type: "string", default: "3" },
  case: { type: "string", multiple: true },
  only: { type: "string", default: "" },
} as const;

interface Options {
  readonly cases: readonly Case[];
  readonly metricsCases: readonly MetricsCase[];
  readonly isAll: boolean;
  readonly rounds: number;
  readonly only: string;
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

const options = parse();
if (options) {
  await run(options).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
    console.error("stopped");
    process.exitCode = 1;
  });
} else {
  console.error(usage);
  process.exitCode = 2;
}

async function run({ cases, metricsCases, isAll, rounds, only }: Options): Promise<void> {
  const built = await build();
  try {
    const hasOtelcol = !isAbsent("otelcol");
    const isWanted = ({ name }: { readonly name: string }): boolean => name.startsWith(only);
    const spans = cases.map((given) => {
      const theirs = hasOtelcol ? othersIn(given, isAll) : [];
      return entryOf(given, [...oursIn(given, built.main), ...theirs].filter(isWanted));
    });
    const metrics = metricsCases.map((given) => {
      const theirs = hasOtelcol ? [otelcolShowing] : [];
      return metricsEntryOf(given, [...showingIn(given, built.main), ...theirs].filter(isWanted));
    });
    const entries: Entry[] = [...spans, ...metrics];
    const { signal } = stop;
    console.log(machine());
    const series = await compare({ entries, rounds, signal, progress: console.error });
    console.log(`\n${report(series)}`);
    console.log(`load average at the end: ${loads()}`);
    if (series.some(({ failure }) => failure)) process.exitCode = 1;
    if (!hasOtelcol) console.log("ONLY sonde was measured: otelcol is absent.");
  } finally {
    built.remove();
  }
}

function oursIn({ name }: Case, program: string): readonly Subject[] {
  if (name === "steps") return stepSubjects(program);
  return [name === "logs-elasticsearch" ? sondeToElasticsearch(program) : sonde(program)];
}

/** What of the Go collector stands beside ours: every setting that can do it, or those that say most. */
function othersIn({ name, kind, protocol }: Case, isAll: boolean): readonly Subject[] {
  if (name === "steps") return [];
  const { memoryBatch, memory, disk, diskQueueBatch } = otelcol;
  const able = Object.values(otelcol).filter((subject) => {
    if (kind === "recovery") return subject.isDurable;
    // A queue in memory without batches is full after a thousand requests.
    return kind === "forward" || subject !== memory;
  });
  const telling = [memoryBatch, diskQueueBatch];
  if (kind === "forward" && protocol === "http") telling.push(disk);
  return isAll ? able : able.filter((subject) => telling.includes(subject));
}

/** How points come in is the same in any format. */
function showingIn({ kind }: MetricsCase, program: string): readonly MetricsSubject[] {
  const names = Object.keys(formats) as (keyof typeof formats)[]; // the keys of that very object
  return (kind === "points" ? names.slice(0, 1) : names).map((name) => sondeShowing(name, program));
}

function parse(): Options | undefined {
  let values;
  try {
    ({ values } = parseArgs({ options: flags }));
  } catch {
    return undefined;
  }
  const rounds = Number(values.rounds);
  const isChosen = ({ name, isUsual }: Case | MetricsCase): boolean =>
    values.case ? values.case.includes(name) : values.all || isUsual;
  const chosen = cases.filter(isChosen);
  const ofMetrics = metricsCases.filter(isChosen);
  const known = new Set([...chosen, ...ofMetrics].map(({ name }) => name));
  const isKnown = (values.case ?? []).every((name) => known.has(name));
  if (!Number.isInteger(rounds) || rounds < 1 || !isKnown) return undefined;
  return {
    rounds,
    isAll: values.all,
    only: values.only,
    metricsCases: values.quick ? ofMetrics.map(shortenedMetrics) : ofMetrics,
    cases: values.quick ? chosen.map((given) => shortened(given, quickRequests)) : chosen,
  };
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model ?? "unknown processor";
  const { version } = process;
  const what = `${cpus().length} x ${model}, ${memory} GiB, node ${version}`;
  return `${what}, load average ${loads()}; ${cores.words}`;
}

function loads(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(" ");
}
