import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { idOf } from "../../../collector/output/dead-letter-file.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";
import type { Delivery, Outcome, Output } from "../../../collector/output/output.ts";
import { type Resent, Resender } from "../../../collector/output/resend.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { letter, readLetters, writeLetters } from "../../support/letters.ts";
import { until } from "../../support/until.ts";
import { openOutput, startServer } from "./elasticsearch-server.ts";

let folder: string;
let path: string;
let deadLetters: DeadLetters;
let resender: Resender;
let deliveries: Delivery[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-resend-"));
  path = join(folder, "dead", "out.jsonl");
  deliveries = [];
});

afterEach(async () => {
  await resender.stop(AbortSignal.abort());
  await deadLetters.close();
  rmSync(folder, { recursive: true, force: true });
});

type Answer = (delivery: Delivery, signal: AbortSignal) => Outcome | Promise<Outcome>;

function open(answer: Answer, more: Partial<Output> = {}): void {
  const output: Output = {
    wants: signals,
    maxItems: 1000,
    maxBytes: 1e6,
    async deliver(delivery, signal) {
      deliveries.push(delivery);
      return await answer(delivery, signal);
    },
    close: async () => {},
    ...more,
  };
  deadLetters = new DeadLetters(path, undefined, "fedcba9876543210");
  const incidents = new Incidents({ write: () => {} });
  resender = new Resender({ name: "out", output, deadLetters, incidents, waitMs: [1, 1] });
}

const never = new AbortController().signal;
const resend = (ids?: readonly string[]): Promise<Resent> =>
  resender.resend({ ids: ids && new Set(ids), signal: never });

const delivered: Outcome = { kind: "delivered" };
const bad = (items: number, detail = "never"): Outcome => ({
  kind: "rejected",
  reason: "bad_data",
  detail,
  items,
});
const away: Outcome = { kind: "retry", reason: "unreachable", detail: "away" };

const positions = (): number[] => readLetters(path).map(({ position }) => position);
const positionsIn = ({ entries }: Delivery): (number | undefined)[] =>
  entries.map(({ origin }) => origin?.position);

test("letters that are taken leave the file, and are counted", async () => {
  writeLetters(path, [letter(1), letter(2, { signal: "logs", items: 7 })]);
  open(() => delivered);
  expect(await resend()).toEqual({
    accepted: 2,
    acceptedItems: 17,
    refused: 0,
    left: 0,
    unreadable: 0,
  });
  expect(readFileSync(path, "utf8")).toBe("");
  expect(readdirSync(join(folder, "dead"))).toEqual(["out.jsonl"]);
  expect(resender.resent).toEqual({ traces: 10, metrics: 0, logs: 7 });
});

test("the destination gets the very bytes that it refused", async () => {
  const written = [letter(1), letter(2)];
  writeLetters(path, written);
  open(() => delivered);
  await resend();
  const sent = deliveries.flatMap(({ entries }) =>
    entries.map(({ batch }) => Buffer.from(batch.bytes).toString("base64")),
  );
  expect(sent).toEqual(written.map(({ request }) => request));
});

test("a letter that is refused again stays, under the same id, with the new reason and a count", async () => {
  const before = letter(1);
  writeLetters(path, [before]);
  open(() => ({ kind: "rejected", reason: "too_large", detail: "still", items: 10 }));
  expect(await resend()).toMatchObject({ accepted: 0, refused: 1 });
  const [after] = readLetters(path);
  expect(after).toEqual({ ...before, reason: "too_large", detail: "still", attempts: 2 });
  expect(idOf(after!)).toBe(idOf(before));
  await resend();
  expect(readLetters(path)[0]?.attempts).toBe(3);
});

test("only the letters that were named are sent", async () => {
  const letters = [letter(1), letter(2), letter(3)];
  writeLetters(path, letters);
  open(() => delivered);
  expect(await resend([idOf(letters[1]!)])).toMatchObject({ accepted: 1, left: 2 });
  expect(positions()).toEqual([1, 3]);
});

test("lines that are no letters are counted and kept as they are", async () => {
  const strange = [
    "not JSON\n",
    '{"format":2,"what":"of a later version"}\n',
    `${JSON.stringify(letter(8, { request: "AAAA" }))}\n`, // no request
    '{"at":"2026-01-01T00:00:00.000Z","signal":"tra', // torn
  ];
  writeLetters(path, [letter(1), strange[0]!, strange[1]!, letter(2), strange[2]!, strange[3]!]);
  open(() => delivered);
  expect(await resend()).toMatchObject({ accepted: 2, unreadable: 4 });
  expect(readFileSync(path, "utf8")).toBe(`${strange.join("")}\n`);
});

