// Writes what is held as the text that Prometheus scrapes, a slice at a time.

import { familyHead, sampleLine } from "../../telemetry/exposition.ts";
import { type Distribution, type Family, NumberSeries } from "./series.ts";
import type { Store } from "./store.ts";

/** Characters: some hundred series, well under a millisecond to write. */
const sliceLength = 65_536;

/** Without the series that were last heard of before `sinceMs`. */
export function* scrape(store: Store, sinceMs: number): Generator<string> {
  let slice = "";
  for (const text of everything(store, sinceMs)) {
    slice += text;
    if (slice.length < sliceLength) continue;
    yield slice;
    slice = "";
  }
  if (slice) yield slice;
}

/**
 * Between two slices points are folded and series made and removed. Families are therefore listed at
 * the beginning, and the series of each when its turn comes, so that none can be written twice.
 */
function* everything(store: Store, sinceMs: number): Generator<string> {
  const families = [...store.families.values()];
  const infos = [...store.targets.values()].map(({ info }) => info).filter((info) => info !== "");
  if (infos.length > 0) yield familyHead(targetInfo);
  for (const info of infos) yield sampleLine(targetInfo.name, info, 1);
  for (const family of families) yield* familyText(family, sinceMs);
}

const targetInfo = { name: "target_info", type: "gauge", help: "Target metadata" } as const;

function* familyText(family: Family, sinceMs: number): Generator<string> {
  let head = familyHead(family);
  const bucketName = `${family.name}_bucket`;
  const streams = [...family.streams];
  for (const stream of streams) {
    const before = stream.scope.labels;
    const listed = [...stream.series.values()];
    for (const series of listed) {
      if (series.seenMs < sinceMs) continue;
      const labels = before + series.labels;
      if (series instanceof NumberSeries)
        yield head + sampleLine(family.name, labels, series.value);
      else if (family.type === "summary") yield head + summaryText(family.name, labels, series);
      else
        yield head + bucketsText(bucketName, labels, series) + totals(family.name, labels, series);
      head = "";
    }
  }
}

function summaryText(name: string, labels: string, series: Distribution): string {
  const comma = labels && ",";
  let text = "";
  for (let at = 0; at < series.counts.length; at++) {
    text += sampleLine(name, labels + comma + series.buckets.labels[at]!, series.counts[at]!);
  }
  return text + totals(name, labels, series);
}

/** Each bucket with all below it, as Prometheus wants them. */
function bucketsText(name: string, labels: string, series: Distribution): string {
  const lead = labels && `${labels},`;
  let text = "";
  let total = 0;
  for (let at = 0; at < series.buckets.labels.length; at++) {
    total += series.counts[at]!;
    text += sampleLine(name, lead + series.buckets.labels[at]!, total);
  }
  return text + sampleLine(name, `${lead}le="+Inf"`, series.count);
}

function totals(name: string, labels: string, { sum, count }: Distribution): string {
  const sumLine = Number.isNaN(sum) ? "" : sampleLine(`${name}_sum`, labels, sum);
  return sumLine + sampleLine(`${name}_count`, labels, count);
}
