// What the collector does to a disk, in as few calls as show all of it: it makes its folders, takes
// requests one by one and several at a time, begins segments, commits, writes a cursor file anew, deletes
// segments and uses one of them again, keeps a dead letter, recovers from a kill, and stops. One of those
// calls may fail, or be the last: the scenario goes on as far as the collector does, and then holds it to
// its promises.

import type { ChildProcess } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CollectorOptions,
  type CollectorProcess,
  startCollector,
} from "../support/collector-process.ts";
import { signals } from "../../collector/wire/batch.ts";
import { until } from "../support/until.ts";
import { httpClient } from "./clients.ts";
import { Destination, Ledger } from "./ledger.ts";
import { type MarkedRequest, markedRequest, namesIn } from "./marked-requests.ts";
import { oneDiskThread, type SeenCall, seenBy, type Strace, under } from "./strace.ts";

export const scenarioNames = ["first start", "recovery"] as const;
export type ScenarioName = (typeof scenarioNames)[number];

export interface Observed {
  /** What strace saw of the life with the fault. */
  readonly seen: readonly SeenCall[];
  readonly acknowledged: number;
  /** How that life ended. */
  readonly end: "killed" | "said why" | "stopped";
  /** Promises that were broken. */
  readonly problems: readonly string[];
}

/** The least that can be set, so that a few requests fill segments. */
const logMaxBytes = 64 << 10;
const rewriteAboveBytes = 1 << 20;
const stopLimitMs = 6_000;
/** So long may a collector that had one fault refuse before it takes data again. */
const recoverLimitMs = 5_000;

export class Scenario {
  readonly folder: string;
  readonly #name: ScenarioName;
  readonly #problems: string[] = [];
  #steady!: Destination;
  #picky!: Destination;
  #ledger!: Ledger;
  #life = 0;
  #requests = 0;

  constructor(name: ScenarioName, folder: string) {
    this.#name = name;
    this.folder = folder;
  }

