// What SIGKILL takes along: what was recorded since the last batch was sent, and nothing that was before.

import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { appFile, startApp } from "./support/app.ts";
import { plainValue, startSink } from "./support/sink.ts";

test.each([
  { delays: {}, spansMs: 5000, logsMs: 1000 },
  {
    delays: { OTEL_BSP_SCHEDULE_DELAY: "200", OTEL_BLRP_SCHEDULE_DELAY: "100" },
    spansMs: 200,
    logsMs: 100,
  },
])("SIGKILL loses what is younger than the schedule delay, at most: %o", async (expected) => {
  const sink = await startSink();
  const app = startApp(appFile("exit/ticking.cjs"), {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_METRICS_EXPORTER: "none",
      ...expected.delays,
    },
  });
  let printed = "";
  app.process.stdout?.on("data", (text: string) => (printed = text));
  await until("some are sent", () => sink.spans.length > 0 && sink.logs.length > 0);
  const enough = sink.spans.length + expected.spansMs * 0.09;
  await until("more are recorded", () => lastOf(printed) > enough);
  app.process.kill("SIGKILL");
  const { stdout } = await app.ended;
  await sink.close();
  const recorded = lastOf(stdout);
  const spans = sink.spans.map(({ name }) => Number(name?.split(" ")[1]));
  const logs = sink.logs.map(({ body }) => Number(String(plainValue(body)).split(" ")[1]));
  for (const [numbers, mostMs] of [
    [spans, expected.spansMs],
    [logs, expected.logsMs],
  ] as const) {
    // What arrived has no gap, and what is missing is the end of it.
    expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
    const lost = recorded - numbers.length;
    // A hundred a second; with half as much again for a machine that is busy with other things.
    expect(lost).toBeLessThanOrEqual((mostMs / 10) * 1.5 + 5);
  }
  expect(recorded - spans.length).toBeGreaterThan(0);
});

function lastOf(lines: string): number {
  return Number(lines.trim().split("\n").at(-1));
}
