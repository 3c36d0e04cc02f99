// What a request costs an app under each of the agents. Machines are now slower and now faster, by more than what
// is to be measured, so the agents take short turns in an order that chance gives, and each turn is compared
// with that of the app alone beside it. Who has no turn is stopped: on the core is one, with nothing
// of another's between. What was left over at the end of a turn is sent in the next.

import { setTimeout as sleep } from "node:timers/promises";
import { cpuMicros, peakBytes, restBytes } from "./process.ts";
import { until } from "../support/until.ts";
import type { Agent } from "./sdk-agents.ts";
import type { Arrived, Sent } from "./sdk-load.ts";
import { type AppName, ask, type Machine, type RunningApp, startApp } from "./sdk-measure.ts";

export interface Effort {
  /** At once and as fast as they are answered, until the code is optimized and the heap has its size. */
  readonly warmUp: number;
  /** In a turn, as fast as they are answered. */
  readonly requests: number;
  readonly turns: number;
  /** In a turn, for the latency. */
  readonly paced: number;
  readonly ratePerSecond: number;
}

/** What one process was seen to do. */
export interface Heat {
  readonly restBytes: number;
  /** After the warm-up, in which the app has all it can do. */
  readonly peakBytes: number;
  /** CPU of a request, of all threads and with the sending: of each turn. */
  readonly micros: readonly number[];
  /** The latency that one paced request in a hundred exceeds: of each turn. */
  readonly p99Ms: readonly number[];
  /** That arrived of a request, when the app had all it could do. */
  readonly spans: number;
  readonly logs: number;
}

/** Processes of their own for each agent. */
export async function measureHeat(
  app: AppName,
  agents: readonly Agent[],
  effort: Effort,
  machine: Machine,
): Promise<ReadonlyMap<Agent, Heat>> {
  const entrants: Entrant[] = [];
  try {
    for (const agent of inAnyOrder(agents)) {
      const entrant = new Entrant(
        app,
        agent,
        machine,
        await startApp(`${app}.cjs`, agent, machine),
      );
      entrants.push(entrant);
      await entrant.warmUp(effort);
    }
    for (let turn = 0; turn < effort.turns; turn++) {
      for (const entrant of inAnyOrder(entrants)) await entrant.saturate(effort);
    }
    for (let turn = 0; turn < effort.turns; turn++) {
      for (const entrant of inAnyOrder(entrants)) await entrant.pace(effort);
    }
    return new Map(entrants.map((entrant) => [entrant.agent, entrant.heat]));
  } finally {
    for (const { running } of entrants) {
      running.child.kill("SIGKILL");
      await running.exit;
    }
  }
}

/** Paced requests before those that count: who stood still finds its memory and its connections cold. */
const leadIn = 100;
/** What is done behind the last answer belongs to it too. */
const settleMs = 50;

class Entrant {
  readonly agent: Agent;
  readonly running: RunningApp;
  readonly #machine: Machine;
  readonly #url: string;
  readonly #micros: number[] = [];
  readonly #p99Ms: number[] = [];
  #restBytes = 0;
  #peakBytes = 0;
  #arrived: Arrived = { spans: 0, logs: 0 };

  constructor(app: AppName, agent: Agent, machine: Machine, running: RunningApp) {
    this.agent = agent;
    this.running = running;
    this.#machine = machine;
    this.#url = running.url + (app === "http" ? "/" : "/orders/7");
  }

  get heat(): Heat {
    return {
      restBytes: this.#restBytes,
      peakBytes: this.#peakBytes,
      micros: this.#micros,
      p99Ms: this.#p99Ms,
      ...this.#arrived,
    };
  }

  async warmUp({ warmUp }: Effort): Promise<void> {
    await this.#rest();
    this.#restBytes = restBytes(this.running.pid);
    const before = await this.#count();
    await this.#send(warmUp);
    await this.#rest();
    this.#peakBytes = peakBytes(this.running.pid);
    // An agent that sends nothing would be the best of all.
    const isObserved = this.agent.options.length > 0;
    const after = await until(`spans of ${this.agent.name}`, async () => {
      const now = await this.#count();
      return (!isObserved || now.spans > before.spans) && now;
    });
    this.#arrived = {
      spans: (after.spans - before.spans) / warmUp,
      logs: (after.logs - before.logs) / warmUp,
    };
    this.running.child.kill("SIGSTOP");
  }

  async saturate({ requests }: Effort): Promise<void> {
    const { child, pid } = this.running;
    child.kill("SIGCONT");
    const before = cpuMicros(pid);
    await this.#send(requests);
    await this.#rest();
    this.#micros.push((cpuMicros(pid) - before) / requests);
    child.kill("SIGSTOP");
  }

  async pace({ paced, ratePerSecond }: Effort): Promise<void> {
    this.running.child.kill("SIGCONT");
    await this.#rest(); // timers that have become due while it stood still
    const { latenciesMs } = await this.#send(leadIn + paced, ratePerSecond);
    const sorted = latenciesMs.slice(leadIn).toSorted((a, b) => a - b);
    this.#p99Ms.push(sorted[Math.floor(sorted.length * 0.99)] ?? 0);
    this.running.child.kill("SIGSTOP");
  }

  async #send(requests: number, rate?: number): Promise<Sent> {
    const order = { kind: "send", url: this.#url, requests, connections: 32 } as const;
    return await ask<Sent>(this.#machine.load, rate === undefined ? order : { ...order, rate });
  }

  /** A copy, as all that comes from another process. */
  async #count(): Promise<Arrived> {
    return await ask<Arrived>(this.#machine.load, { kind: "count" });
  }

  async #rest(): Promise<void> {
    await sleep(settleMs, undefined, { signal: this.#machine.signal });
  }
}

function inAnyOrder<Item>(items: readonly Item[]): Item[] {
  const keys = new Map(items.map((item) => [item, Math.random()]));
  return items.toSorted((one, other) => keys.get(one)! - keys.get(other)!);
}
