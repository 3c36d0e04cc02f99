// Whoever scrapes, as a process of its own: reads all of it and looks at it only where it is asked to. Started
// by metrics-measure.ts.

import { answer } from "./child.ts";
import type { MetricsCase } from "./metrics-cases.ts";
import { lineBeginning, roundOf } from "./metrics-requests.ts";

export interface ScrapeOrder {
  readonly url: string;
  /** In which format. */
  readonly accept: string;
  /** So many times, and for so long. */
  readonly times: number;
  readonly ms: number;
  /** Of these the last one counts the series that have got that far. */
  readonly counted?: { readonly made: MetricsCase["made"]; readonly round: number };
}

export interface ScrapeDone {
  readonly scrapes: number;
  readonly longestS: number;
  readonly series: number;
}

answer(async ({ url, accept, times, ms, counted }: ScrapeOrder): Promise<ScrapeDone> => {
  const end = performance.now() + ms;
  let [scrapes, longestS, series] = [0, 0, 0];
  while (scrapes < times || performance.now() < end) {
    const begin = performance.now();
    const headers = { accept, "accept-encoding": "identity" };
    const response = await fetch(url, { headers });
    if (response.status !== 200) throw new Error(`the collector answered HTTP ${response.status}`);
    if (counted) series = countIn(await response.text(), counted);
    else await response.body?.pipeTo(new WritableStream());
    longestS = Math.max(longestS, (performance.now() - begin) / 1000);
    scrapes++;
  }
  return { scrapes, longestS, series };
});

function countIn(text: string, { made, round }: NonNullable<ScrapeOrder["counted"]>): number {
  const lines = text.split("\n").filter((line) => lineBeginning[made].test(line));
  return lines.filter((line) => roundOf(Number(line.slice(line.lastIndexOf("}") + 1))) === round)
    .length;
}
