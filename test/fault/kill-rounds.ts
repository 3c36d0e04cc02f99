// kill -9 of the real collector at random moments under load, over and over on the same data folder:
// while it starts, recovers, takes, writes, delivers and shuts down. At the end everything is drained and
// held against what the senders were told. The seed decides the plan; what the kill hits is up to the
// machine, so a seed does not repeat a run but its kind.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { signals } from "../../collector/wire/batch.ts";
import {
  type CollectorOptions,
  type CollectorProcess,
  startCollector,
} from "../support/collector-process.ts";
import { type Random, randomFrom } from "../support/otlp.ts";
import { until } from "../support/until.ts";
import { type Client, grpcClient, httpClient } from "./clients.ts";
import { Destination, Ledger, type Verdict } from "./ledger.ts";
import { markedRequest } from "./marked-requests.ts";

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** How many collectors are killed side by side, each with its own folder and destinations. */
  readonly lanes: number;
}

export interface KillReport extends Omit<Verdict, "lost"> {
  readonly rounds: number;
  readonly lost: number;
  /** Rounds of which the collector was killed before it was ready. */
  readonly killedStarting: number;
  /** Rounds of which it had been told to stop before it was killed. */
  readonly killedStopping: number;
  /** Rounds that found data waiting when they began. */
  readonly replays: number;
  /** Rounds that found a frame torn in the middle. */
  readonly torn: number;
  /** Items of which the log has the head of the frame only, nobody having been told that it has them. */
  readonly tornItems: number;
  /** Outputs and signals of which the books do not balance at the end. */
  readonly unbalanced: readonly string[];
  readonly readyMs: { readonly median: number; readonly p99: number; readonly most: number };
}

/** After so many rounds everything is drained and a new folder begun, which bounds the memory of it. */
const roundsOfLeg = 250;

