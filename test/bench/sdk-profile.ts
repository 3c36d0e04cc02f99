// Where our microseconds go: a CPU profile of an app under load, with the time of the sampled functions
// added up by whose they are.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mainThreadMicros } from "./process.ts";
import type { Agent } from "./sdk-agents.ts";
import { type AppName, ask, type Machine, startApp } from "./sdk-measure.ts";
import type { Sent } from "./sdk-load.ts";

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

/** The sum of what several processes did. */
export class Profile {
  readonly #requests: number;
  readonly #parts = new Map<string, number>();
  readonly #functions = new Map<string, number>();
  #rounds = 0;

  /** So many in each round, and half as many before them to warm up. */
  constructor(requests: number) {
    this.#requests = requests;
  }

  /** µs a request, by part; the dearest first. */
  get parts(): readonly (readonly [name: string, micros: number])[] {
    return this.#micros(this.#parts);
  }

  /** The same by function of ours. */
  get functions(): readonly (readonly [name: string, micros: number])[] {
    return this.#micros(this.#functions);
  }

  async add(app: AppName, agent: Agent, machine: Machine): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "sonde-profile-"));
    try {
      const options = ["--cpu-prof", "--cpu-prof-dir", folder, "--cpu-prof-interval", "250"];
      const { url, exit, pid } = await startApp(`${app}.cjs`, agent, machine, { options });
      const path = app === "http" ? "/" : "/orders/7";
      const send = async (requests: number): Promise<void> => {
        const order = { kind: "send", url: url + path, requests, connections: 32 } as const;
        await ask<Sent>(machine.load, order);
      };
      await send(Math.ceil(this.#requests / 2));
      const [from, before] = [microseconds(), mainThreadMicros(pid)];
      await send(this.#requests);
      const [to, after] = [microseconds(), mainThreadMicros(pid)];
      await fetch(`${url}/exit`).catch(() => {}); // it ends instead of answering
      await exit;
      const [file = ""] = readdirSync(folder);
      const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile; // Node's own
      this.#sum(samplesBetween(profile, from, to), after - before);
      this.#rounds++;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** A sample lasts for as long as nothing else was seen, also while others had the core: so they are scaled. */
  #sum(samples: readonly Sample[], cpuMicros: number): void {
    const scale = cpuMicros / samples.reduce((sum, { micros }) => sum + micros, 0);
    for (const { frame, micros } of samples) {
      const part = partOf(frame.url, frame.functionName);
      add(this.#parts, part, micros * scale);
      if (part.startsWith("sonde")) {
        const file = frame.url.split("/").at(-1) ?? "";
        add(this.#functions, `${frame.functionName || "(anonymous)"} ${file}`, micros * scale);
      }
    }
  }

  #micros(sums: ReadonlyMap<string, number>): [string, number][] {
    const requests = this.#requests * this.#rounds;
    return [...sums]
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, micros]) => [name, micros / requests]);
  }
}

interface Sample {
  readonly frame: CpuProfile["nodes"][number]["callFrame"];
  readonly micros: number;
}

/** Start and end of the app are another matter. */
function samplesBetween(profile: CpuProfile, from: number, to: number): readonly Sample[] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  let at = profile.startTime;
  return profile.samples.flatMap((id, index) => {
    const micros = profile.timeDeltas[index] ?? 0;
    at += micros;
    const frame = frames.get(id);
    if (at < from || at > to || !frame || frame.functionName === "(idle)") return [];
    return [{ frame, micros }];
  });
}

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n);

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
