// Log records on their way to a real store, under a proxy that does all that goes wrong between the two, while
// the collector is killed over and over on the same data folder. At the end what the store has is held
// against what the senders were told: each record that was acknowledged, once, and whole.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { attributes, encodeRequest, randomFrom } from "../support/otlp.ts";
import { until } from "../support/until.ts";
import { httpClient } from "./clients.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";

export interface Store {
  readonly url: string;
  /** The type of output that delivers to it, and what is set beside its address. */
  readonly type: string;
  readonly settings: object;
  readonly isDelivery: (path: string) => boolean;
  readonly thinOut?: Parameters<typeof startFaultProxy>[0]["thinOut"];
  /** Called after the last kill. */
  readonly amid?: () => Promise<void>;
  /** The lines of all records that it has. */
  lines(): AsyncIterable<string>;
  /** How many it has by its own count. */
  count(): Promise<number>;
  /**
   * It has no ids: what is sent again after a lost answer is one line to whoever reads it, but its own
   * count may have it twice. By so many for each request that was cut off.
   */
  readonly countedTwice?: number;
}

export interface StoreOptions {
  readonly records: number;
  readonly kills: number;
  readonly seed: number;
  readonly percent: number;
}

export interface StoreReport {
  readonly acknowledged: number;
  /** Of those: not in the store. */
  readonly lost: number;
  /** Lines of the store that came more than once. */
  readonly duplicated: number;
  /** Lines of the store that were never sent like that. */
  readonly corrupted: number;
  /** In the store without their sender having been answered. */
  readonly unanswered: number;
  readonly counted: number;
  readonly stored: number;
  /** Killed while records waited to be delivered. */
  readonly killedAmid: number;
  readonly rejected: number;
  readonly mayBeCountedTwice: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly seconds: number;
}

const perRequest = 100;
export const service = "proof";

export async function storeRounds(store: Store, options: StoreOptions): Promise<StoreReport> {
  const began = performance.now();
  const { target, proxy, run } = await prepare(store, options);
  try {
    for (let kill = 1; kill <= options.kills; kill++) {
      await run.sendUntil((options.records * kill) / (options.kills + 1));
      await run.kill();
      if (kill === options.kills) await store.amid?.();
    }
    await run.sendUntil(options.records);
    const rejected = await run.drain();
    const seconds = Math.round((performance.now() - began) / 1000);
    const { met: faults } = proxy;
    const lostAnswers = ["answer lost", "answer broken off"].map((fault) => faults.get(fault) ?? 0);
    const cutOff = options.kills + lostAnswers[0]! + lostAnswers[1]!;
    const mayBeCountedTwice = cutOff * (store.countedTwice ?? 0);
    return { ...(await run.verdict()), rejected, faults, mayBeCountedTwice, seconds };
  } finally {
    await run.close();
    await proxy.close();
    rmSync(target, { recursive: true, force: true });
  }
}

interface Prepared {
  /** The folder of it all. */
  readonly target: string;
  readonly proxy: FaultProxy;
  readonly run: Run;
}

async function prepare(store: Store, { seed, percent }: StoreOptions): Promise<Prepared> {
  const target = mkdtempSync(join(tmpdir(), "sonde-store-"));
  const { isDelivery, thinOut } = store;
  const more = thinOut ? { thinOut } : {};
  const random = randomFrom(seed);
  const proxy = await startFaultProxy({ target: store.url, random, percent, isDelivery, ...more });
  const settings = { ...store.settings, type: store.type, url: proxy.url, timeout_ms: 10_000 };
  writeFileSync(join(target, "sonde.yaml"), JSON.stringify({ outputs: { store: settings } }));
  return { target, proxy, run: new Run(store, target) };
}

type Verdict = Omit<StoreReport, "rejected" | "faults" | "mayBeCountedTwice" | "seconds">;

class Run {
  readonly #store: Store;
  readonly #folder: string;
  readonly #template = new Template();
  /** Numbers of requests. */
  readonly #acknowledged = new Set<number>();
  #sent = 0;
  #killedAmid = 0;
  #collector: CollectorProcess | undefined;