export async function killRounds({ rounds, seed, lanes }: KillOptions): Promise<KillReport> {
  const legs: Leg[] = [];
  const lane = async (number: number): Promise<void> => {
    let left = Math.floor(rounds / lanes) + (number < rounds % lanes ? 1 : 0);
    for (let count = 0; left > 0; count++) {
      const leg = new Leg(randomFrom(seed + number * 1000 + count));
      legs.push(leg);
      await leg.run(Math.min(left, roundsOfLeg));
      left -= roundsOfLeg;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return summary(legs);
}

class Leg {
  verdict: Verdict | undefined;
  rounds = 0;
  killedStarting = 0;
  killedStopping = 0;
  replays = 0;
  torn = 0;
  tornItems = 0;
  readonly unbalanced: string[] = [];
  readonly readyMs: number[] = [];
  readonly #random: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), "sonde-kill-"));
  #destinations: { readonly steady: Destination; readonly flapping: Destination } | undefined;
  #ledger = new Ledger([]);
  #life = 0;
  #requests = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  async run(rounds: number): Promise<void> {
    const steady = await Destination.start();
    const flapping = await Destination.start();
    this.#destinations = { steady, flapping };
    this.#ledger = new Ledger([steady, flapping]);
    try {
      for (; this.rounds < rounds; this.rounds++) await this.#round();
      await this.#settle();
    } finally {
      await steady.close();
      await flapping.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  async #round(): Promise<void> {
    const { flapping } = this.#destinations!;
    const flap = this.#random.below(3);
    flapping.behaviour = flap === 1 ? "refuses" : "takes";
    if (this.#random.below(8) === 0) return await this.#killStarting();
    const collector = await this.#start();
    const stop = new AbortController();
    const sending = this.#load(collector, stop.signal);
    const flipping = flap === 2 ? this.#flip(flapping, stop.signal) : undefined;
    // On a slow machine, too, most kills come under way and not before it.
    const { acknowledged } = this.#ledger;
    const enough = acknowledged.size + this.#random.below(30);
    const isEnough = (): boolean => acknowledged.size >= enough;
    await until("some are acknowledged", isEnough);
    await sleep(this.#random.below(200));
    if (this.#random.below(8) === 0) {
      this.killedStopping++;
      void collector.kill("SIGTERM");
      await sleep(this.#random.below(60));
    }
    await collector.kill("SIGKILL");
    stop.abort();
    await Promise.all([...sending, flipping]);
    this.#noteTorn(collector.stderr());
  }

  #noteTorn(said: string): void {
    if (said.includes("no whole frame")) this.torn++;
  }

  async #killStarting(): Promise<void> {
    const afterMs = this.#random.below(400);
    let timer: NodeJS.Timeout | undefined;
    const onSpawn = (child: ChildProcess): void => {
      timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
    };
    try {
      const collector = await this.#launch({ onSpawn });
      this.#noteTorn(collector.stderr());
      await collector.kill("SIGKILL"); // it was quicker
    } catch (error) {
      const { message } = error as Error;
      if (!message.startsWith("it ended (SIGKILL)")) throw error;
      this.#noteTorn(message);
      this.killedStarting++;
    } finally {
      clearTimeout(timer);
    }
  }

  async #start(): Promise<CollectorProcess> {
    const began = performance.now();
    const collector = await this.#launch();
    this.readyMs.push(performance.now() - began);
    if ((await collector.metric("sonde_output_waiting_items")) > 0) this.replays++;
    return collector;
  }

  #launch(options: CollectorOptions = {}): Promise<CollectorProcess> {
    const life = this.#life++;
    const config = join(this.#folder, "sonde.yaml");
    const { steady, flapping } = this.#destinations!;
    const output = (name: string, destination: Destination): string =>
      `  ${name}: { type: otlp, endpoint: "${destination.endpoint(life)}" }\n`;
    const outputs = output("steady", steady) + output("flapping", flapping);
    writeFileSync(config, `outputs:\n${outputs}`);
    const dataDir = join(this.#folder, "data");
    return startCollector({ ...options, dataDir, args: ["--config", config] });
  }

  #load({ otlpHttp, otlpGrpc }: CollectorProcess, stop: AbortSignal): Promise<void>[] {
    const clients = [
      ...Array.from({ length: 4 }, () => httpClient(otlpHttp)),
      ...Array.from({ length: 2 }, () => grpcClient(otlpGrpc)),
    ];
    return clients.map((client) => this.#sendUntil(stop, client));
  }

  async #sendUntil(stop: AbortSignal, client: Client): Promise<void> {
    while (!stop.aborted) {
      const kind = this.#random.below(100);
      const items = kind < 70 ? 1 + (kind % 3) : kind < 98 ? 20 : 400;
      const signal = signals[this.#random.below(signals.length)]!;
      const request = markedRequest(signal, items, `request ${this.#requests++}`);
      this.#ledger.sent.set(request.name, items);
      const answer = await client.send(request);
      if (answer === "acknowledged") this.#ledger.acknowledged.add(request.name);
      if (answer === undefined) break; // it is gone
    }
    client.close();
  }

  async #flip(destination: Destination, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      destination.behaviour = destination.behaviour === "takes" ? "refuses" : "takes";
      await sleep(20 + this.#random.below(60), undefined, { signal: stop }).catch(() => {});
    }
  }

  /** Delivers all that is left, and sums up. */
  async #settle(): Promise<void> {
    const destinations = this.#destinations!;
    destinations.flapping.behaviour = "takes";
    const collector = await this.#start();
    const drained = async (): Promise<boolean> =>
      (await collector.metric("sonde_output_waiting_items")) === 0;
    await until("everything is delivered", drained, 60_000);
    for (const [output, destination] of Object.entries(destinations)) {
      for (const signal of signals) await this.#balance(collector, { output, signal });
      const taken = await collector.metric("sonde_log_items_total");
      const arrived = this.#ledger.itemsAt(destination);
      // What was torn while it was written counts as taken, and is what did not arrive; that none of it
      // had been acknowledged is the ledger's to say.
      const dropped = { output, outcome: "dropped", reason: "damaged" };
      const torn = await collector.metric("sonde_output_items_total", dropped);
      this.tornItems = Math.max(this.tornItems, torn);
      if (taken !== arrived + torn) {
        const words = `the log took ${taken} items, ${arrived} arrived, ${torn} were torn`;
        this.unbalanced.push(`${output}: ${words}`);
      }
    }
    this.#noteTorn(collector.stderr());
    if (this.tornItems > 0 && this.torn === 0) {
      this.unbalanced.push(`${this.tornItems} items are torn, and no frame`);
    }
    await collector.kill("SIGTERM");
    this.verdict = this.#ledger.verdict();
  }

  async #balance(
    collector: CollectorProcess,
    labels: { readonly output: string; readonly signal: string },
  ): Promise<void> {
    const { output, signal } = labels;
    const taken = await collector.metric("sonde_log_items_total", { signal });
    const began = await collector.metric("sonde_output_began_items", labels);
    const done = await collector.metric("sonde_output_items_total", labels);
    const sumOf = (outcome: string): Promise<number> =>
      collector.metric("sonde_output_items_total", { ...labels, outcome });
    const delivered = await sumOf("delivered");
    const dropped = await sumOf("dropped");
    if (taken === done && done === delivered + dropped && began === 0) return;
    const words =
      `of ${taken} items since ${began}, ${done} are done, ` +
      `${delivered} delivered and ${dropped} dropped`;
    this.unbalanced.push(`${output} ${signal}: ${words}`);
  }
}

