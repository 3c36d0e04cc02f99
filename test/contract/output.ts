// What every output does. Each calls this with a way to open one against its destination.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deliveryOf as wholeOf, partsOf } from "../../collector/output/delivery.ts";
import {
  type Delivery,
  type Output,
  type OutputContext,
  reasons,
} from "../../collector/output/output.ts";
import { Incidents } from "../../collector/telemetry/incidents.ts";
import { type Signal, signals } from "../../collector/wire/batch.ts";
import { spoiled } from "../support/memory.ts";
import { sampleBatch } from "../support/otlp.ts";

export interface Opened {
  readonly output: Output;
  /** How many items the destination has, each counted once; undefined where it cannot tell. */
  arrived(signal: Signal): Promise<number | undefined>;
  /** For outputs whose destination is another process: it stops answering, and answers again. */
  readonly outage?: { begin(): Promise<void>; end(): Promise<void> };
  close(): Promise<void>;
}

export const outputContext = (more: Partial<OutputContext> = {}): OutputContext => ({
  name: "out",
  logId: "0123456789abcdef",
  incidents: new Incidents({ write: () => {} }),
  host: "127.0.0.1",
  ready: () => {},
  memory: spoiled(),
  ...more,
});

/** Batches of so many items, from a position on. */
export function deliveryOf(signal: Signal, items: readonly number[], from = 0): Delivery {
  const entries = items.map((count, index) => ({
    position: from + index,
    atMs: 1_790_000_000_000,
    batch: sampleBatch(signal, { items: count, seed: from + index + 1 }),
  }));
  return wholeOf(signal, entries);
}

const never = new AbortController().signal;

export function outputContract(name: string, open: () => Promise<Opened>): void {
  describe(`${name} keeps the contract of an output`, () => {
    let opened: Opened;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(async () => {
      await opened.output.close();
      await opened.close();
    });

    const eachWanted = async (check: (signal: Signal) => Promise<void>): Promise<void> => {
      expect(opened.output.wants.length).toBeGreaterThan(0);
      for (const signal of signals) if (opened.output.wants.includes(signal)) await check(signal);
    };

    test("what it is given arrives, all of it", () =>
      eachWanted(async (signal) => {
        const delivery = deliveryOf(signal, [3, 1, 12]);
        expect(await opened.output.deliver(delivery, never)).toEqual({ kind: "delivered" });
        expect(await opened.arrived(signal)).toBeOneOf([undefined, 16]);
      }));

    test("the bytes stay as they were", () =>
      eachWanted(async (signal) => {
        const delivery = deliveryOf(signal, [5, 5]);
        const before = delivery.entries.map(({ batch }) => Buffer.from(batch.bytes));
        await opened.output.deliver(delivery, never);
        delivery.entries.forEach(({ batch }, index) => {
          expect(before[index]!.equals(batch.bytes)).toBe(true);
        });
      }));

    test("its limits leave room for more than one batch", () => {
      expect(opened.output.maxItems).toBeGreaterThanOrEqual(512);
      expect(opened.output.maxBytes).toBeGreaterThanOrEqual(1 << 20);
    });

    test("several deliveries at a time arrive too, where it says that it takes so many", () =>
      eachWanted(async (signal) => {
        const { maxInFlight = 1 } = opened.output;
        expect(maxInFlight).toBeGreaterThanOrEqual(1);
        const counts = Array.from({ length: maxInFlight }, (_, index) => index + 1);
        // Positions go on from one to the next, as those of consecutive slices do.
        const deliveries = counts.map((count) => deliveryOf(signal, [count], count));
        const outcomes = deliveries.map((delivery) => opened.output.deliver(delivery, never));
        expect(await Promise.all(outcomes)).toEqual(counts.map(() => ({ kind: "delivered" })));
        const items = counts.reduce((sum, count) => sum + count, 0);
        expect(await opened.arrived(signal)).toBeOneOf([undefined, items]);
      }));

    test("a batch in parts arrives as a whole, where it says that it takes parts", () =>
      eachWanted(async (signal) => {
        if (!opened.output.takesParts) return;
        const whole = deliveryOf(signal, [20]);
        const parts = [...partsOf(whole.entries[0]!, { maxItems: 6, maxBytes: Infinity })];
        expect(parts.length).toBeGreaterThan(3);
        for (const part of parts) {
          const outcome = await opened.output.deliver(wholeOf(signal, [part]), never);
          expect(outcome).toEqual({ kind: "delivered" });
        }
        expect(await opened.arrived(signal)).toBeOneOf([undefined, 20]);
      }));

    test("a delivery that was cut off beforehand has an outcome, not an error", () =>
      eachWanted(async (signal) => {
        const outcome = await opened.output.deliver(deliveryOf(signal, [3]), AbortSignal.abort());
        expect(["delivered", "retry"]).toContain(outcome.kind);
      }));

    test("while nobody answers it asks for a retry with a known reason, then delivers the same", async () => {
      const { outage } = opened;
      if (!outage) return;
      await eachWanted(async (signal) => {
        const delivery = deliveryOf(signal, [4, 4]);
        await outage.begin();
        for (let attempt = 0; attempt < 3; attempt++) {
          const outcome = await opened.output.deliver(delivery, never);
          expect(outcome).toMatchObject({ kind: "retry", reason: expect.toBeOneOf([...reasons]) });
        }
        await outage.end();
        expect(await opened.output.deliver(delivery, never)).toEqual({ kind: "delivered" });
        expect(await opened.arrived(signal)).toBeOneOf([undefined, 8]);
      });
    });
  });
}
