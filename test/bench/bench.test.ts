// The benchmark in small, so that it cannot rot. No figure of it is asserted: it is over before the
// collector is warm.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cases, shortened } from "./cases.ts";
import { compare, entryOf, metricsEntryOf, type Series } from "./compare.ts";
import type { Run } from "./measure.ts";
import { metricsCases, seriesPerSender, shortenedMetrics } from "./metrics-cases.ts";
import { sondeShowing } from "./metrics-subjects.ts";
import { report, resultHash } from "./report.ts";
import { numberOffsets, unnumbered } from "./spans.ts";
import { sonde, sondeToElasticsearch } from "./subjects.ts";
import { decodeRequest } from "../support/otlp.ts";

const main = fileURLToPath(new URL("../../collector/main.ts", import.meta.url));
const requests = 10;

// Both protocols, both sizes and all kinds; the other cases are made of the same parts.
const tried = cases.filter(({ name }) =>
  ["http-100", "grpc-1", "destination-down", "recovery", "logs-elasticsearch"].includes(name),
);

test.each(tried)(
  "$name: every span that was sent arrives, and the report says so",
  async (given) => {
    const small = shortened(given, requests);
    const args = ["--conditions=source"];
    const isOtlp = given.signal === "traces";
    const subjects = [isOtlp ? sonde(main, args) : sondeToElasticsearch(main, args)];
    const { signal } = new AbortController();
    const series = await compare({ entries: [entryOf(small, subjects)], rounds: 1, signal });
    const run = series[0]?.runs[0];
    const warmUp = given.kind === "recovery" ? 0 : requests / 5;
    const sent = (requests + warmUp) * given.spansPerRequest;
    expect(run).toMatchObject({ sent, delivered: sent, duplicates: 0 });
    expect(run?.peakBytes).toBeGreaterThan(10 << 20);
    expect(report(series)).toMatch(new RegExp(`^${given.name} +sonde.* MB +yes$`, "m"));
  },
);

// The cases that are left out are made of the same parts.
const triedOfMetrics = metricsCases.filter(({ name }) => name !== "prometheus-sums");

test.each(triedOfMetrics)("$name: every series has what was sent last", async (given) => {
  const subjects = [sondeShowing("protobuf", main, ["--conditions=source"])];
  const small = shortenedMetrics(given);
  const { signal } = new AbortController();
  const entries = [metricsEntryOf(small, subjects)];
  const series = await compare({ entries, rounds: 1, signal });
  const rounds = small.warmUpRounds + small.rounds;
  const sent = rounds * small.senders * seriesPerSender;
  expect(series[0]).toMatchObject({ runs: [{ sent, delivered: sent, refusals: 0 }] });
  expect(report(series)).toMatch(new RegExp(`^${given.name} +sonde.* MB +yes$`, "m"));
});

test("a span takes about 445 bytes, has 10 attributes, and its number is found", () => {
  const request = unnumbered(100, 1, "traces");
  expect(request.length / 100).toBeGreaterThan(440);
  expect(request.length / 100).toBeLessThan(455);
  expect(numberOffsets(request, "traces").length).toBe(100);
  numberOffsets(request, "traces").forEach((offset, index) => request.writeUInt32BE(index, offset));
  const [group] = decodeRequest("traces", request).resourceSpans ?? [];
  const spans = group?.scopeSpans?.[0]?.spans ?? [];
  expect(new Set(spans.map(({ attributes }) => attributes?.length))).toEqual(new Set([10]));
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(100);
});

const run: Run = {
  spans: 300_000,
  cpuSeconds: 2,
  peakBytes: 100e6,
  sent: 1000,
  delivered: 1000,
  duplicates: 0,
  refusals: 0,
  seconds: {},
  aside: {},
};

function seriesOf(subject: string, ...runs: Partial<Run>[]): Series {
  return { case: cases[0]!, subject, runs: runs.map((given) => ({ ...run, ...given })) };
}

test("the report gives the median, the spread and the ratio to ours", () => {
  const ours = seriesOf("sonde", { cpuSeconds: 1 }, { cpuSeconds: 2 }, { cpuSeconds: 3 });
  const theirs = seriesOf("other", { cpuSeconds: 8 }, { cpuSeconds: 5 });
  const lines = report([ours, theirs]).split("\n");
  expect(lines[1]).toMatch(/^http-100 +sonde +150,000 \(100,000-300,000\) +100 MB +yes$/);
  expect(lines[2]).toMatch(/^ +other +48,750 \(37,500-60,000\) +5\.25 \(2\.5-8\.0\) +100 MB +yes$/);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
});

test("the report says what is above the memory that is allowed, of ours only", () => {
  const much = { peakBytes: 150e6 + 1 };
  const lines = report([seriesOf("sonde", { peakBytes: 150e6 }), seriesOf("other", much)]);
  expect(lines).not.toContain("TOO MUCH");
  expect(report([seriesOf("sonde", much)])).toContain("TOO MUCH MEMORY: sonde in http-100");
});

test("what could not be measured stands in the report, with the reason", () => {
  const failed = { ...seriesOf("sonde"), failure: "Error: it ended\n    at main" };
  expect(report([failed])).toMatch(/^http-100 +sonde +FAILED: Error: it ended$/m);
  expect(report([failed, seriesOf("other", {})])).toMatch(/^ +other +150,000 \(.*\) +100 MB/m);
});

test("what is missing, came twice or was refused stands in the report", () => {
  const series = [seriesOf("sonde", { delivered: 998, duplicates: 3, refusals: 4 }, {})];
  expect(report(series)).toContain("2 missing, 3 twice, 4 refused");
});

test("the hash changes with what came and not with what it cost", () => {
  const hash = resultHash([seriesOf("sonde", {})]);
  expect(resultHash([seriesOf("sonde", { cpuSeconds: 9, peakBytes: 1 })])).toBe(hash);
  expect(resultHash([seriesOf("sonde", { delivered: 999 })])).not.toBe(hash);
});