  constructor(store: Store, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /** Until so many records are acknowledged in all; a request without an answer is not sent again. */
  async sendUntil(records: number): Promise<void> {
    const { otlpHttp } = await this.#running();
    const isEnough = (): boolean => this.#acknowledged.size * perRequest >= records;
    const send = async (): Promise<void> => {
      const client = httpClient(otlpHttp);
      while (!isEnough()) {
        const number = this.#sent++;
        const bytes = this.#template.fill(number);
        const request = { signal: "logs", items: perRequest, bytes, name: "" } as const;
        if ((await client.send(request)) === "acknowledged") this.#acknowledged.add(number);
      }
      client.close();
    };
    await Promise.all(Array.from({ length: 4 }, send));
  }

  /** While requests come in and are delivered. */
  async kill(): Promise<void> {
    const collector = await this.#running();
    const delivered = (): Promise<number> =>
      collector.metric("sonde_output_items_total", { output: "store", outcome: "delivered" });
    const before = await delivered();
    const sending = this.#sendUntilGone(collector);
    const isUnderWay = async (): Promise<boolean> => (await delivered()) > before;
    await until("more is delivered", isUnderWay, 120_000);
    if ((await collector.metric("sonde_output_waiting_items")) > 0) this.#killedAmid++;
    await collector.kill("SIGKILL");
    await sending;
    this.#collector = undefined;
  }

  /** Gives the number of records that the store refused. */
  async drain(): Promise<number> {
    const collector = await this.#running();
    const isDrained = async (): Promise<boolean> =>
      (await collector.metric("sonde_output_waiting_items", { output: "store" })) === 0;
    await until("everything is delivered", isDrained, 600_000);
    const rejected = { output: "store", outcome: "rejected" };
    return await collector.metric("sonde_output_items_total", rejected);
  }

  async verdict(): Promise<Verdict> {
    const times = new Uint8Array(this.#sent * perRequest);
    let [stored, duplicated, corrupted] = [0, 0, 0];
    for await (const line of this.#store.lines()) {
      stored++;
      const number = numberOf(line);
      if (number === undefined || number >= times.length) corrupted++;
      else if (times[number]!++ > 0) duplicated++;
    }
    let [lost, unanswered] = [0, 0];
    for (const [number, count] of times.entries()) {
      const isAcknowledged = this.#acknowledged.has(Math.floor(number / perRequest));
      if (isAcknowledged && count === 0) lost++;
      if (!isAcknowledged && count > 0) unanswered++;
    }
    const acknowledged = this.#acknowledged.size * perRequest;
    const counted = await this.#store.count();
    const killedAmid = this.#killedAmid;
    return { acknowledged, lost, duplicated, corrupted, unanswered, counted, stored, killedAmid };
  }

  async close(): Promise<void> {
    await this.#collector?.kill("SIGKILL");
  }

  async #running(): Promise<CollectorProcess> {
    const config = join(this.#folder, "sonde.yaml");
    const dataDir = join(this.#folder, "data");
    const env = { SONDE_PROMETHEUS_PORT: "off" };
    return (this.#collector ??= await startCollector({ env, dataDir, args: ["--config", config] }));
  }

  async #sendUntilGone({ otlpHttp }: CollectorProcess): Promise<void> {
    const client = httpClient(otlpHttp);
    for (;;) {
      const number = this.#sent++;
      const bytes = this.#template.fill(number);
      const answer = await client.send({ signal: "logs", items: perRequest, bytes, name: "" });
      if (answer === undefined) break;
      if (answer === "acknowledged") this.#acknowledged.add(number);
      await sleep(100);
    }
    client.close();
  }
}

export function problemsOf(report: StoreReport, { kills, records }: StoreOptions): string[] {
  const { lost, duplicated, corrupted, rejected, stored, counted } = report;
  const problems = Object.entries({ lost, duplicated, corrupted, rejected })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  const expected = report.acknowledged + report.unanswered;
  if (stored !== expected) problems.push(`${stored} are stored, not ${expected}`);
  const excess = counted - stored;
  if (excess < 0 || excess > report.mayBeCountedTwice) {
    problems.push(`it counts ${counted}, and gives ${stored}`);
  }
  // A run in which nothing could have gone wrong proves nothing.
  if (report.acknowledged < records) problems.push("too little was acknowledged");
  if (report.faults.size < (records < 100_000 ? 2 : 6)) problems.push("too few faults were met");
  if (kills > 0 && report.killedAmid === 0) problems.push("no kill came amid a delivery");
  return problems;
}

export function inWords(name: string, report: StoreReport): string {
  const { acknowledged, lost, duplicated, corrupted, unanswered, rejected, seconds } = report;
  const met = [...report.faults].map(([fault, count]) => `${fault} ${count}`).join(", ");
  return [
    `${name}: ${acknowledged} records acknowledged, ${lost} lost, ${duplicated} duplicated, ` +
      `${corrupted} corrupted, ${rejected} rejected, ${unanswered} stored without an answer; ${seconds} s`,
    `  it counts ${report.counted}; ${report.killedAmid} kills came amid a delivery; faults: ${met}`,
  ].join("\n");
}

/** What each record says, and when: no two are alike. */
const place = "#".repeat(9);
const word = (number: number): string => String(number).padStart(place.length, "0");
const timePlace = 0x0123_4567_89ab_cdefn;
const beginNano = BigInt(Date.now() - 3_600_000) * 1_000_000n;
const stepNano = 10_000n;

/** `order 000000123 placed 000000123` */
function numberOf(line: string): number | undefined {
  const [, one, other] = /^order (\d{9}) placed (\d{9})$/.exec(line) ?? [];
  return one !== undefined && one === other ? Number(one) : undefined;
}

class Template {
  readonly #bytes: Buffer;
  readonly #words: number[] = [];
  readonly #times: number[] = [];

  constructor() {
    const logRecords = Array.from({ length: perRequest }, () => ({
      timeUnixNano: String(timePlace),
      severityNumber: 9,
      severityText: "INFO",
      body: { stringValue: `order ${place} placed ${place}` },
      attributes: attributes({ "http.route": "/orders/:id", "order.total": 12.5 }),
    }));
    const resource = {
      attributes: attributes({ "service.name": service, "data_stream.dataset": service }),
    };
    const request = { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] };
    this.#bytes = Buffer.from(encodeRequest("logs", request));
    const time = Buffer.alloc(8);
    time.writeBigUInt64LE(timePlace);
    for (const [what, places] of [
      [place, this.#words],
      [time, this.#times],
    ] as const) {
      for (let at = this.#bytes.indexOf(what); at >= 0; at = this.#bytes.indexOf(what, at + 1)) {
        places.push(at);
      }
    }
  }

  fill(request: number): Buffer {
    const bytes = Buffer.from(this.#bytes);
    for (let record = 0; record < perRequest; record++) {
      const number = request * perRequest + record;
      bytes.write(word(number), this.#words[record * 2]!, "latin1");
      bytes.write(word(number), this.#words[record * 2 + 1]!, "latin1");
      bytes.writeBigUInt64LE(beginNano + BigInt(number) * stepNano, this.#times[record]);
    }
    return bytes;
  }
}
