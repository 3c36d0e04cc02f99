// One app under one agent: what a request, the start and the end of it cost. The app has a core for
// itself; requests come from the other, where the telemetry goes to as well.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cleanEnv } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import type { Child } from "./child.ts";
import { cores } from "./cores.ts";
import { peakBytes, restBytes, restingCpuSeconds } from "./process.ts";
import type { Agent } from "./sdk-agents.ts";
import type { LoadQuestion, Sent } from "./sdk-load.ts";

export type AppName = "http" | "express";

export interface Effort {
  /** As fast as they are answered; as many again before, to warm up. */
  readonly requests: number;
  /** Paced, for the latency. */
  readonly paced: number;
  readonly ratePerSecond: number;
}

export interface Machine {
  /** The node that runs the apps. */
  readonly node: string;
  readonly load: Child;
  readonly loadUrl: string;
  readonly signal: AbortSignal;
}

export interface RequestCost {
  readonly cpuMicros: number;
  readonly p99Ms: number;
  readonly restBytes: number;
  /** After all requests, as fast as they were answered. */
  readonly peakBytes: number;
}

export async function measureRequests(
  app: AppName,
  agent: Agent,
  effort: Effort,
  machine: Machine,
): Promise<RequestCost> {
  const { load, signal } = machine;
  const running = await startApp(`${app}.cjs`, agent, machine);
  const { pid, url } = running;
  const path = app === "http" ? "/" : "/orders/7";
  const send = async (requests: number, rate?: number): Promise<Sent> => {
    const order = { kind: "send", url: url + path, requests, connections: 32 } as const;
    return await ask<Sent>(load, rate === undefined ? order : { ...order, rate });
  };
  try {
    const atRest = restBytes(pid);
    await send(effort.requests);
    const before = await restingCpuSeconds(pid, signal);
    await send(effort.requests);
    const after = await restingCpuSeconds(pid, signal);
    const { p99Ms } = await send(effort.paced, effort.ratePerSecond);
    const cpuMicros = ((after - before) / effort.requests) * 1e6;
    return { cpuMicros, p99Ms, restBytes: atRest, peakBytes: peakBytes(pid) };
  } finally {
    running.child.kill("SIGKILL");
    await running.exit;
  }
}

interface RunningApp {
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

export interface StartCost {
  /** From the process's beginning to the app's first line. */
  readonly ms: number;
  /** Files of JavaScript that were loaded until then, CommonJS and ES modules. */
  readonly modules: number;
}

export function measureStart(agent: Agent, machine: Machine): StartCost {
  const run = (options: readonly string[]): string => {
    const words = [...cores.collector, machine.node, ...options, ...agent.options];
    const [command = "", ...before] = words;
    const { stderr } = spawnSync(command, [...before, appFile("empty.cjs")], {
      env: environment(agent, machine),
      encoding: "utf8",
      timeout: 60_000,
    });
    return stderr;
  };
  const ms = Number(/begins after ([\d.]+)/.exec(run([]))?.[1]);
  const modules = Number(/loads (\d+)/.exec(run(["--require", appFile("count-loads.cjs")]))?.[1]);
  return { ms, modules: modules - 1 }; // but the app itself
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

function environment({ env }: Agent, { loadUrl }: Machine): Record<string, string> {
  return cleanEnv({
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