function summary(legs: readonly Leg[]): KillReport {
  const sum = (of: (leg: Leg) => number): number => legs.reduce((all, leg) => all + of(leg), 0);
  const judged = (of: (verdict: Verdict) => number): number => sum(({ verdict }) => of(verdict!));
  const readyMs = legs.flatMap((leg) => leg.readyMs).toSorted((a, b) => a - b);
  const quantile = (part: number): number =>
    Math.round(readyMs[Math.min(readyMs.length - 1, Math.floor(part * readyMs.length))] ?? 0);
  return {
    rounds: sum(({ rounds }) => rounds),
    acknowledged: judged(({ acknowledged }) => acknowledged),
    lost: judged(({ lost }) => lost.length),
    corrupted: judged(({ corrupted }) => corrupted),
    duplicated: judged(({ duplicated }) => duplicated),
    unexplained: judged(({ unexplained }) => unexplained),
    unanswered: judged(({ unanswered }) => unanswered),
    killedStarting: sum(({ killedStarting }) => killedStarting),
    killedStopping: sum(({ killedStopping }) => killedStopping),
    replays: sum(({ replays }) => replays),
    torn: sum(({ torn }) => torn),
    tornItems: sum(({ tornItems }) => tornItems),
    unbalanced: legs.flatMap(({ unbalanced }) => unbalanced),
    readyMs: { median: quantile(0.5), p99: quantile(0.99), most: quantile(1) },
  };
}

export function inWords(report: KillReport): string {
  const { rounds, acknowledged, lost, corrupted, duplicated, unexplained } = report;
  const { readyMs, replays, torn, tornItems, unanswered, killedStarting, killedStopping } = report;
  return [
    `kill -9: ${rounds} rounds, ${acknowledged} acknowledged, ${lost} lost, ` +
      `${corrupted} corrupted, ${duplicated} duplicated`,
    `  of the duplicates ${unexplained} were not under way when it was killed`,
    `  books: ${report.unbalanced.length === 0 ? "balance" : report.unbalanced.join("; ")}`,
    `  ready after ${readyMs.median} ms (median), ${readyMs.p99} ms (p99), ${readyMs.most} ms (most)`,
    `  ${replays} rounds began with data waiting; ${unanswered} requests were written but not ` +
      `answered; ${torn} torn frames (${tornItems} items); killed ${killedStarting} times while starting, ` +
      `${killedStopping} times while stopping`,
  ].join("\n");
}

export function problemsOf(report: KillReport): string[] {
  const { rounds } = report;
  const problems = [...report.unbalanced];
  const mustBeNone = { lost: report.lost, corrupted: report.corrupted } as const;
  for (const [what, count] of Object.entries(mustBeNone)) {
    if (count > 0) problems.push(`${count} ${what}`);
  }
  if (report.unexplained > 0) problems.push(`${report.unexplained} duplicates are unexplained`);
  // A run in which nothing could have gone wrong proves nothing.
  if (report.acknowledged < rounds * 5)
    problems.push("too little was acknowledged to prove a thing");
  if (rounds >= 30 && report.replays === 0) problems.push("nothing was ever read again");
  if (rounds >= 30 && report.unanswered === 0) problems.push("no kill came amid a write");
  if (rounds >= 100 && report.duplicated === 0) problems.push("no kill came amid a delivery");
  if (rounds >= 100 && report.killedStarting === 0) problems.push("no kill came amid a start");
  return problems;
}
