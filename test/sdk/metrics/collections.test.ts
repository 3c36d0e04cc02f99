import { afterEach, beforeEach, expect, test } from "vitest";
import { Runs } from "../../../sdk/metrics/collections.ts";
import { appFile, runApp } from "../support/app.ts";
import { plain, startSink } from "../support/sink.ts";
import type { Sink } from "../support/sink.ts";

let sink: Sink;
beforeEach(async () => void (sink = await startSink()));
afterEach(() => sink.close());

async function run(wanted: number, pauseMs: number) {
  const { stdout, stderr } = await runApp(appFile("collections/main.cjs"), {
    args: [String(wanted), String(pauseMs)],
    env: {
      NODE_OPTIONS: "--max-semi-space-size=1",
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
    },
  });
  expect(stderr).toBe("");
  const seen = JSON.parse(stdout) as { collections: number; seconds: number };
  const told = sink.metrics.findLast(({ name }) => name === "v8js.gc.duration");
  const minor = told?.histogram?.dataPoints?.find(
    ({ attributes }) => plain(attributes)["v8js.gc.type"] === "minor",
  );
  return { seen, count: Number(minor?.count), sum: minor?.sum ?? 0 };
}

test("few collections are all counted", async () => {
  const { seen, count, sum } = await run(10, 100);
  // Some are of the start, before the app looked; the last may not have been told yet.
  expect(count).toBeGreaterThanOrEqual(seen.collections - 1);
  expect(count).toBeLessThanOrEqual(seen.collections + 5);
  expect(sum).toBeGreaterThan(seen.seconds / 2);
});

test("of many some stand for all", async () => {
  const { seen, count, sum } = await run(3000, 0);
  expect(count / seen.collections).toBeGreaterThan(0.5);
  expect(count / seen.collections).toBeLessThan(2);
  expect(sum / seen.seconds).toBeGreaterThan(0.3);
  expect(sum / seen.seconds).toBeLessThan(3);
});

test("behind a run that was quick there is a pause, and each of the run counts five times", () => {
  const counted: number[] = [];
  const pauses: number[] = [];
  const runs = new Runs(
    ({ seconds }, times) => (counted[seconds] = (counted[seconds] ?? 0) + times),
    (ms) => pauses.push(ms),
  );
  const minor = (seconds: number, atMs: number) => ({ type: "minor", seconds, atMs });
  for (let at = 0; at < 19; at++) runs.take([minor(at, 1000 + at)]);
  expect(counted).toEqual(Array.from({ length: 19 }, () => 1));
  runs.take([minor(19, 1499), minor(20, 1500)]);
  expect(counted).toEqual(Array.from({ length: 21 }, () => 5));
  expect(pauses).toEqual([2000]);
  for (let at = 21; at < 41; at++) runs.take([minor(at, 3500 + at * 110)]);
  expect(counted.slice(21)).toEqual(Array.from({ length: 20 }, () => 1));
  expect(pauses).toEqual([2000]);
});
