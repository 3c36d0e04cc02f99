import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Log } from "../../../collector/log/log.ts";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import { type DeadLetter, DeadLetters } from "../../../collector/output/dead-letters.ts";
import { Feed } from "../../../collector/output/feed.ts";
import type { Delivery, Outcome, Output } from "../../../collector/output/output.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { decodeRequest, sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";

let folder: string;
let log: Log;
let feed: Feed;
let deliveries: Delivery[];
let said: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-feed-"));
  deliveries = [];
  said = [];
  log = await openLog();
});

afterEach(async () => {
  await feed.stop(AbortSignal.abort());
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

const openLog = (): Promise<Log> =>
  DiskLog.open({ folder: join(folder, "log"), maxBytes: 1 << 30, incidents: new Incidents() });

type Answer = (delivery: Delivery, signal: AbortSignal) => Outcome | Promise<Outcome>;

async function start(answer: Answer, wants: readonly Signal[] = signals): Promise<void> {
  const output: Output = {
    wants,
    maxItems: 1000,
    maxBytes: 1e6,
    async deliver(delivery, signal) {
      deliveries.push(delivery);
      return answer(delivery, signal);
    },
    close: async () => {},
  };
  const reader = await log.reader("out");
  feed = new Feed({
    name: "out",
    log,
    reader,
    output,
    deadLetters: new DeadLetters(join(folder, "dead", "out.jsonl")),
    incidents: new Incidents({ write: (line) => said.push(line) }),
    backoff: { firstMs: 1, mostMs: 4, random: Math.random },
  });
  feed.start();
}

const delivered: Outcome = { kind: "delivered" };
const busy: Outcome = { kind: "retry", reason: "busy", detail: "come back" };
const bad = (items: number): Outcome => ({
  kind: "rejected",
  reason: "bad_data",
  detail: "no",
  items,
});

const drained = (): Promise<true> =>
  until("nothing waits", () => feed.reader.waiting.batches === 0 || undefined);

const lines = (): string[] =>
  [...feed.books.lines]
    .map(({ signal, outcome, reason, items }) =>
      `${signal} ${outcome} ${reason} ${items}`.replace("  ", " "),
    )
    .toSorted();

const letters = (): DeadLetter[] =>
  readFileSync(join(folder, "dead", "out.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as DeadLetter);

function expectBalance(): void {
  const total = feed.books.total();
  for (const signal of signals) {
    const since = log.appended[signal] - feed.books.began[signal];
    expect(total[signal] + feed.reader.waiting.items[signal]).toBe(since);
  }
}

test("what is delivered is committed and entered in the books", async () => {
  await start(() => delivered);
  for (const signal of signals) await log.append(sampleBatch(signal, { items: 7 }));
  await drained();
  expect(lines()).toEqual(["logs delivered 7", "metrics delivered 7", "traces delivered 7"]);
  expectBalance();
});

test("what is not wanted is filtered, and says so", async () => {
  await start(() => delivered, ["traces"]);
  for (const signal of signals) await log.append(sampleBatch(signal, { items: 7 }));
  await drained();
  expect(deliveries.map(({ signal }) => signal)).toEqual(["traces"]);
  expect(lines()).toEqual([
    "logs filtered not_wanted 7",
    "metrics filtered not_wanted 7",
    "traces delivered 7",
  ]);
  expectBalance();
});

test("a destination that is not ready gets the same delivery until it takes it", async () => {
  let tries = 0;
  await start(() => (++tries < 20 ? busy : delivered));
  await log.append(sampleBatch("traces", { items: 7 }));
  await drained();
  expect(new Set(deliveries).size).toBe(1);
  expect(deliveries.length).toBe(20);
  expect(lines()).toEqual(["traces delivered 7"]);
  expect(said[0]).toBe("output out: busy, trying again: come back");
  expect(said.at(-1)).toBe("output out: delivers again");
  expect(feed.failure).toBeUndefined();
  expect(feed.lastFailure).toMatchObject({ reason: "busy" });
});

test("an output that throws is our mistake and costs nothing but a retry", async () => {
  let tries = 0;
  await start(() => {
    if (++tries < 3) throw new Error("a bug");
    return delivered;
  });
  await log.append(sampleBatch("traces", { items: 7 }));
  await drained();
  expect(lines()).toEqual(["traces delivered 7"]);
});

describe("what is refused for good", () => {
  test("as a batch becomes a dead letter; its neighbours are delivered", async () => {
    await start(({ entries }) =>
      entries.some(({ batch }) => batch.items === 3) ? bad(sum(entries)) : delivered,
    );
    await Promise.all(
      [1, 2, 3, 4].map((items) => log.append(sampleBatch("logs", { items, seed: items }))),
    );
    await drained();
    expect(lines()).toEqual(["logs delivered 7", "logs rejected bad_data 3"]);
    expectBalance();
    const [letter] = letters();
    expect(letters().length).toBe(1);
    expect(letter).toMatchObject({ signal: "logs", reason: "bad_data", items: 3, position: 2 });
    expect(Buffer.from(letter!.request, "base64")).toEqual(
      Buffer.from(sampleBatch("logs", { items: 3, seed: 3 }).bytes),
    );
  });

  test("as single records: each is kept alone, under its resource and scope", async () => {
    await start(({ entries }) => ({
      ...bad(2),
      kind: "rejected",
      items: 2,
      reason: "bad_data",
      detail: "two of them",
      which: [1, 4].map((index) => ({
        position: entries[0]!.position,
        index,
        reason: "bad_data",
        detail: `no ${index}`,
      })),
    }));
    const batch = sampleBatch("logs", { items: 6 });
    await log.append(batch);
    await drained();
    expect(lines()).toEqual(["logs delivered 4", "logs rejected bad_data 2"]);
    const whole = decodeRequest("logs", batch.bytes).resourceLogs![0]!;
    letters().forEach((letter, which) => {
      const kept = decodeRequest("logs", Buffer.from(letter.request, "base64")).resourceLogs![0]!;
      expect(kept.resource).toEqual(whole.resource);
      expect(kept.scopeLogs![0]!.scope).toEqual(whole.scopeLogs![0]!.scope);
      expect(kept.scopeLogs![0]!.logRecords).toEqual([
        whole.scopeLogs![0]!.logRecords![[1, 4][which]!],
      ]);
      expect(letter.detail).toBe(`no ${[1, 4][which]}`);
    });
  });

  test("in part, without saying which: counted, the batch kept", async () => {
    await start(() => ({
      ...bad(2),
      kind: "rejected",
      reason: "partial_success",
      detail: "2",
      items: 2,
    }));
    await log.append(sampleBatch("traces", { items: 6 }));
    await drained();
    expect(lines()).toEqual(["traces delivered 4", "traces rejected partial_success 2"]);
    expect(letters().length).toBe(1);
    expectBalance();
  });
});

describe("stopping", () => {
  test("delivers what waits", async () => {
    await start(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return delivered;
    });
    for (let index = 0; index < 30; index++)
      await log.append(sampleBatch("traces", { items: 100 }));
    await feed.stop(AbortSignal.timeout(20_000));
    expect(feed.reader.waiting.batches).toBe(0);
    expect(lines()).toEqual(["traces delivered 3000"]);
  });

  test("does not wait for a destination that does not take anything, and loses nothing", async () => {
    await start(() => busy);
    await log.append(sampleBatch("traces", { items: 7 }));
    await until("a first try", () => deliveries.length > 0);
    await feed.stop(new AbortController().signal);
    expect(feed.reader.waiting.items.traces).toBe(7);
    await log.close();
    log = await openLog();
    await start(() => delivered);
    await drained();
    expect(lines()).toEqual(["traces delivered 7"]);
    expectBalance();
  });

  test("cuts off a delivery that hangs when the deadline has come", async () => {
    await start(
      (_delivery, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(busy))),
    );
    await log.append(sampleBatch("traces", { items: 7 }));
    await until("a first try", () => deliveries.length > 0);
    await feed.stop(AbortSignal.abort());
    expect(feed.reader.waiting.items.traces).toBe(7);
  });
});

describe("an output that is configured later", () => {
  /** Fills the log and has another output pass it, so that the log deletes what only that one needs. */
  async function passByAnother(): Promise<void> {
    const other = await log.reader("other");
    for (let index = 0; index < 10; index++) await log.append(sampleBatch("traces", { items: 5 }));
    const limits = { maxItems: 1e6, maxBytes: 1e9, signal: new AbortController().signal };
    const slice = await other.next(limits);
    await other.commit(slice!.upTo, "");
  }

  const openTiny = (): Promise<Log> =>
    DiskLog.open({
      folder: join(folder, "log"),
      maxBytes: 1 << 30,
      segmentBytes: 5_000,
      incidents: new Incidents(),
    });

  test("counts from what the log still holds", async () => {
    await log.close();
    log = await openTiny();
    await passByAnother();
    await start(() => delivered);
    await drained();
    expect(feed.books.began.traces).toBeGreaterThan(0);
    expectBalance();
  });

  test("and was there before, enters what it has missed as dropped", async () => {
    await log.close();
    log = await openTiny();
    await start(() => delivered);
    await log.append(sampleBatch("traces", { items: 7 }));
    await drained();
    await feed.stop(AbortSignal.abort());
    await log.close();
    log = await openTiny();
    await passByAnother();
    await log.close();
    log = await openTiny();
    await start(() => delivered);
    expectBalance();
    await log.append(sampleBatch("traces", { items: 2 }));
    await drained();
    expectBalance();
    const missed = [...feed.books.lines].find(({ outcome }) => outcome === "dropped");
    expect(missed).toMatchObject({ signal: "traces", reason: "not_configured" });
    expect(missed!.items % 5).toBe(0);
    expect(feed.books.total().traces).toBe(59);
  });
});

function sum(entries: Delivery["entries"]): number {
  return entries.reduce((items, { batch }) => items + batch.items, 0);
}