  /** `again` is a second fault, for the life that recovers from the first. */
  async run(strace: Strace, again?: Strace): Promise<Observed> {
    this.#steady = await Destination.start();
    this.#picky = await Destination.start();
    this.#ledger = new Ledger([this.#steady, this.#picky]);
    for (const one of [strace, again]) {
      // Who cannot commit any more still delivers, as far as that is bounded: all of it comes again.
      if (one && losesCursor(one, "steady")) this.#steady.uncommitted = Infinity;
      if (one && losesCursor(one, "picky")) this.#picky.uncommitted = Infinity;
    }
    try {
      if (this.#name === "recovery") await this.#leaveABacklog();
      const observed = await this.#faultyLife(strace);
      if (again) await this.#faultyLife(again);
      await this.#judge();
      const { size: acknowledged } = this.#ledger.acknowledged;
      return { ...observed, acknowledged, problems: this.#problems };
    } finally {
      await this.#steady.close();
      await this.#picky.close();
    }
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────────────

  /** A collector killed with several segments full, the last one torn, and a cursor file grown long. */
  async #leaveABacklog(): Promise<void> {
    this.#steady.behaviour = this.#picky.behaviour = "refuses";
    const collector = await this.#start();
    for (let count = 0; count < 6; count++) await this.#send(collector);
    await collector.kill("SIGKILL");
    const log = join(this.folder, "data", "log");
    const last = readdirSync(log).findLast((name) => name.endsWith(".segment"))!;
    appendFileSync(join(log, last), "fram, torn off");
    appendFileSync(join(log, "steady.cursor"), "\n".repeat(rewriteAboveBytes + 1));
    this.#steady.behaviour = this.#picky.behaviour = "takes";
  }

  async #faultyLife(strace: Strace): Promise<Omit<Observed, "acknowledged" | "problems">> {
    let pid = 0;
    let collector: CollectorProcess | undefined;
    const onSpawn = (child: ChildProcess): void => {
      pid = child.pid ?? 0;
    };
    try {
      collector = await this.#start({ env: oneDiskThread, under: under(strace), onSpawn });
      await this.#work(collector, strace);
    } catch (error) {
      const end = this.#endOfStart(error as Error);
      return { seen: await seenBy(strace, pid), end };
    }
    const stopped = await this.#stop(collector);
    const seen = await seenBy(strace, pid);
    if (stopped === "SIGKILL") return { seen, end: "killed" };
    if (stopped !== 0) this.#checkWords(collector.stderr(), `it ended with ${stopped}`);
    return { seen, end: stopped === 0 ? "stopped" : "said why" };
  }

  /** One thing after the other, so that the calls come in nearly the same order in each run. */
  async #work(collector: CollectorProcess, strace: Strace): Promise<void> {
    const sendAndDrain = async (...requests: readonly MarkedRequest[]): Promise<void> => {
      await Promise.all(requests.map((request) => this.#send(collector, request)));
      await this.#drain(collector);
    };
    await sendAndDrain(this.#request());
    await sendAndDrain(this.#request());
    await sendAndDrain(this.#request(), this.#request(), this.#request());
    const bad = this.#request(1); // more would be taken apart until the bad one stands alone
    this.#picky.rejects.add(bad.name);
    await sendAndDrain(bad);
    await sendAndDrain(this.#request());
    // So much that the next segment begins, in a file that was another one before.
    await sendAndDrain(this.#request(), this.#request(), this.#request());
    await sendAndDrain(this.#request(), this.#request(), this.#request());
    // How often it reads and commits differs a little: so many more come until it was hit.
    const { inject } = strace;
    const most = inject ? 6 : 0;
    for (let more = 0; more < most && !isHit(strace, collector); more++) {
      await sendAndDrain(this.#request());
    }
    if (!isLasting(strace)) await this.#probe(collector);
    await this.#drain(collector);
  }

  #request(items = 8): MarkedRequest {
    const number = this.#requests++;
    return markedRequest(signals[number % signals.length]!, items, `request ${number}`);
  }

  async #send(collector: CollectorProcess, request = this.#request()): Promise<boolean> {
    this.#ledger.sent.set(request.name, request.items);
    const client = httpClient(collector.otlpHttp);
    const began = performance.now();
    const answer = await client.send(request);
    client.close();
    if (performance.now() - began > 10_000) this.#problems.push("a request had no answer for 10 s");
    if (answer === "acknowledged") this.#ledger.acknowledged.add(request.name);
    return answer === "acknowledged";
  }

  /** One fault must not stop it for good: new data gets through, unless it is gone. */
  async #probe(collector: CollectorProcess): Promise<void> {
    const took = async (): Promise<boolean> =>
      !isRunning(collector) || (await this.#send(collector));
    await until("it takes data again", took, recoverLimitMs).catch(() => {
      this.#problems.push(`it takes nothing ${recoverLimitMs} ms after the fault`);
    });
  }

  /** As far as it can: with a fault that lasts, it may never be done. */
  async #drain(collector: CollectorProcess): Promise<void> {
    const isDone = async (): Promise<boolean> =>
      !isRunning(collector) || (await collector.metric("sonde_output_waiting_items")) === 0;
    await until("all is delivered", isDone, 1_500).catch(() => {});
  }

  // ── what must be true ──────────────────────────────────────────────────────────────────────────

  #endOfStart({ message }: Error): Observed["end"] {
    if (message.startsWith("it ended (SIGKILL)")) return "killed";
    if (message.startsWith("it ended (1): ")) this.#checkWords(message, "it did not start");
    else this.#problems.push(`while starting: ${message}`);
    return "said why";
  }

  /** A line for people in the end, not a stack, that names the trouble and a file or folder. */
  #checkWords(stderr: string, what: string): void {
    const words = stderr.trim().split("\n").at(-1) ?? "";
    const isClear = /sonde: .*\bE[A-Z]{2,}\b/.test(words) && words.includes(this.folder);
    if (!isClear) this.#problems.push(`${what} without a clear word: ${stderr}`);
  }

  async #stop(collector: CollectorProcess): Promise<number | "SIGKILL"> {
    const ended = collector.kill("SIGTERM");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, stopLimitMs, "late");
    });
    const first = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (first === "late") {
      this.#problems.push(`it does not stop within ${stopLimitMs} ms`);
      await collector.kill("SIGKILL");
      return 0;
    }
    return first.code ?? "SIGKILL";
  }

