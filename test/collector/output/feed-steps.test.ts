// What an output's steps do to what it is given, and to its books.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Step } from "../../../collector/step/step.ts";
import { split } from "../../../collector/wire/split.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";
import { delivered, Feeding } from "./feeding.ts";

let feeding: Feeding;

beforeEach(async () => {
  feeding = await Feeding.open();
});
afterEach(() => feeding.close());

const asItIs: Step = { name: "as-it-is", apply: (batch) => batch };

/** Leaves so many items of a batch. */
const first = (name: string, count: number): Step => ({
  name,
  apply(batch) {
    if (batch.items <= count) return batch;
    if (count === 0) return { ...batch, bytes: new Uint8Array(), items: 0 };
    const [part] = split(batch, { maxItems: count, maxBytes: Infinity });
    return part!.batch;
  },
});

test("each step's part is filtered under its name, the rest delivered", async () => {
  const batch = sampleBatch("logs", { items: 10 });
  await feeding.start(() => delivered, {}, [first("six", 6), asItIs, first("four", 4)]);
  await feeding.log.append(batch);
  await feeding.drained();
  expect(feeding.lines()).toEqual([
    "logs delivered 4",
    "logs filtered step:four 2",
    "logs filtered step:six 4",
  ]);
  feeding.expectBalance();
  const [entry] = feeding.deliveries[0]!.entries;
  expect(entry).toMatchObject({ position: 0, batch: { items: 4 } });
});

test("a batch of which nothing is left is not delivered, nor given to the next step", async () => {
  let calls = 0;
  const counting: Step = {
    name: "counting",
    apply(batch) {
      calls++;
      return batch;
    },
  };
  await feeding.start(() => delivered, {}, [first("none", 0), counting]);
  await feeding.log.append(sampleBatch("traces", { items: 10 }));
  await feeding.drained();
  expect(feeding.deliveries).toEqual([]);
  expect(calls).toBe(0);
  expect(feeding.lines()).toEqual(["traces filtered step:none 10"]);
});

test("what is not wanted goes through no step", async () => {
  const throwing: Step = {
    name: "throwing",
    apply() {
      throw new Error("not asked");
    },
  };
  await feeding.start(() => delivered, { wants: ["traces"] }, [throwing]);
  await feeding.log.append(sampleBatch("logs", { items: 10 }));
  await feeding.drained();
  expect(feeding.lines()).toEqual(["logs filtered not_wanted 10"]);
});

test("steps are applied once, however often the delivery is tried", async () => {
  let calls = 0;
  const counting: Step = { ...first("five", 5), name: "counting" };
  const apply: Step["apply"] = (batch) => {
    calls++;
    return counting.apply(batch);
  };
  let tries = 0;
  const busy = { kind: "retry", reason: "busy", detail: "" } as const;
  await feeding.start(() => (++tries < 5 ? busy : delivered), {}, [{ ...counting, apply }]);
  await feeding.log.append(sampleBatch("traces", { items: 10 }));
  await feeding.drained();
  expect(tries).toBe(5);
  expect(calls).toBe(1);
});

test("a step that throws stops its output, which keeps the cursor and says so", async () => {
  const broken: Step = {
    name: "broken",
    apply() {
      throw new Error("a bug");
    },
  };
  await feeding.start(() => delivered, {}, [broken]);
  await feeding.log.append(sampleBatch("traces", { items: 10 }));
  await until("it has failed", () => feeding.feed.failure !== undefined);
  expect(feeding.feed.failure).toMatchObject({
    reason: "server_error",
    detail: "stopped by an internal error: Error: a bug",
  });
  expect(feeding.feed.reader.waiting.items.traces).toBe(10);
  expect(feeding.said.join()).toContain("output out: internal error: Error: a bug");
});

test("so does one that makes items, which would unbalance the books", async () => {
  const making: Step = { name: "making", apply: (batch) => ({ ...batch, items: batch.items + 1 }) };
  await feeding.start(() => delivered, {}, [making]);
  await feeding.log.append(sampleBatch("traces", { items: 10 }));
  await until("it has failed", () => feeding.feed.failure !== undefined);
  expect(feeding.feed.failure?.detail).toContain("step making made 1 items");
});
