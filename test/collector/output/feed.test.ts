import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeRequest, sampleBatch } from "../../support/otlp.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { until } from "../../support/until.ts";
import { bad, busy, delivered, Feeding, itemsOf } from "./feeding.ts";

let feeding: Feeding;

beforeEach(async () => {
  feeding = await Feeding.open();
});
afterEach(() => feeding.close());

test("what is delivered is committed and entered in the books", async () => {
  await feeding.start(() => delivered);
  for (const signal of signals) await feeding.log.append(sampleBatch(signal, { items: 7 }));
  await feeding.drained();
  expect(feeding.lines()).toEqual([
    "logs delivered 7",
    "metrics delivered 7",
    "traces delivered 7",
  ]);
  feeding.expectBalance();
});

test("what is not wanted is filtered, and says so", async () => {
  await feeding.start(() => delivered, { wants: ["traces"] });
  for (const signal of signals) await feeding.log.append(sampleBatch(signal, { items: 7 }));
  await feeding.drained();
  expect(feeding.deliveries.map(({ signal }) => signal)).toEqual(["traces"]);
  expect(feeding.lines()).toEqual([
    "logs filtered not_wanted 7",
    "metrics filtered not_wanted 7",
    "traces delivered 7",
  ]);
  feeding.expectBalance();
});

test("a destination that is not ready gets the same delivery until it takes it", async () => {
  let tries = 0;
  await feeding.start(() => (++tries < 20 ? busy : delivered));
  await feeding.log.append(sampleBatch("traces", { items: 7 }));
  await feeding.drained();
  expect(new Set(feeding.deliveries).size).toBe(1);
  expect(feeding.deliveries.length).toBe(20);
  expect(feeding.lines()).toEqual(["traces delivered 7"]);
  expect(feeding.said[0]).toBe("output out: busy, trying again: come back");
  expect(feeding.said.at(-1)).toBe("output out: delivers again");
  expect(feeding.feed.failure).toBeUndefined();
  expect(feeding.feed.lastFailure).toMatchObject({ reason: "busy" });
});

test("an output that throws is our mistake and costs nothing but a retry", async () => {
  let tries = 0;
  await feeding.start(() => {
    if (++tries < 3) throw new Error("a bug");
    return delivered;
  });
  await feeding.log.append(sampleBatch("traces", { items: 7 }));
  await feeding.drained();
  expect(feeding.lines()).toEqual(["traces delivered 7"]);
});

describe("what is refused for good", () => {
  test("as a batch becomes a dead letter; its neighbours are delivered", async () => {
    await feeding.start(({ entries }) =>
      entries.some(({ batch }) => batch.items === 3) ? bad(itemsOf(entries)) : delivered,
    );
    await Promise.all(
      [1, 2, 3, 4].map((items) => feeding.log.append(sampleBatch("logs", { items, seed: items }))),
    );
    await feeding.drained();
    expect(feeding.lines()).toEqual(["logs delivered 7", "logs rejected bad_data 3"]);
    feeding.expectBalance();
    const [letter] = feeding.letters();
    expect(feeding.letters().length).toBe(1);
    expect(letter).toMatchObject({ signal: "logs", reason: "bad_data", items: 3, position: 2 });
    expect(Buffer.from(letter!.request, "base64")).toEqual(
      Buffer.from(sampleBatch("logs", { items: 3, seed: 3 }).bytes),
    );
  });

  test("as single records: each is kept alone, under its resource and scope", async () => {
    await feeding.start(({ entries }) => ({
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
    await feeding.log.append(batch);
    await feeding.drained();
    expect(feeding.lines()).toEqual(["logs delivered 4", "logs rejected bad_data 2"]);
    const whole = decodeRequest("logs", batch.bytes).resourceLogs![0]!;
    feeding.letters().forEach((letter, which) => {
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
    await feeding.start(() => ({
      ...bad(2),
      kind: "rejected",
      reason: "partial_success",
      detail: "2",
      items: 2,
    }));
    await feeding.log.append(sampleBatch("traces", { items: 6 }));
    await feeding.drained();
    expect(feeding.lines()).toEqual(["traces delivered 4", "traces rejected partial_success 2"]);
    expect(feeding.letters().length).toBe(1);
    feeding.expectBalance();
  });
});

describe("stopping", () => {
  test("delivers what waits", async () => {
    await feeding.start(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return delivered;
    });
    for (let index = 0; index < 30; index++)
      await feeding.log.append(sampleBatch("traces", { items: 100 }));
    await feeding.feed.stop(AbortSignal.timeout(20_000));
    expect(feeding.feed.reader.waiting.batches).toBe(0);
    expect(feeding.lines()).toEqual(["traces delivered 3000"]);
  });

  test("does not wait for a destination that does not take anything, and loses nothing", async () => {
    await feeding.start(() => busy);
    await feeding.log.append(sampleBatch("traces", { items: 7 }));
    await until("a first try", () => feeding.deliveries.length > 0);
    await feeding.feed.stop(new AbortController().signal);
    expect(feeding.feed.reader.waiting.items.traces).toBe(7);
    await feeding.log.close();
    await feeding.openLog();
    await feeding.start(() => delivered);
    await feeding.drained();
    expect(feeding.lines()).toEqual(["traces delivered 7"]);
    feeding.expectBalance();
  });

  test("cuts off a delivery that hangs when the deadline has come", async () => {
    await feeding.start(
      (_delivery, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(busy))),
    );
    await feeding.log.append(sampleBatch("traces", { items: 7 }));
    await until("a first try", () => feeding.deliveries.length > 0);
    await feeding.feed.stop(AbortSignal.abort());
    expect(feeding.feed.reader.waiting.items.traces).toBe(7);
  });
});

describe("an output that is configured later", () => {
  /** Fills the log and has another output pass it, so that the log deletes what only that one needs. */
  async function passByAnother(): Promise<void> {
    const other = await feeding.log.reader("other");
    for (let index = 0; index < 10; index++)
      await feeding.log.append(sampleBatch("traces", { items: 5 }));
    const limits = { maxItems: 1e6, maxBytes: 1e9, signal: new AbortController().signal };
    const slice = await other.next(limits);
    await other.commit(slice!.upTo, "");
  }

  test("counts from what the log still holds", async () => {
    await feeding.log.close();
    await feeding.openLog({ segmentBytes: 5_000 });
    await passByAnother();
    await feeding.start(() => delivered);
    await feeding.drained();
    expect(feeding.feed.books.began.traces).toBeGreaterThan(0);
    feeding.expectBalance();
  });

  test("and was there before, enters what it has missed as dropped", async () => {
    await feeding.log.close();
    await feeding.openLog({ segmentBytes: 5_000 });
    await feeding.start(() => delivered);
    await feeding.log.append(sampleBatch("traces", { items: 7 }));
    await feeding.drained();
    await feeding.feed.stop(AbortSignal.abort());
    await feeding.log.close();
    await feeding.openLog({ segmentBytes: 5_000 });
    await passByAnother();
    await feeding.log.close();
    await feeding.openLog({ segmentBytes: 5_000 });
    await feeding.start(() => delivered);
    feeding.expectBalance();
    await feeding.log.append(sampleBatch("traces", { items: 2 }));
    await feeding.drained();
    feeding.expectBalance();
    const missed = [...feeding.feed.books.lines].find(({ outcome }) => outcome === "dropped");
    expect(missed).toMatchObject({ signal: "traces", reason: "not_configured" });
    expect(missed!.items % 5).toBe(0);
    expect(feeding.feed.books.total().traces).toBe(59);
  });
});
