// The oracle for the log bridges: one app under ours and under OpenTelemetry's. A difference that is not listed
// with its reason fails, and so does one that is listed and gone.

import { expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import type { Preload } from "./support/app.ts";
import { describeLogs } from "./support/facts.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const ofPino: Readonly<Record<string, string>> = {
  "log between: attribute payload":
    "OpenTelemetry's ids are among the fields and so below nestedKey, where it finds them no more",
  "log failed: attribute payload":
    "the same, and an error below nestedKey is the record's exception",
  "log failed: attribute exception.type": "an error below nestedKey is the record's exception",
  "log failed: attribute exception.message": "the same",
  "log failed: attribute exception.stacktrace": "the same",
  "log no bread: attribute exception.type":
    "the class of the error, as the conventions ask; OpenTelemetry's is its code",
  "log no bread: attribute err": "what else is in an error, such as its code, is kept",
  "log correlated by the app: attribute trace_id": "a trace_id that is not ours is the app's field",
};
const isBridge = "a bridge of ours";

test("what pino logs is sent as OpenTelemetry's instrumentation sends it, but for what that loses", async () => {
  const [official, ours] = [await run("pino", "official"), await run("pino", "require")];
  const [theirs, own] = [describeLogs(official), describeLogs(ours)];
  const different = new Set([...theirs.keys(), ...own.keys()]);
  for (const fact of different) if (theirs.get(fact) === own.get(fact)) different.delete(fact);
  const scopes = [...own.keys()].filter((fact) => fact.endsWith(": scope"));
  const reasons = { ...ofPino, ...Object.fromEntries(scopes.map((fact) => [fact, isBridge])) };
  expect([...different].toSorted()).toEqual(Object.keys(reasons).toSorted());
  expect(ours.logs).toHaveLength(official.logs.length);
});

test.each([
  ["winston", "it needs one more package, @opentelemetry/winston-transport, to send anything"],
  ["bunyan", "it knows bunyan up to version 1 alone"],
])("OpenTelemetry's instrumentation of %s sends nothing here: %s", async (logger) => {
  expect((await run(logger, "official")).logs).toEqual([]);
});

async function run(logger: string, preload: Preload): Promise<Sink> {
  const sink = await startSink();
  const { stderr } = await runApp(appFile("logs/main.cjs"), {
    preload,
    args: [logger],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  });
  expect(stderr).toBe("");
  await sink.close();
  return sink;
}
