// One run: a sender, the collector under test and a sink, each a process of its own. Only what the
// collector's process spends is counted.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, shareOf } from "./cases.ts";
import { type Child, startChild } from "./child.ts";
import type { LoadDone, LoadOrder } from "./load.ts";
import { cpuSeconds, peakBytes, restingCpuSeconds } from "./process.ts";
import type { SinkCount, SinkListening, SinkQuestion } from "./sink.ts";
import type { Running, Subject } from "./subjects.ts";

export interface Run {
  /** Those that the CPU time was spent for. */
  readonly spans: number;
  /** User and system time of the collector. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** These three of the whole run, warm-up included: what was acknowledged, and what of it came. */
  readonly sent: number;
  readonly delivered: number;
  readonly duplicates: number;
  /** Requests that the collector asked to have again. */
  readonly refusals: number;
  /** What else was measured, in seconds. */
  readonly seconds: Readonly<Record<string, number>>;
  /** The same of what is not the point, but shows whether the measurement was sound. */
  readonly aside: Readonly<Record<string, number>>;
}

export async function measure(given: Case, subject: Subject, signal: AbortSignal): Promise<Run> {
  const share = given.kind === "recovery" ? 1 : subject.share;
  await using stage = new Stage(shareOf(given, share), subject, signal);
  return await run[given.kind](stage);
}

const run = { forward, down, recovery };

/** From when the warm-up has arrived until the collector rests again after the last span has. */
async function forward(stage: Stage): Promise<Run> {
  const { spans, warmUpSpans } = stage.given;
  await stage.listen();
  const running = await stage.start();
  const before = await stage.send({ first: 0, spans: warmUpSpans });
  await stage.arrival(before.sent);
  const [cpuBefore, begin] = [await stage.resting(), stage.others()];
  const after = await stage.send({ first: warmUpSpans, spans });
  const sendingS = stage.others().at - begin.at;
  await stage.arrival(before.sent + after.sent);
  const end = stage.others();
  return {
    spans: after.sent,
    cpuSeconds: (await stage.resting()) - cpuBefore,
    peakBytes: peakBytes(running.pid),
    sent: before.sent + after.sent,
    ...(await stage.count()), // again: a duplicate may come late
    refusals: before.refusals + after.refusals,
    seconds: {},
    aside: {
      "sending took": sendingS,
      "the sender's CPU": end.sender - begin.sender,
      "the sink's CPU": end.sink - begin.sink,
    },
  };
}

/** From when the warm-up has been taken until the collector rests after the last answer. */
async function down(stage: Stage): Promise<Run> {
  const { spans, warmUpSpans } = stage.given;
  await stage.listen();
  await stage.refuseConnections();
  const running = await stage.start();
  const before = await stage.send({ first: 0, spans: warmUpSpans });
  const cpuBefore = await stage.resting();
  const after = await stage.send({ first: warmUpSpans, spans });
  const cpuAfter = await stage.resting();
  const begin = performance.now();
  await stage.listen();
  const sent = before.sent + after.sent;
  await stage.arrival(sent);
  const deliveredS = (performance.now() - begin) / 1000;
  return {
    spans: after.sent,
    cpuSeconds: cpuAfter - cpuBefore,
    sent,
    refusals: before.refusals + after.refusals,
    seconds: {
      "all delivered after": deliveredS,
      "CPU for delivering": (await stage.resting()) - cpuAfter,
    },
    aside: {},
    peakBytes: peakBytes(running.pid),
    ...(await stage.count()),
  };
}

/** From its start, with all of it on disk, until the collector rests after the last span has arrived. */
async function recovery(stage: Stage): Promise<Run> {
  await stage.listen();
  await stage.refuseConnections();
  await stage.start();
  const { sent, refusals } = await stage.send({ first: 0, spans: stage.given.spans });
  await stage.kill();
  await stage.listen();
  const begin = performance.now();
  const running = await stage.start();
  await stage.arrival(sent);
  const drainedS = (performance.now() - begin) / 1000;
  return {
    spans: sent,
    cpuSeconds: await stage.resting(),
    peakBytes: peakBytes(running.pid),
    sent,
    ...(await stage.count()),
    refusals,
    seconds: { "ready after": running.readyMs / 1000, "all delivered after": drainedS },
    aside: {},
  };
}

// ── the parts that take part ─────────────────────────────────────────────────────────────────────

const load = new URL("load.ts", import.meta.url);
const sink = new URL("sink.ts", import.meta.url);

class Stage implements AsyncDisposable {
  readonly given: Case;
  readonly #subject: Subject;
  readonly #signal: AbortSignal;
  readonly #folder = mkdtempSync(join(tmpdir(), "sonde-bench-"));
  readonly #sink: Child;
  readonly #load: Child;
  #sinkUrl = "";
  #running: Running | undefined;

  constructor(given: Case, subject: Subject, signal: AbortSignal) {
    this.given = given;
    this.#subject = subject;
    this.#signal = signal;
    this.#sink = startChild(sink, signal);
    this.#load = startChild(load, signal);
  }

  /** The sink does, again at the same address if it has before. */
  async listen(): Promise<void> {
    const { protocol, signal, spans, warmUpSpans } = this.given;
    this.#sinkUrl = (
      await this.#ask<SinkListening>({
        kind: "listen",
        protocol,
        isForDocuments: this.#subject.isForDocuments ?? false,
        signal,
        spans: spans + warmUpSpans,
      })
    ).url;
  }

  /** The sink does. */
  async refuseConnections(): Promise<void> {
    await this.#ask({ kind: "close" });
  }

  async start(): Promise<Running> {
    const { signal } = this.given;
    const where = { sinkUrl: this.#sinkUrl, folder: this.#folder, signal };
    this.#running = await this.#subject.start(where);
    return this.#running;
  }

  async kill(): Promise<void> {
    const running = this.#running!;
    process.kill(running.pid, "SIGKILL");
    await running.stop();
  }

  async send({ first, spans }: { first: number; spans: number }): Promise<LoadDone> {
    const { protocol, signal, spansPerRequest, inFlight, connections } = this.given;
    const url = this.#running![protocol];
    const what = { protocol, signal, url, spansPerRequest, inFlight, connections };
    const order: LoadOrder = { ...what, first, spans };
    return (await this.#load.ask(order)) as LoadDone;
  }

  /** Until `spans` have arrived, or nothing has for a long time: then the report shows what is missing. */
  async arrival(spans: number): Promise<void> {
    const patienceMs = 60_000; // more than anybody waits between two tries
    let last = -1;
    let changedAtMs = Date.now();
    while (last < spans && Date.now() - changedAtMs < patienceMs) {
      const { delivered } = await this.count();
      if (delivered !== last) changedAtMs = Date.now();
      last = delivered;
      await sleep(25, undefined, { signal: this.#signal });
    }
  }

  async count(): Promise<SinkCount> {
    return await this.#ask<SinkCount>({ kind: "count" });
  }

  resting(): Promise<number> {
    return restingCpuSeconds(this.#running!.pid, this.#signal);
  }

  /** What those spend that are not measured, and when, in seconds. */
  others(): { at: number; sender: number; sink: number } {
    const at = performance.now() / 1000;
    return { at, sender: cpuSeconds(this.#load.pid), sink: cpuSeconds(this.#sink.pid) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load.stop(); // first, or it would be refused
    await this.#running?.stop();
    await this.#sink.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask<Answer>(question: SinkQuestion): Promise<Answer> {
    return (await this.#sink.ask(question)) as Answer; // sink.ts answers each with its own
  }
}
