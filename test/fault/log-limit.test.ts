// A log at its limit, in the real process: the output that is down misses the oldest, exactly counted,
// also through kill -9; the one that is up gets everything, and senders notice nothing.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { signals } from "../../collector/wire/batch.ts";
import { expectBalance } from "../support/books.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import { type Client, httpClient } from "./clients.ts";
import { Destination, Ledger } from "./ledger.ts";
import { markedRequest } from "./marked-requests.ts";

let folder: string;
let steady: Destination;
let down: Destination;
let ledger: Ledger;
let life = 0;
let requests = 0;
let collector: CollectorProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-limit-"));
  steady = await Destination.start();
  down = await Destination.start();
  down.behaviour = "refuses";
  ledger = new Ledger([steady]);
});
afterEach(async () => {
  await collector.kill("SIGKILL");
  await steady.close();
  await down.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(more = ""): Promise<void> {
  const config = join(folder, "sonde.yaml");
  const output = (name: string, destination: Destination): string =>
    `  ${name}: { type: otlp, endpoint: "${destination.endpoint(life)}" }\n`;
  const outputs = output("steady", steady) + output("down", down);
  writeFileSync(config, `log_max_bytes: 256KiB\n${more}outputs:\n${outputs}`);
  life++;
  collector = await startCollector({ dataDir: join(folder, "data"), args: ["--config", config] });
}

async function send(client: Client): Promise<"acknowledged" | "refused" | undefined> {
  const signal = signals[requests % signals.length]!;
  const request = markedRequest(signal, 10, `request ${requests++}`);
  ledger.sent.set(request.name, request.items);
  const answer = await client.send(request);
  if (answer === "acknowledged") ledger.acknowledged.add(request.name);
  return answer;
}

/** So many that the log is filled several times over. */
async function sendMany(count: number): Promise<number> {
  const client = httpClient(collector.otlpHttp);
  let refused = 0;
  for (let index = 0; index < count; index++) {
    if ((await send(client)) === "refused") refused++;
    // The one that is up must not fall behind, too: then there would be nobody ahead.
    if (index % 10 === 9) await until("steady has it", () => ledger.verdict().lost.length === 0);
  }
  client.close();
  return refused;
}

async function itemsOf(output: string, labels: Record<string, string> = {}): Promise<number> {
  return await collector.metric("sonde_output_items_total", { output, ...labels });
}

const balance = (): Promise<void> => expectBalance(collector, "steady", "down");

const health = async (): Promise<{ code: number; status: string | undefined }> => {
  const response = await fetch(`${collector.web}/health`);
  const { outputs } = (await response.json()) as { outputs: { name: string; status: string }[] };
  return {
    code: response.status,
    status: outputs.find(({ name }) => name === "down")?.status,
  };
};

test("the one that is down misses the oldest, counted; nobody else notices", async () => {
  await start();
  expect((await health()).code).toBe(200);
  expect(await sendMany(200)).toBe(0);
  const dropped = { outcome: "dropped", reason: "log_full" };
  expect(await itemsOf("down", dropped)).toBeGreaterThan(500);
  expect(await itemsOf("steady", dropped)).toBe(0);
  expect(collector.stderr()).toContain("output down: the log is full and others wait");
  await balance();
  expect(await health()).toEqual({ code: 503, status: "failing" });

  down.behaviour = "takes";
  const isQuiet = async (): Promise<boolean> =>
    (await collector.metric("sonde_output_waiting_items")) === 0;
  await until("it has caught up", isQuiet);
  await balance();
  // What it was being sent when its turn was over came after all, and counts as delivered.
  expect(await itemsOf("down", { outcome: "delivered" })).toBe(ledger.itemsAt(down));
  const all = await itemsOf("steady", { outcome: "delivered" });
  expect(ledger.itemsAt(down) + (await itemsOf("down", dropped))).toBe(all);
  expect(await health()).toEqual({ code: 200, status: "ok" });
});

test("the count outlasts kill -9, over and over", async () => {
  for (let round = 0; round < 4; round++) {
    await start();
    expect(await sendMany(60 + round * 7)).toBe(0);
    await collector.kill("SIGKILL");
  }
  await start();
  await balance();
  expect(await itemsOf("down", { outcome: "dropped", reason: "log_full" })).toBeGreaterThan(500);
  expect(await itemsOf("down", { outcome: "dropped", reason: "not_configured" })).toBe(0);
  expect((await health()).status).toBe("failing");
  down.behaviour = "takes";
  await until("it has caught up", async () => (await health()).status === "ok");
  await balance();
  expect(ledger.verdict()).toMatchObject({ lost: [], corrupted: 0, unexplained: 0 });
  expect(await itemsOf("down", { outcome: "delivered" })).toBe(ledger.itemsAt(down));
});

test("told to refuse, it refuses, and nobody misses a thing", async () => {
  await start("when_full: refuse\n");
  expect(await sendMany(100)).toBeGreaterThan(0);
  expect(await itemsOf("down")).toBe(0);
  down.behaviour = "takes";
  const ofDown = new Ledger([down]);
  for (const name of ledger.acknowledged) ofDown.acknowledged.add(name);
  await until("it has everything", () => ofDown.verdict().lost.length === 0);
  const client = httpClient(collector.otlpHttp);
  await until("data is taken again", async () => (await send(client)) === "acknowledged");
  client.close();
});