test("one letter goes first, and when it is taken more of them together", async () => {
  writeLetters(
    path,
    Array.from({ length: 30 }, (_, position) => letter(position)),
  );
  open(() => delivered);
  await resend();
  expect(deliveries.map(({ entries }) => entries.length)).toEqual([1, 4, 16, 9]);
  expect(deliveries.flatMap(positionsIn)).toEqual(Array.from({ length: 30 }, (_, index) => index));
});

test("a delivery keeps to the output's limits, and to one signal", async () => {
  const signal = (position: number) => (position % 5 === 4 ? "logs" : "traces");
  writeLetters(
    path,
    Array.from({ length: 40 }, (_, position) => letter(position, { signal: signal(position) })),
  );
  open(() => delivered, { maxItems: 30, maxBytes: 25_000 });
  expect(await resend()).toMatchObject({ accepted: 40 });
  expect(Math.max(...deliveries.map(({ items }) => items))).toBe(30);
  for (const { signal: one, entries, items, bytes } of deliveries) {
    expect(items).toBe(entries.length * 10);
    expect(bytes).toBeLessThanOrEqual(25_000);
    expect(entries.every(({ batch }) => batch.signal === one)).toBe(true);
  }
});

test("a bad letter does not keep its neighbours", async () => {
  writeLetters(
    path,
    Array.from({ length: 21 }, (_, position) => letter(position)),
  );
  open((delivery) => (positionsIn(delivery).includes(12) ? bad(delivery.items) : delivered));
  expect(await resend()).toMatchObject({ accepted: 20, acceptedItems: 200, refused: 1 });
  expect(positions()).toEqual([12]);
});

test("where the destination says which it refuses, only these stay, each with its place in the batch", async () => {
  const whole = letter(5, { signal: "logs" });
  const one = letter(6, { signal: "logs", items: 1, index: 4 });
  const other = letter(6, { signal: "logs", items: 1, index: 7 });
  writeLetters(path, [letter(1, { signal: "logs" }), whole, one, other]);
  open(({ entries }) => {
    const which = entries.flatMap(({ position, origin }) => {
      const refused = { position, reason: "bad_data" as const, detail: "mapping" };
      if (origin?.position === 5) return [2, 9].map((index) => ({ ...refused, index }));
      return origin?.index === 7 ? [{ ...refused, index: 0 }] : [];
    });
    if (which.length === 0) return delivered;
    return { ...(bad(which.length) as Extract<Outcome, { kind: "rejected" }>), which };
  });
  const result = await resend();
  expect(deliveries.map(({ entries }) => entries.length)).toEqual([1, 3]);
  expect(result).toMatchObject({ accepted: 2, acceptedItems: 10 + 8 + 1, refused: 2 });
  const kept = readLetters(path);
  expect(kept.map(({ position, index, items }) => ({ position, index, items }))).toEqual([
    { position: 5, index: 2, items: 1 },
    { position: 5, index: 9, items: 1 },
    { position: 6, index: 7, items: 1 },
  ]);
  for (const { request, log, attempts } of kept) {
    const leaves = new Leaves({ bytes: Buffer.from(request, "base64") });
    expect([leaves.next(), leaves.next(), log, attempts]).toEqual([true, false, whole.log, 2]);
  }
});

test("where it does not say which, the letter stays whole and says how many it is about", async () => {
  writeLetters(path, [letter(1)]);
  open(() => ({ kind: "rejected", reason: "partial_success", detail: "some", items: 3 }));
  expect(await resend()).toMatchObject({ accepted: 0, acceptedItems: 7, refused: 1 });
  expect(readLetters(path)).toMatchObject([{ items: 3, among: 10, reason: "partial_success" }]);
});

