// One run with metrics: senders, the collector under test and whoever scrapes it, each a process of its own.
// Only what the collector's process spends is counted.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "./child.ts";
import type { Run } from "./measure.ts";
import { type MetricsCase, seriesPerSender, shareOfMetrics } from "./metrics-cases.ts";
import type { MetricsDone, MetricsOrder, Probed } from "./metrics-load.ts";
import { formats, type MetricsRunning, type MetricsSubject } from "./metrics-subjects.ts";
import { peakBytes, restingCpuSeconds } from "./process.ts";
import type { ScrapeDone, ScrapeOrder } from "./scraper.ts";

export async function measureMetrics(
  whole: MetricsCase,
  subject: MetricsSubject,
  signal: AbortSignal,
): Promise<Run> {
  const given = shareOfMetrics(whole, subject.share);
  const folder = mkdtempSync(join(tmpdir(), "sonde-bench-"));
  const load = startChild(new URL("metrics-load.ts", import.meta.url), signal);
  const scraper = startChild(new URL("scraper.ts", import.meta.url), signal);
  let running: MetricsRunning | undefined;
  try {
    running = await subject.start(folder);
    const { http: url, metrics, pid } = running;
    const stage: Stage = {
      given,
      send: async (from, behind) => {
        const { made, senders } = given;
        const order: MetricsOrder = { kind: "send", url, made, senders, from, behind };
        return (await load.ask(order)) as MetricsDone;
      },
      probe: async (ms) => (await load.ask({ kind: "probe", url, ms })) as Probed,
      scrape: async (order) => {
        const whole: ScrapeOrder = { url: metrics, accept: subject.accept, ms: 0, ...order };
        return (await scraper.ask(whole)) as ScrapeDone;
      },
      resting: () => restingCpuSeconds(pid, signal, mostLooks),
    };
    return { ...(await run[given.kind](stage)), peakBytes: peakBytes(pid) };
  } finally {
    await Promise.all([load.stop(), scraper.stop()]); // first, or they would be refused
    await running?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What was taken may take a while until it is held. */
const mostLooks = 400;

interface Stage {
  readonly given: MetricsCase;
  readonly send: (from: number, behind: number) => Promise<MetricsDone>;
  readonly probe: (ms: number) => Promise<Probed>;
  readonly scrape: (order: Partial<ScrapeOrder> & { times: number }) => Promise<ScrapeDone>;
  readonly resting: () => Promise<number>;
}

type Measured = Omit<Run, "peakBytes">;

const run = { points, scrape };

/** From when the warm-up is held until the collector rests again after the last point. */
async function points({ given, send, scrape, resting }: Stage): Promise<Measured> {
  const { warmUpRounds, rounds } = given;
  const before = await send(0, warmUpRounds);
  const cpuBefore = await resting();
  const begin = performance.now();
  const after = await send(warmUpRounds, warmUpRounds + rounds);
  const sendingS = (performance.now() - begin) / 1000;
  const cpuSeconds = (await resting()) - cpuBefore;
  const sent = before.sent + after.sent;
  return {
    spans: after.sent,
    cpuSeconds,
    sent,
    delivered: sent - (await behindIn(given, scrape)),
    duplicates: 0,
    refusals: before.refusals + after.refusals,
    seconds: {},
    aside: { "sending took": sendingS },
  };
}

/** Of all series again and again; then the same once more, while somebody sends. */
async function scrape({ given, send, probe, scrape, resting }: Stage): Promise<Measured> {
  const { warmUpRounds, warmUpScrapes, scrapes, senders, probeMs } = given;
  const { sent, refusals } = await send(0, warmUpRounds);
  await scrape({ times: warmUpScrapes });
  const cpuBefore = await resting();
  const { longestS } = await scrape({ times: scrapes });
  const cpuSeconds = (await resting()) - cpuBefore;
  const atRest = await probe(probeMs / 3);
  const [probed] = await Promise.all([probe(probeMs), scrape({ times: 1, ms: probeMs })]);
  return {
    spans: scrapes * senders * seriesPerSender,
    cpuSeconds,
    sent,
    delivered: sent - (await behindIn(given, scrape)),
    duplicates: 0,
    refusals,
    seconds: {
      "longest scrape": longestS,
      "longest answer meanwhile": probed.usuallyLongestMs / 1000,
    },
    aside: {
      "the very longest": probed.longestMs / 1000,
      "longest answer at rest, usually": atRest.usuallyLongestMs / 1000,
    },
  };
}

/** Series that are not shown with what they were sent last. */
async function behindIn(given: MetricsCase, scrape: Stage["scrape"]): Promise<number> {
  const { made, senders, warmUpRounds, rounds } = given;
  const counted = { made, round: warmUpRounds + rounds - 1 };
  const { series } = await scrape({ times: 1, accept: formats.text, counted });
  return senders * seriesPerSender - series;
}
