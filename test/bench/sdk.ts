// What observing an app costs it, ours beside what people use today: npm run bench:sdk. The app has one
// core, requests and telemetry the other; agents take turns, so that a slow moment falls on all of them.

import { cpus, loadavg, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { nodeOf, onDemand } from "../support/on-demand.ts";
import { startChild } from "./child.ts";
import { cores } from "./cores.ts";
import { type Agent, another, none, others, ours } from "./sdk-agents.ts";
import {
  type AppName,
  ask,
  countModules,
  type Ending,
  endings,
  type Machine,
  measureEnd,
  measureStartMs,
} from "./sdk-measure.ts";
import { Profile } from "./sdk-profile.ts";
import { profileReport, report, type Series } from "./sdk-report.ts";
import { type Effort, measureHeat } from "./sdk-requests.ts";
import { build } from "../support/build.ts";

const usage = `npm run bench:sdk -- [options]

  --rounds N     rounds of requests, each with processes of their own; 3 unless given
  --app NAME     http (a bare server) or express (express 4, a call to another service, a line of pino);
                 both unless given
  --only TEXT    of the agents only that of this name, or those whose names hold it, and no agent; may be
                 given several times
  --against DIR  another build of sonde beside it: the folder dist of, say, the branch before a change; may
                 be given several times
  --node MAJOR   the apps run on another Node, such as 22 or 26, which is installed for that
  --start        only what an agent adds to the start
  --profile      instead of figures: where the CPU time of a request goes
  --quick        few requests, ours from source, nothing installed: shows that it works
`;

interface Options {
  readonly rounds: number;
  readonly apps: readonly AppName[];
  readonly only: readonly string[];
  readonly against: readonly string[];
  readonly node: string;
  readonly isStart: boolean;
  readonly isProfile: boolean;
  readonly isQuick: boolean;
}

const efforts: Readonly<Record<AppName, Effort>> = {
  http: { warmUp: 40_000, requests: 4000, turns: 12, paced: 300, ratePerSecond: 500 },
  // Of so much code some is still being compiled after 10,000 requests, which then costs half of what an agent adds.
  express: { warmUp: 30_000, requests: 1000, turns: 12, paced: 300, ratePerSecond: 400 },
};
/** Requests in a round, enough for some ten thousand samples, with half as many before them. */
const profiled: Readonly<Record<AppName, number>> = { http: 100_000, express: 40_000 };
const quickEffort: Effort = {
  warmUp: 600, // more than a batch, so that one is sent
  requests: 100,
  turns: 1,
  paced: 20,
  ratePerSecond: 100,
};

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
    const express = expressFor(options);
    const machine = { node: options.node, load, loadUrl, express, signal: interrupted.signal };
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
      against: { type: "string", multiple: true },
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
    rounds: Number(values.rounds ?? (isQuick ? 1 : 3)),
    apps: (["http", "express"] as const).filter((app) => values.app?.includes(app) ?? true),
    only: values.only ?? [],
    against: values.against ?? [],
    node,
    isStart: values.start ?? false,
    isProfile: values.profile ?? false,
    isQuick,
  };
}

function agentsFor(options: Options, main: string | undefined): readonly Agent[] {
  const { isQuick, only, against } = options;
  const register =
    main === undefined
      ? fileURLToPath(new URL("../../sdk/register.ts", import.meta.url))
      : join(dirname(dirname(main)), "sdk", "register.cjs");
  const all = [...ours(register), ...(isQuick ? [] : others())];
  const wanted = all.filter(({ name }) => {
    const isMeant = (text: string) =>
      all.some((agent) => agent.name === text) ? name === text : name.includes(text);
    return only.length === 0 || only.some(isMeant);
  });
  const builds = against.map((folder) => another(join(folder, "sdk", "register.cjs")));
  return [none, ...wanted, ...builds];
}

/** By its own name: by another one agents would not know it, so that it would cost less. */
function expressFor({ isQuick }: Options): string {
  if (isQuick) return fileURLToPath(new URL("../../node_modules/express4", import.meta.url));
  const folder = onDemand("express-4.22.3", ["express@4.22.3"]);
  if (folder === undefined) throw new Error("express 4 cannot be had");
  return join(folder, "node_modules", "express");
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
    modules: countModules(agent, machine),
    startsMs: [],
    heats: { http: [], express: [] },
    ends: new Map(),
  }));
  for (let round = 0; round < (options.isQuick ? 1 : 15); round++) {
    for (const { agent, startsMs } of series) startsMs.push(measureStartMs(agent, machine));
  }
  if (options.isStart) return series;
  for (let round = 0; round < options.rounds; round++) {
    for (const app of options.apps) {
      const effort = options.isQuick ? quickEffort : efforts[app];
      const measured = await measureHeat(app, agents, effort, machine);
      for (const { agent, heats } of series) heats[app].push(measured.get(agent)!);
      const seconds = process.uptime().toFixed(0);
      process.stderr.write(`${app}, round ${round + 1}: done after ${seconds} s\n`);
    }
  }
  const tried: readonly Ending[] = options.isQuick ? ["natural", "process.exit"] : endings;
  for (const { agent, ends } of series.slice(1)) {
    for (const ending of tried) ends.set(ending, await measureEnd(ending, agent, machine));
  }
  return series;
}

async function showProfiles(
  agents: readonly Agent[],
  { apps, rounds, isQuick }: Options,
  machine: Machine,
): Promise<void> {
  for (const app of apps) {
    const requests = isQuick ? quickEffort.requests : profiled[app];
    const [alone, ...others] = agents.map((agent) => ({ agent, profile: new Profile(requests) }));
    for (let round = 0; round < rounds; round++) {
      for (const { agent, profile } of [alone!, ...others]) await profile.add(app, agent, machine);
    }
    for (const { agent, profile } of others) {
      console.log(`\n${app}, ${agent.name}\n\n${profileReport(profile, alone!.profile)}`);
    }
  }
}
