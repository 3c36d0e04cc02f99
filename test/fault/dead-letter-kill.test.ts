// kill -9 between the write of dead letters and the commit of the cursor, at the cursor's own write: after
// the restart each record that is refused stands in the file once, and one that is taken by then not at all.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CursorFile } from "../../collector/log/cursor-file.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { readLetters } from "../support/letters.ts";
import { decodeRequest, encodeRequest } from "../support/otlp.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";
import { isStraceAbsent, oneDiskThread, under } from "./strace.ts";

let folder: string;
let sink: Sink;
let collector: CollectorProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-dead-letter-kill-"));
  sink = await startSink();
  sink.misbehave = (response, bytes) =>
    namesIn(bytes).some((name) => name.startsWith("bad")) && !!response.writeHead(400).end("no");
});

afterEach(async () => {
  await collector?.kill("SIGKILL");
  collector = undefined;
  await sink.close();
  rmSync(folder, { recursive: true, force: true });
});

const namesIn = (bytes: Uint8Array): string[] =>
  (decodeRequest("traces", bytes).resourceSpans ?? [])
    .flatMap(({ scopeSpans = [] }) => scopeSpans)
    .flatMap(({ spans = [] }) => spans.map(({ name = "" }) => name));

const data = (): string => join(folder, "data");
const cursor = (): string => join(data(), "log", "otlp.cursor");
const letters = () => readLetters(join(data(), "dead", "otlp.jsonl"));
const kept = (): string[] =>
  letters().flatMap(({ request }) => namesIn(Buffer.from(request, "base64")));
const delivered = (): Set<string> => new Set(sink.requests.flatMap(({ bytes }) => namesIn(bytes)));

async function start(inject?: string): Promise<CollectorProcess> {
  const strace = { trace: join(folder, "trace"), paths: [cursor()] };
  return await startCollector({
    dataDir: data(),
    env: { SONDE_OTLP_ENDPOINT: sink.url, SONDE_PROMETHEUS_PORT: "off", ...oneDiskThread },
    ...(inject === undefined ? {} : { under: under({ ...strace, inject }) }),
  });
}

/** One request after the other, each with a span that is refused, until it is killed; what it had taken. */
async function sendUntilKilled({ otlpHttp }: CollectorProcess): Promise<number[]> {
  const taken: number[] = [];
  for (let number = 0; number < 100; number++) {
    const spans = ["bad", "good"].map((word) => ({ name: `${word} ${number}` }));
    const body = encodeRequest("traces", { resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const headers = { "content-type": "application/x-protobuf" };
    const request = { method: "POST", headers, body: body as string & Uint8Array };
    const answer = await fetch(`${otlpHttp}/v1/traces`, request).catch(() => undefined);
    if (!answer) return taken;
    if (answer.status === 200) taken.push(number);
    await until("it is dealt with, or it is killed", async () => {
      const isAlive = await fetch(`${collector?.web}/readyz`).catch(() => undefined);
      return !isAlive || kept().includes(`bad ${number}`);
    });
  }
  throw new Error("it was never killed");
}

describe.skipIf(isStraceAbsent())("killed at the cursor's write", () => {
  test.each([1, 2, 4])("number %i", { timeout: 120_000 }, async (number) => {
    collector = await start(`write:signal=SIGKILL:when=${number}`);
    const taken = await sendUntilKilled(collector);
    const state = await CursorFile.read(cursor());
    const open = letters().filter(({ position }) => position >= (state?.position ?? 0));
    expect(open.length, "letters without their commit").toBeGreaterThan(0);

    collector = await start();
    await until("all is dealt with", async () => {
      return (await collector?.metric("sonde_output_waiting_items", { output: "otlp" })) === 0;
    });
    const bad = kept();
    expect(bad.toSorted()).toEqual([...new Set(bad)].toSorted());
    expect(bad).toEqual(expect.arrayContaining(taken.map((number) => `bad ${number}`)));
    expect([...delivered()]).toEqual(
      expect.arrayContaining(taken.map((number) => `good ${number}`)),
    );
    const labels = { output: "otlp", outcome: "rejected" };
    expect(await collector.metric("sonde_output_items_total", labels)).toBe(bad.length);
  });

  test("what is taken after it is no dead letter", { timeout: 120_000 }, async () => {
    collector = await start("write:signal=SIGKILL:when=2");
    const taken = await sendUntilKilled(collector);
    const committed = (await CursorFile.read(cursor()))?.position ?? 0;
    expect(letters().some(({ position }) => position >= committed)).toBe(true);

    sink.misbehave = undefined;
    collector = await start();
    await until("all is dealt with", async () => {
      return (await collector?.metric("sonde_output_waiting_items", { output: "otlp" })) === 0;
    });
    expect(letters().every(({ position }) => position < committed)).toBe(true);
    const here = [...kept(), ...delivered()];
    expect(here).toEqual(expect.arrayContaining(taken.map((number) => `bad ${number}`)));
    expect(kept().filter((name) => delivered().has(name))).toEqual([]);
  });
});
