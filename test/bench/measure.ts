// One run: a sender, the collector under test and a sink, each a process of its own. Only what the
// collector's process spends is counted, from when the warm-up has arrived until it rests again after
// the last span has.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, inFlight } from "./cases.ts";
import { type Child, startChild } from "./child.ts";
import type { LoadDone, LoadOrder } from "./load.ts";
import type { SinkCount, SinkListening, SinkQuestion } from "./sink.ts";
import type { Running, Subject } from "./subjects.ts";

export interface Run {
  /** User and system time of the collector, for `sent` spans. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** These three with the warm-up: what was acknowledged, and what of it came. */
  readonly sent: number;
  readonly delivered: number;
  readonly duplicates: number;
  /** Requests that the collector asked to have again. */
  readonly refusals: number;
}

const load = new URL("load.ts", import.meta.url);
const sink = new URL("sink.ts", import.meta.url);

export async function measure(given: Case, subject: Subject, signal: AbortSignal): Promise<Run> {
  const sinkChild = startChild(sink, signal);
  const loadChild = startChild(load, signal);
  let running: Running | undefined;
  try {
    const { protocol, spans, warmUpSpans } = given;
    const listen: SinkQuestion = { kind: "listen", protocol, spans: spans + warmUpSpans };
    const { url } = (await sinkChild.ask(listen)) as SinkListening;
    running = await subject.start(url);
    return await exchange(given, { running, sinkChild, loadChild, signal });
  } finally {
    await loadChild.stop(); // first, or it would be refused
    await running?.stop();
    await sinkChild.stop();
  }
}

interface Parts {
  readonly running: Running;
  readonly sinkChild: Child;
  readonly loadChild: Child;
  readonly signal: AbortSignal;
}

async function exchange(given: Case, parts: Parts): Promise<Run> {
  const { running, sinkChild, loadChild, signal } = parts;
  const { protocol, spansPerRequest, spans, warmUpSpans } = given;
  const send = async (first: number, count: number): Promise<LoadDone> => {
    const url = running[protocol];
    const order: LoadOrder = { protocol, url, spansPerRequest, inFlight, first, spans: count };
    return (await loadChild.ask(order)) as LoadDone;
  };
  const warmUp = await send(0, warmUpSpans);
  await arrival(sinkChild, warmUp.sent, signal);
  const cpuBefore = await restingCpuSeconds(running.pid, signal);
  const done = await send(warmUpSpans, spans);
  const sent = warmUp.sent + done.sent;
  await arrival(sinkChild, sent, signal);
  const cpuSeconds = (await restingCpuSeconds(running.pid, signal)) - cpuBefore;
  return {
    cpuSeconds,
    peakBytes: peakBytes(running.pid),
    sent,
    ...(await countOf(sinkChild)), // again: a duplicate may come late
    refusals: warmUp.refusals + done.refusals,
  };
}

const countOf = async (child: Child): Promise<SinkCount> => {
  const question: SinkQuestion = { kind: "count" };
  return (await child.ask(question)) as SinkCount;
};

/** Until `spans` have arrived, or nothing has for a long time: then the report shows what is missing. */
async function arrival(child: Child, spans: number, signal: AbortSignal): Promise<void> {
  const patienceMs = 20_000;
  let last = -1;
  let changedAtMs = Date.now();
  while (last < spans && Date.now() - changedAtMs < patienceMs) {
    const { delivered } = await countOf(child);
    if (delivered !== last) changedAtMs = Date.now();
    last = delivered;
    await sleep(25, undefined, { signal });
  }
}

// ── what Linux says of a process ─────────────────────────────────────────────────────────────────

/** What it has used once it uses no more, so that work behind the last answer is counted too. */
async function restingCpuSeconds(pid: number, signal: AbortSignal): Promise<number> {
  const most = 20;
  let seconds = cpuSeconds(pid);
  for (let tries = 0; tries < most; tries++) {
    await sleep(150, undefined, { signal });
    const now = cpuSeconds(pid);
    if (now === seconds) break;
    seconds = now;
  }
  return seconds;
}

/** User and system time of all threads. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third on
  const ticksPerSecond = 100; // what Linux shows to programs, on every machine
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
