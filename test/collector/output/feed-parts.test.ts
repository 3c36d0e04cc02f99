// Batches that are handed over in parts: because they are above the output's limits, or to find what is
// wrong with one that was refused.

import { readFileSync, truncateSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Delivery, Outcome } from "../../../collector/output/output.ts";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { decodeRequest, sampleBatch } from "../../support/otlp.ts";
import { bad, busy, delivered, Feeding, itemsOf } from "./feeding.ts";

let feeding: Feeding;

beforeEach(async () => {
  feeding = await Feeding.open();
});
afterEach(() => feeding.close());

const inParts = { takesParts: true };

const spanIds = (bytes: Uint8Array): string[] =>
  decodeRequest("traces", bytes).resourceSpans!.flatMap(({ scopeSpans }) =>
    scopeSpans!.flatMap(({ spans }) => spans!.map(({ spanId }) => spanId!)),
  );

const idsOf = ({ entries }: Pick<Delivery, "entries">): string[] =>
  entries.flatMap(({ batch }) => spanIds(batch.bytes));

/** Takes all but what holds one of these spans; keeps what it took. */
function refusing(...ids: string[]): { answer: (delivery: Delivery) => Outcome; taken: string[] } {
  const taken: string[] = [];
  const answer = (delivery: Delivery): Outcome => {
    const given = idsOf(delivery);
    if (given.some((id) => ids.includes(id))) return bad(delivery.items);
    taken.push(...given);
    return delivered;
  };
  return { answer, taken };
}

describe("a batch above the limits", () => {
  test.each(signals)("of %s is delivered in parts within them, all of it", async (signal) => {
    const batch = sampleBatch(signal, { items: 100 });
    const maxBytes = Math.ceil(batch.bytes.length / 3);
    await feeding.start(() => delivered, { ...inParts, maxItems: 40, maxBytes });
    await feeding.log.append(batch);
    await feeding.drained();
    expect(feeding.deliveries.length).toBeGreaterThan(3);
    for (const { items, bytes } of feeding.deliveries) {
      expect(items).toBeLessThanOrEqual(40);
      expect(bytes).toBeLessThanOrEqual(maxBytes);
    }
    expect(feeding.lines()).toEqual([`${signal} delivered 100`]);
  });

  test("is handed over whole to an output that takes no parts", async () => {
    await feeding.start(() => delivered, { maxItems: 40 });
    await feeding.log.append(sampleBatch("traces", { items: 100 }));
    await feeding.drained();
    expect(feeding.deliveries.map(({ items }) => items)).toEqual([100]);
  });

  test("of which a part is refused for now: that part comes again, those before do not", async () => {
    let tries = 0;
    const answer = (): Outcome => (++tries === 2 ? busy : delivered);
    await feeding.start(answer, { ...inParts, maxItems: 40 });
    await feeding.log.append(sampleBatch("traces", { items: 100 }));
    await feeding.drained();
    expect(feeding.deliveries.map(({ items }) => items)).toEqual([40, 40, 40, 20]);
    expect(feeding.deliveries[1]).toBe(feeding.deliveries[2]);
  });
});

