// One app under one agent: its start and its end. The app has a core for itself; requests come from the other,
// where the telemetry goes to as well.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cleanEnv } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import type { Child } from "./child.ts";
import { cores } from "./cores.ts";
import type { Agent } from "./sdk-agents.ts";
import type { LoadQuestion } from "./sdk-load.ts";

export type AppName = "http" | "express";

export interface Machine {
  /** The node that runs the apps. */
  readonly node: string;
  readonly load: Child;
  readonly loadUrl: string;
  /** The folder of express 4. */
  readonly express: string;
  readonly signal: AbortSignal;
}

export interface RunningApp {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly exit: Promise<unknown>;
}

export async function startApp(
  file: string,
  agent: Agent,
  machine: Machine,
  { args = [], options = [] }: { args?: readonly string[]; options?: readonly string[] } = {},
): Promise<RunningApp> {
  const words = [...cores.collector, machine.node, ...options, ...agent.options, appFile(file)];
  const [command = "", ...all] = [...words, ...args];
  const child = spawn(command, all, {
    env: environment(agent, machine),
    // Nobody reads what the app logs: writing it is the app's affair, passing it on would be ours.
    stdio: ["ignore", "ignore", "pipe"],
  });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString()));
  const exit = once(child, "exit");
  try {
    const url = await until(`${file} under ${agent.name} listens`, () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${told}`);
      return /listening on (\S+)\n/.exec(told)?.[1];
    });
    return { child, pid: child.pid ?? 0, url, exit };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${(error as Error).message}: ${told}`, { cause: error });
  }
}

/** From the process's beginning to the app's first line. */
export function measureStartMs(agent: Agent, machine: Machine): number {
  return Number(/begins after ([\d.]+)/.exec(runEmpty(agent, machine))?.[1]);
}

/** Files of JavaScript that are loaded until then, CommonJS and ES modules. */
export function countModules(agent: Agent, machine: Machine): number {
  const told = runEmpty(agent, machine, ["--require", appFile("count-loads.cjs")]);
  return Number(/loads (\d+)/.exec(told)?.[1]) - 1; // but the app itself
}

function runEmpty(agent: Agent, machine: Machine, options: readonly string[] = []): string {
  const words = [...cores.collector, machine.node, ...options, ...agent.options];
  const [command = "", ...before] = words;
  const { stderr } = spawnSync(command, [...before, appFile("empty.cjs")], {
    env: environment(agent, machine),
    encoding: "utf8",
    timeout: 60_000,
  });
  return stderr;
}

export const endings = [
  "natural",
  "process.exit",
  "uncaught",
  "unhandled",
  "SIGTERM",
  "SIGINT",
  "SIGTERM, handled",
  "SIGKILL",
] as const;
export type Ending = (typeof endings)[number];

/** Whether the span of the last request arrives, and whether the app ends at all. */
export type Kept = "kept" | "lost" | "does not end";

export async function measureEnd(ending: Ending, agent: Agent, machine: Machine): Promise<Kept> {
  const text = `/last-${ending.replaceAll(/\W/g, "")}-${process.hrtime.bigint()}`;
  const { child, url, exit } = await startApp("ends.cjs", agent, machine, { args: [ending] });
  const order = { kind: "send", requests: 1, connections: 1, url: url + text } as const;
  await ask(machine.load, order);
  const timer = new AbortController();
  const late = new Promise<"late">((resolve) => {
    const timeout = setTimeout(resolve, endLimitMs, "late");
    timer.signal.addEventListener("abort", () => clearTimeout(timeout));
  });
  const ended = await Promise.race([exit, late]);
  timer.abort();
  if (ended === "late") {
    child.kill("SIGKILL");
    await exit;
  }
  const { has } = await ask<{ has: boolean }>(machine.load, { kind: "has", text });
  return ended === "late" ? "does not end" : has ? "kept" : "lost";
}

const endLimitMs = 8_000;

function environment({ env }: Agent, { loadUrl, express }: Machine): Record<string, string> {
  return cleanEnv({
    BENCH_EXPRESS: express,
    BENCH_STOCK: loadUrl,
    NODE_ENV: "production",
    OTEL_SERVICE_NAME: "bench",
    OTEL_EXPORTER_OTLP_ENDPOINT: loadUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    DD_TRACE_AGENT_URL: loadUrl,
    DD_SERVICE: "bench",
    ...env,
  });
}

export async function ask<Answer>(load: Child, question: LoadQuestion): Promise<Answer> {
  return (await load.ask(question)) as Answer; // sdk-load.ts gives what its questions promise
}

export function appFile(name: string): string {
  return fileURLToPath(new URL(`sdk-apps/${name}`, import.meta.url));
}
