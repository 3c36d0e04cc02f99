// Where our microseconds go: a CPU profile of an app under load, with the time of the sampled functions
// added up by whose they are.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Agent } from "./sdk-agents.ts";
import { type AppName, ask, type Machine, startApp } from "./sdk-measure.ts";
import type { Sent } from "./sdk-load.ts";

/** µs a request, by part and by function of ours; the dearest first. */
export interface ProfileSummary {
  readonly parts: readonly (readonly [name: string, micros: number])[];
  readonly functions: readonly (readonly [name: string, micros: number])[];
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  /** Microseconds of the system's clock that no one can set. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export async function profile(
  app: AppName,
  agent: Agent,
  requests: number,
  machine: Machine,
): Promise<ProfileSummary> {
  const folder = mkdtempSync(join(tmpdir(), "sonde-profile-"));
  try {
    const options = ["--cpu-prof", "--cpu-prof-dir", folder, "--cpu-prof-interval", "200"];
    const { url, exit } = await startApp(`${app}.cjs`, agent, machine, { options });
    const path = app === "http" ? "/" : "/orders/7";
    const order = { kind: "send", url: url + path, requests, connections: 32 } as const;
    await ask<Sent>(machine.load, order); // to warm up
    const from = microseconds();
    await ask<Sent>(machine.load, order);
    const to = microseconds();
    await fetch(`${url}/exit`).catch(() => {}); // it ends instead of answering
    await exit;
    const [file = ""] = readdirSync(folder);
    const read = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile; // Node's own
    return summarize(read, requests, { from, to });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n);

/** Only what lies between: start and end of the app are another matter. */
function summarize(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  requests: number,
  { from, to }: { readonly from: number; readonly to: number },
): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0;
    at += delta;
    const frame = frames.get(id);
    if (at < from || at > to || !frame || frame.functionName === "(idle)") continue;
    const micros = delta / requests;
    const part = partOf(frame.url, frame.functionName);
    add(parts, part, micros);
    if (part.startsWith("sonde")) {
      const file = frame.url.split("/").at(-1) ?? "";
      add(functions, `${frame.functionName || "(anonymous)"} ${file}`, micros);
    }
  }
  return { parts: dearest(parts), functions: dearest(functions).slice(0, 25) };
}

function partOf(url: string, name: string): string {
  if (url === "" || url.startsWith("wasm:"))
    return name.startsWith("(") ? name : "V8 and native code";
  if (url.startsWith("node:")) return `Node: ${url.slice("node:".length).split("/").at(-1)}`;
  const inPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  const own = /\/(sdk|collector\/wire)\/(.+)\.[jt]s$/.exec(url);
  return own ? `sonde: ${own[1]}/${own[2]}` : "the app";
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}

function dearest(sums: ReadonlyMap<string, number>): [string, number][] {
  return [...sums].toSorted(([, a], [, b]) => b - a);
}