describe("a batch that is refused as a whole", () => {
  const batch = sampleBatch("traces", { items: 100 });
  const ids = spanIds(batch.bytes);

  test.each(["bad_data", "too_large"] as const)(
    "as %s is split until the culprits stand alone; the rest is delivered, once",
    async (reason) => {
      const { answer, taken } = refusing(ids[7]!, ids[61]!);
      await feeding.start((delivery) => {
        const outcome = answer(delivery);
        return outcome.kind === "rejected" ? { ...outcome, reason } : outcome;
      }, inParts);
      await feeding.log.append(batch);
      await feeding.drained();
      expect(feeding.lines()).toEqual(["traces delivered 98", `traces rejected ${reason} 2`]);
      expect(taken.length).toBe(98);
      expect(new Set(taken).size).toBe(98);
      expect(feeding.letters()).toMatchObject([
        { position: 0, index: 7, items: 1, reason },
        { position: 0, index: 61, items: 1, reason },
      ]);
      const kept = feeding
        .letters()
        .flatMap(({ request }) => spanIds(Buffer.from(request, "base64")));
      expect(kept).toEqual([ids[7], ids[61]]);
      expect(feeding.deliveries.length).toBeLessThan(40);
      feeding.expectBalance();
    },
  );

  test("among others does not take them with it", async () => {
    const { answer, taken } = refusing(ids[7]!);
    await Promise.all([
      feeding.log.append(sampleBatch("traces", { items: 30, seed: 2 })),
      feeding.log.append(batch),
      feeding.log.append(sampleBatch("traces", { items: 30, seed: 3 })),
    ]);
    await feeding.start(answer, inParts);
    await feeding.drained();
    expect(feeding.lines()).toEqual(["traces delivered 159", "traces rejected bad_data 1"]);
    expect(new Set(taken).size).toBe(159);
    expect(feeding.letters()).toMatchObject([{ position: 1, index: 7, items: 1 }]);
  });

  test("for another reason is kept as it is", async () => {
    const answer = (): Outcome => ({
      ...bad(100),
      kind: "rejected",
      reason: "damaged",
      detail: "",
      items: 100,
    });
    await feeding.start(answer, inParts);
    await feeding.log.append(batch);
    await feeding.drained();
    expect(feeding.deliveries.length).toBe(1);
    expect(feeding.letters()).toMatchObject([{ items: 100, position: 0 }]);
    expect(feeding.letters()[0]).not.toHaveProperty("index");
  });

  test("by a destination that refuses everything costs a bounded number of tries", async () => {
    await feeding.start(({ items }) => bad(items), inParts);
    await feeding.log.append(sampleBatch("traces", { items: 1000 }));
    await feeding.drained();
    expect(feeding.deliveries.length).toBeLessThan(100);
    expect(feeding.lines()).toEqual(["traces rejected bad_data 1000"]);
    const kept = feeding.letters();
    expect(kept.reduce((sum, { items }) => sum + items, 0)).toBe(1000);
    for (const { request, items } of kept) {
      expect(spanIds(Buffer.from(request, "base64")).length).toBe(items);
    }
    feeding.expectBalance();
  });

  test("of metrics is split down to single points", async () => {
    const metrics = sampleBatch("metrics", { items: 24 });
    const culprit = "/orders/:id"; // the route of every metric's last point
    await feeding.start(
      (delivery) =>
        delivery.entries.some(({ batch }) => Buffer.from(batch.bytes).includes(culprit))
          ? bad(delivery.items)
          : delivered,
      inParts,
    );
    await feeding.log.append(metrics);
    await feeding.drained();
    expect(feeding.lines()).toEqual(["metrics delivered 18", "metrics rejected bad_data 6"]);
    expect(feeding.letters().map(({ index, items }) => ({ index, items }))).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => ({ index, items: 1 })),
    );
  });
});

describe("a partial success, which does not say which", () => {
  const some = (items: number): Outcome => ({
    kind: "rejected",
    reason: "partial_success",
    detail: "too old",
    items,
  });
  const appendTwo = async (signal: Signal): Promise<void> => {
    await Promise.all(
      [1, 2].map((seed) => feeding.log.append(sampleBatch(signal, { items: 6, seed }))),
    );
  };

  test("is never tried again; one letter has all that it is about, and says so", async () => {
    await appendTwo("traces");
    await feeding.start(() => some(2), inParts);
    await feeding.drained();
    expect(feeding.deliveries.length).toBe(1);
    expect(feeding.lines()).toEqual(["traces delivered 10", "traces rejected partial_success 2"]);
    const [letter, ...others] = feeding.letters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ items: 2, among: 12, position: 0, detail: "too old" });
    expect(spanIds(Buffer.from(letter!.request, "base64")).length).toBe(12);
    feeding.expectBalance();
  });

  test.each([12, 13, 2 ** 60])("that says %i of 12 is not tried again either", async (items) => {
    await appendTwo("logs");
    await feeding.start(() => some(items), inParts);
    await feeding.drained();
    expect(feeding.deliveries.length).toBe(1);
    expect(feeding.lines()).toEqual(["logs rejected partial_success 12"]);
    expect(itemsOf(feeding.deliveries[0]!.entries)).toBe(12);
    feeding.expectBalance();
  });
});

test("a letter that a crash tore is cut off before the next is written", async () => {
  await feeding.start(({ items }) => bad(items));
  for (const seed of [1, 2]) {
    await feeding.log.append(sampleBatch("logs", { items: 2, seed }));
    await feeding.drained();
  }
  await feeding.feed.stop(AbortSignal.abort());
  const text = readFileSync(feeding.lettersPath, "utf8");
  truncateSync(feeding.lettersPath, text.length - 10);
  await feeding.log.close();
  await feeding.openLog();
  await feeding.start(({ items }) => bad(items));
  await feeding.log.append(sampleBatch("logs", { items: 2, seed: 3 }));
  await feeding.drained();
  expect(feeding.letters().map(({ position }) => position)).toEqual([0, 2]);
});
