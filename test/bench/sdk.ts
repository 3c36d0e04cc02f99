// What observing an app costs it, ours beside what people use today: npm run bench:sdk. The app has one
// core, requests and telemetry the other; agents take turns, so that a slow minute falls on all of them.

import { cpus, loadavg, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { nodeOf } from "../support/on-demand.ts";
import { type Child, startChild } from "./child.ts";
import { cores } from "./cores.ts";
import { type Agent, none, others, ours } from "./sdk-agents.ts";
import {
  type AppName,
  ask,
  type Effort,
  type Ending,
  endings,
  type Machine,
  measureEnd,
  measureRequests,
  measureStart,
} from "./sdk-measure.ts";
import { profile } from "./sdk-profile.ts";
import { profileReport, report, type Series } from "./sdk-report.ts";
import { build } from "../support/build.ts";

const usage = `npm run bench:sdk -- [options]

  --rounds N     5 unless given
  --app NAME     http (a bare server) or express (express 4, a call to another service, a line of pino);
                 both unless given
  --only TEXT    of the agents only those whose name holds it, and no agent; may be given several times
  --node MAJOR   the apps run on another Node, such as 22 or 26, which is installed for that
  --start        only what an agent adds to the start
  --profile      instead of figures: where the CPU time of a request goes
  --quick        few requests, ours from source, nothing installed: shows that it works
`;

interface Options {
  readonly rounds: number;
  readonly apps: readonly AppName[];
  readonly only: readonly string[];
  readonly node: string;
  readonly isStart: boolean;
  readonly isProfile: boolean;
  readonly isQuick: boolean;
}

const efforts: Readonly<Record<AppName, Effort>> = {
  http: { requests: 20_000, paced: 1500, ratePerSecond: 300 },
  express: { requests: 6000, paced: 1000, ratePerSecond: 200 },
};
const quickEffort: Effort = { requests: 100, paced: 20, ratePerSecond: 100 };

await main();

async function main(): Promise<void> {
  const options = parse();
  if (options === undefined) return;
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const load = startChild(new URL("sdk-load.ts", import.meta.url), interrupted.signal);
  // In the built file there is nothing to be seen of whose a function is.
  const built = options.isQuick || options.isProfile ? undefined : await build();
  try {
    const { url: loadUrl } = await ask<{ url: string }>(load, { kind: "listen" });
    const machine = { node: options.node, load, loadUrl, signal: interrupted.signal };
    const agents = agentsFor(options, built?.main);
    console.log(conditions(options));
    if (options.isProfile) await showProfiles(agents, options, machine);
    else console.log(`\n${report(await measure(agents, options, machine))}`);
  } finally {
    built?.remove();
    await load.stop();
  }
}

function parse(): Options | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      app: { type: "string", multiple: true },
      only: { type: "string", multiple: true },
      node: { type: "string" },
      start: { type: "boolean" },
      profile: { type: "boolean" },
      quick: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    console.log(usage);
    return undefined;
  }
  const node = values.node === undefined ? process.execPath : nodeOf(Number(values.node));
  if (node === undefined) throw new Error(`Node ${values.node} cannot be had`);
  const isQuick = values.quick ?? false;
  return {
    rounds: Number(values.rounds ?? (isQuick ? 1 : 5)),
    apps: (["http", "express"] as const).filter((app) => values.app?.includes(app) ?? true),
    only: values.only ?? [],
    node,
    isStart: values.start ?? false,
    isProfile: values.profile ?? false,
    isQuick,
  };
}

function agentsFor({ isQuick, only }: Options, main: string | undefined): readonly Agent[] {
  const register =
    main === undefined
      ? fileURLToPath(new URL("../../sdk/register.ts", import.meta.url))
      : join(dirname(dirname(main)), "sdk", "register.cjs");
  const all = [...ours(register), ...(isQuick ? [] : others())];
  const wanted = all.filter(
    ({ name }) => only.length === 0 || only.some((text) => name.includes(text)),
  );
  return [none, ...wanted];
}

function conditions({ node, rounds }: Options): string {
  const { stdout: version } = spawnSync(node, ["--version"], { encoding: "utf8" });
  const memory = Math.round(totalmem() / 2 ** 30);
  const where =
    cores.collector.length > 0 ? "the app has a core for itself" : "all share all cores";
  return (
    `Node ${version.trim()}, ${cpus().length} cores (${cpus()[0]?.model}), ${memory} GiB, ${where}; ` +
    `rounds: ${rounds}, load average at the start ${loadavg()[0]?.toFixed(1)}`
  );
}

async function measure(
  agents: readonly Agent[],
  options: Options,
  machine: Machine,
): Promise<readonly Series[]> {
  const series: readonly Series[] = agents.map((agent) => ({
    agent,
    starts: [],
    requests: { http: [], express: [] },
    ends: new Map(),
  }));
  // A start is short, so there is time for more of them.
  const starts = options.isQuick ? 1 : options.rounds * 3;
  for (let round = 0; round < starts; round++) {
    for (const { agent, starts } of series) starts.push(measureStart(agent, machine));
  }
  if (options.isStart) return series;
  for (let round = 0; round < options.rounds; round++) {
    for (const app of options.apps) {
      const effort = options.isQuick ? quickEffort : efforts[app];
      for (const { agent, requests } of series) {
        const cost = await measureRequests(app, agent, effort, machine);
        requests[app]?.push(cost);
        const micros = cost.cpuMicros.toFixed(0);
        process.stderr.write(`round ${round + 1}, ${app}, ${agent.name}: ${micros} µs a request\n`);
      }
    }
  }
  const tried: readonly Ending[] = options.isQuick ? ["natural", "process.exit"] : endings;
  for (const { agent, ends } of series) {
    for (const ending of tried) ends.set(ending, await measureEnd(ending, agent, machine));
  }
  return series;
}

async function showProfiles(
  agents: readonly Agent[],
  { apps, isQuick }: Options,
  machine: Machine & { readonly load: Child },
): Promise<void> {
  for (const app of apps) {
    const { requests } = isQuick ? quickEffort : efforts[app];
    const alone = await profile(app, none, requests, machine);
    for (const agent of agents.slice(1)) {
      const summary = await profile(app, agent, requests, machine);
      console.log(`\n${app}, ${agent.name}\n\n${profileReport(summary, alone)}`);
    }
  }
}