  /** A life without faults: everything acknowledged arrives, and the books balance. */
  async #judge(): Promise<void> {
    let collector: CollectorProcess;
    try {
      collector = await this.#start();
    } catch (error) {
      this.#problems.push(`it does not start afterwards: ${(error as Error).message}`);
      return;
    }
    const drained = async (): Promise<boolean> =>
      (await collector.metric("sonde_output_waiting_items")) === 0;
    await until("everything is delivered", drained, 10_000).catch(() => {
      this.#problems.push("not everything is delivered afterwards");
    });
    await this.#balance(collector);
    if ((await this.#stop(collector)) !== 0) this.#problems.push("it does not stop with 0");
    const { lost, corrupted, unexplained } = this.#ledger.verdict();
    const dead = this.#deadLetters();
    const isKept = (name: string): boolean =>
      this.#picky.rejects.has(name) && dead.has(name) && this.#steady.has(name);
    const reallyLost = lost.filter((name) => !isKept(name));
    if (reallyLost.length > 0) this.#problems.push(`${reallyLost.length} acknowledged are lost`);
    if (corrupted > 0) this.#problems.push(`${corrupted} arrived that were never sent`);
    if (unexplained > 0) this.#problems.push(`${unexplained} came twice and were not under way`);
  }

  async #balance(collector: CollectorProcess): Promise<void> {
    const inLog = await collector.metric("sonde_log_items_total");
    const arrived = this.#ledger.itemsAt(this.#steady);
    if (inLog !== arrived) this.#problems.push(`the log took ${inLog} items, ${arrived} arrived`);
    for (const output of ["steady", "picky"]) {
      for (const signal of signals) {
        const taken = await collector.metric("sonde_log_items_total", { signal });
        const began = await collector.metric("sonde_output_began_items", { output, signal });
        const labels = { output, signal };
        const done = await collector.metric("sonde_output_items_total", labels);
        const dropped = { ...labels, outcome: "dropped" };
        if ((await collector.metric("sonde_output_items_total", dropped)) !== 0) {
          this.#problems.push(`${output} ${signal}: items were dropped`);
        }
        if (taken - began === done && began === 0) continue;
        const words = `of ${taken} items, ${done} are done since ${began}`;
        this.#problems.push(`${output} ${signal}: the books do not balance: ${words}`);
      }
    }
  }

  #deadLetters(): Set<string> {
    const file = join(this.folder, "data", "dead", "picky.jsonl");
    const names = new Set<string>();
    if (!existsSync(file)) return names;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      try {
        const { request } = JSON.parse(line) as { readonly request: string };
        for (const name of namesIn(Buffer.from(request, "base64"))) names.add(name);
      } catch {
        continue; // torn by a crash: its record is kept again
      }
    }
    return names;
  }

  #start(options: CollectorOptions = {}): Promise<CollectorProcess> {
    const life = this.#life++;
    const config = join(this.folder, "sonde.yaml");
    const output = (name: string, destination: Destination): string =>
      `  ${name}: { type: otlp, endpoint: "${destination.endpoint(life)}" }\n`;
    const outputs = output("steady", this.#steady) + output("picky", this.#picky);
    writeFileSync(config, `log_max_bytes: ${logMaxBytes}\noutputs:\n${outputs}`);
    const env = {
      SONDE_DATA_DIR: join(this.folder, "data"), // which it has to make itself
      SONDE_PROMETHEUS_PORT: "off",
      SONDE_OTLP_GRPC_PORT: "off",
      ...options.env,
    };
    return startCollector({ ...options, env, dataDir: this.folder, args: ["--config", config] });
  }
}

/** Whether the call fails from then on for good. */
function isLasting({ inject }: Strace): boolean {
  return inject?.endsWith("+") === true;
}

/** Whether it is that output's cursor that can be written no more. */
function losesCursor(strace: Strace, output: string): boolean {
  return (
    isLasting(strace) && strace.paths?.some((path) => path.includes(`/${output}.cursor`)) === true
  );
}

function isHit({ trace }: Strace, collector: CollectorProcess): boolean {
  return !isRunning(collector) || readFileSync(trace, "utf8").includes("(INJECTED)");
}

/** strace leaves the process itself as our child, so its end is seen by its id. */
function isRunning({ pid }: CollectorProcess): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