describe("when the destination does not answer", () => {
  test("it is asked three times, then everything stays as it was, byte for byte", async () => {
    writeLetters(path, [letter(1), letter(2), letter(3)]);
    const before = readFileSync(path, "utf8");
    open(() => away);
    expect(await resend()).toMatchObject({
      accepted: 0,
      left: 3,
      stopped: { reason: "unreachable", detail: "away" },
    });
    expect(deliveries.length).toBe(3);
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  test("what was taken before that is gone, the rest is left", async () => {
    writeLetters(path, [letter(1), letter(2), letter(3)]);
    open(() => (deliveries.length === 1 ? delivered : away));
    expect(await resend()).toMatchObject({ accepted: 1, left: 2 });
    expect(positions()).toEqual([2, 3]);
  });

  test("one that is back at the second try gets all of it", async () => {
    writeLetters(path, [letter(1), letter(2)]);
    open(() => (deliveries.length === 1 ? away : delivered));
    expect(await resend()).toMatchObject({ accepted: 2, left: 0 });
  });

  test("one that throws, which is our own mistake, costs nothing", async () => {
    writeLetters(path, [letter(1)]);
    open(() => {
      throw new Error("a bug");
    });
    expect(await resend()).toMatchObject({ left: 1, stopped: { detail: "Error: a bug" } });
    expect(positions()).toEqual([1]);
  });
});

test("letters of a signal that the output does not take any more are not sent", async () => {
  writeLetters(path, [letter(1), letter(2, { signal: "metrics" })]);
  open(() => delivered, { wants: ["traces"] });
  expect(await resend()).toMatchObject({ accepted: 1, left: 1 });
  expect(positions()).toEqual([2]);
});

test("letters that are written meanwhile are kept, and those written later too", async () => {
  writeLetters(path, [letter(1)]);
  open(async () => {
    await deadLetters.write([letter(2)]);
    return delivered;
  });
  await deadLetters.write([letter(0)]);
  await resend();
  await deadLetters.write([letter(3)]);
  expect(positions()).toEqual([2, 2, 3]); // one for each delivery
});

test("a letter that the feed writes has the id of the log", async () => {
  open(() => delivered);
  const { log: _, ...without } = letter(1);
  await deadLetters.write([without, letter(2)]);
  expect(readLetters(path).map(({ log }) => log)).toEqual(["fedcba9876543210", "0123456789abcdef"]);
});

test("told to stop, it ends with the delivery under way, and keeps what it has not come to", async () => {
  writeLetters(
    path,
    Array.from({ length: 9 }, (_, position) => letter(position)),
  );
  const gate = Promise.withResolvers<Outcome>();
  open(() => (deliveries.length === 1 ? delivered : gate.promise));
  const running = resend();
  await until("the second delivery is under way", () => deliveries.length === 2);
  expect(resender.isRunning).toBe(true);
  await expect(resend()).rejects.toThrow("already");
  const stopped = resender.stop(never);
  gate.resolve(delivered);
  expect(await running).toMatchObject({ accepted: 5 });
  await stopped;
  expect(positions()).toEqual([5, 6, 7, 8]);
});

test("a delivery that outlasts the deadline is cut off, and its letters stay", async () => {
  writeLetters(path, [letter(1)]);
  open((_, signal) => {
    const cut = Promise.withResolvers<Outcome>();
    signal.addEventListener("abort", () => cut.resolve(away));
    return cut.promise;
  });
  const running = resend();
  await until("it is under way", () => deliveries.length === 1);
  await resender.stop(AbortSignal.abort());
  expect(await running).toMatchObject({ accepted: 0, left: 1, stopped: { reason: "stopping" } });
  expect(positions()).toEqual([1]);
});

test("without any file there is nothing to do", async () => {
  open(() => delivered);
  expect(await resend()).toMatchObject({ accepted: 0, refused: 0, left: 0 });
});

test("what a killed run has left behind does not get in", async () => {
  writeLetters(path, [letter(1), letter(2)]);
  writeLetters(`${path}.new`, [letter(77)]);
  open(({ entries }) => (entries[0]?.origin?.position === 1 ? delivered : bad(10)));
  await resend();
  expect(positions()).toEqual([2]);
});

test("Elasticsearch gets the ids that the records had when the log handed them out", async () => {
  const server = await startServer();
  writeLetters(path, [
    letter(7, { signal: "logs", items: 1, index: 3, log: "aaaa" }),
    letter(7, { signal: "logs", items: 1, index: 5, log: "aaaa", seed: 2 }),
    letter(7, { signal: "logs", items: 2, log: "bbbb" }),
  ]);
  const output = await openOutput(server.url);
  open((delivery, signal) => output.deliver(delivery, signal), { wants: ["logs"] });
  expect(await resend()).toMatchObject({ accepted: 3 });
  expect([...server.stored.keys()].toSorted()).toEqual([
    "aaaa-7-3",
    "aaaa-7-5",
    "bbbb-7-0",
    "bbbb-7-1",
  ]);
  await output.close();
  await server.close();
});
