import { expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { batchOf, logContract, unlimited } from "../../contract/log.ts";

logContract("the memory log", async (limit) => new MemoryLog(limit));

test("shows what it still has, while that goes on moving", async () => {
  const log = new MemoryLog({ maxBytes: 1 << 20 });
  const reader = await log.reader("out");
  const held = async (): Promise<number[]> => {
    const positions: number[] = [];
    for await (const { position } of log.held()) positions.push(position);
    return positions;
  };
  expect(await held()).toEqual([]);
  for (const text of ["a", "b", "c"]) await log.append(batchOf(text));
  expect(await held()).toEqual([0, 1, 2]);
  const looking = log.held();
  expect((await looking.next()).value?.position).toBe(0);
  const slice = await reader.next({ ...unlimited(), maxItems: 2 });
  await reader.commit(slice!.upTo, "");
  await log.append(batchOf("d"));
  expect(await held()).toEqual([2, 3]);
  const rest: number[] = [];
  for await (const { position } of looking) rest.push(position);
  expect(rest).toEqual([2]);
});
