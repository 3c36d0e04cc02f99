// What a full log makes an output miss stands in its books, once.

import { afterEach, expect, test } from "vitest";
import type { Outcome } from "../../../collector/output/output.ts";
import { batchOf, unlimited } from "../../contract/log.ts";
import { until } from "../../support/until.ts";
import { delivered, Feeding } from "./feeding.ts";

let feeding: Feeding;
afterEach(() => feeding.close());

test("what it missed is counted once, however much it commits afterwards, also by its successor", async () => {
  feeding = new Feeding();
  await feeding.openLog({ maxBytes: 8_000, segmentBytes: 1_000 });
  const ahead = await feeding.log.reader("ahead");
  const append = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      await feeding.log.append(batchOf("x".repeat(400), 1, "logs"));
      const slice = await ahead.next(unlimited());
      await ahead.commit(slice!.upTo, "");
    }
  };
  let goOn: (outcome: Outcome) => void = () => {};
  const held = new Promise<Outcome>((resolve) => (goOn = resolve));
  await feeding.start(() => held);
  await append(60);
  await until("it missed some", () => feeding.feed.reader.skipped.logs > 0 || undefined);
  feeding.expectBalance();
  goOn(delivered);
  await feeding.drained();
  for (let round = 0; round < 3; round++) {
    await append(5);
    await feeding.drained();
    feeding.expectBalance();
  }
  const missed = feeding.feed.reader.skipped.logs;
  expect(missed).toBeGreaterThan(10);
  expect(feeding.lines()).toEqual([
    `logs delivered ${75 - missed}`,
    `logs dropped log_full ${missed}`,
  ]);
  await feeding.feed.stop(AbortSignal.abort());
  await feeding.log.close();
  await feeding.openLog({ maxBytes: 8_000, segmentBytes: 1_000 });
  await feeding.start(() => delivered);
  await feeding.log.append(batchOf("y", 1, "logs"));
  await feeding.drained();
  feeding.expectBalance();
  expect(feeding.lines()).toContain(`logs dropped log_full ${missed}`);
});
