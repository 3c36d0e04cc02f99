// Several deliveries on their way at a time: what is committed, what is held, who tries again.

import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import { Books } from "../../../collector/output/books.ts";
import type { Outcome } from "../../../collector/output/output.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";
import { type Answer, bad, busy, delivered, Feeding } from "./feeding.ts";

let feeding: Feeding;

beforeEach(async () => {
  feeding = await Feeding.open();
});
afterEach(() => feeding.close());

/** Answers when a test says so; what is cut off has none. */
class Answers {
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();

  readonly ask: Answer = ({ entries }, signal) =>
    new Promise((resolve) => {
      this.#waiting.set(entries[0]!.position, resolve);
      signal.addEventListener("abort", () => resolve(busy));
    });

  /** The positions of those that wait for one. */
  async areWaiting(positions: readonly number[]): Promise<void> {
    await until(`${positions.join()} are on their way`, () => {
      expect([...this.#waiting.keys()].toSorted((one, other) => one - other)).toEqual(positions);
      return true;
    });
  }

  give(position: number, outcome: Outcome): void {
    this.#waiting.get(position)!(outcome);
    this.#waiting.delete(position);
  }
}

const four = { maxInFlight: 4, maxItems: 10 };

/** Slices of ten spans each, as `maxItems` has it. */
async function append(slices: number): Promise<void> {
  for (let index = 0; index < slices; index++) {
    await feeding.log.append(sampleBatch("traces", { items: 10, seed: index + 1 }));
  }
}

/** That nothing happens cannot be waited for. */
const aMoment = (): Promise<void> => sleep(30);

const quiet = new Incidents({ write: () => {} });
const cursorsFirst = (one: string, other: string): number =>
  Number(other.includes("cursor")) - Number(one.includes("cursor"));

const waiting = (): number => feeding.feed.reader.waiting.batches;

test("as many slices are on their way as the output says", async () => {
  await append(8);
  const answers = new Answers();
  await feeding.start(answers.ask, four);
  await answers.areWaiting([0, 1, 2, 3]);
  await aMoment();
  await answers.areWaiting([0, 1, 2, 3]);
  answers.give(0, delivered);
  await answers.areWaiting([1, 2, 3, 4]);
});

test("dead letters are written in the order of the log, whatever the order of the answers", async () => {
  await append(4);
  const answers = new Answers();
  await feeding.start(answers.ask, { ...four, takesParts: false });
  await answers.areWaiting([0, 1, 2, 3]);
  for (const position of [3, 1, 2]) answers.give(position, bad(10));
  await aMoment();
  expect(existsSync(feeding.lettersPath)).toBe(false);
  answers.give(0, bad(10));
  await feeding.drained();
  expect(feeding.letters().map(({ position }) => position)).toEqual([0, 1, 2, 3]);
  feeding.expectBalance();
});

test("what has its answers at whatever moment a commit ends is committed, too", async () => {
  const answers = new Answers();
  await feeding.start(answers.ask, { ...four, maxInFlight: 2 });
  const { reader } = feeding.feed;
  const commit = reader.commit.bind(reader);
  for (let moments = 0; moments < 24; moments++) {
    const first = moments * 2;
    reader.commit = async (upTo, memo) => {
      reader.commit = commit;
      await commit(upTo, memo);
      answers.give(first + 1, delivered);
      for (let moment = 0; moment < moments; moment++) await Promise.resolve();
    };
    await append(2);
    await answers.areWaiting([first, first + 1]);
    answers.give(first, delivered);
    await until(`all is committed, ${moments} moments later`, () => waiting() === 0, 5_000);
  }
});

test("of small batches no more are uncommitted than so many slices of items could have", async () => {
  for (let batch = 0; batch < 100; batch++) {
    await feeding.log.append(sampleBatch("traces", { items: 1, seed: batch + 1 }));
  }
  await feeding.start(() => delivered, four);
  const { reader } = feeding.feed;
  const commit = reader.commit.bind(reader);
  const held = Promise.withResolvers<void>();
  reader.commit = async (upTo, memo) => {
    await held.promise;
    await commit(upTo, memo);
  };
  await until("all that may be is on its way", () => feeding.deliveries.length >= 4);
  await aMoment();
  const batches = feeding.deliveries.flatMap(({ entries }) => entries).length;
  held.resolve();
  await feeding.drained();
  expect(batches).toBe(40);
});

test("one, if it says nothing", async () => {
  await append(3);
  const answers = new Answers();
  await feeding.start(answers.ask, { maxItems: 10 });
  await answers.areWaiting([0]);
  await aMoment();
  await answers.areWaiting([0]);
  answers.give(0, delivered);
  await answers.areWaiting([1]);
});

test("small batches that come one by one travel together", async () => {
  await feeding.start(() => delivered, { maxInFlight: 4 });
  const began = performance.now();
  for (let index = 0; index < 60; index++) {
    await feeding.log.append(sampleBatch("traces", { items: 1, seed: index + 1 }));
    await sleep(1);
  }
  await feeding.drained();
  const slices = (performance.now() - began) / 50;
  expect(feeding.deliveries.length).toBeLessThan(slices + 2);
  expect(feeding.lines()).toEqual(["traces delivered 60"]);
});

test("a small batch waits for others no longer than until they are enough", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    await feeding.start(() => delivered, four);
    const come = (items: number): Promise<unknown> =>
      feeding.log.append(sampleBatch("traces", { items, seed: items }));
    const isDelivered = (slices: number): Promise<unknown> =>
      until(`${slices} slices are delivered`, () => feeding.deliveries.length === slices);
    await come(1);
    await isDelivered(1);
    await come(5);
    await isDelivered(2);
    await come(2);
    await isDelivered(3);
    await come(4);
    await aMoment();
    await isDelivered(3);
    vi.advanceTimersByTime(50);
    await isDelivered(4);
  } finally {
    vi.useRealTimers();
  }
});

test("only the finished beginning is committed, with its exact books", async () => {
  await append(4);
  const answers = new Answers();
  await feeding.start(answers.ask, four);
  await answers.areWaiting([0, 1, 2, 3]);
  answers.give(3, delivered);
  answers.give(1, delivered);
  await aMoment();
  expect(waiting()).toBe(4);
  expect(feeding.lines()).toEqual([]);
  answers.give(0, delivered);
  await until("two are committed", () => waiting() === 2);
  expect(feeding.lines()).toEqual(["traces delivered 20"]);
  feeding.expectBalance();
  answers.give(2, delivered);
  await feeding.drained();
  expect(feeding.lines()).toEqual(["traces delivered 40"]);
});

test("what was delivered behind a gap comes again after a crash, and is counted once", async () => {
  await append(4);
  const answers = new Answers();
  await feeding.start(answers.ask, four);
  await answers.areWaiting([0, 1, 2, 3]);
  answers.give(0, delivered);
  answers.give(2, delivered);
  await until("the first is committed", () => waiting() === 3);
  await feeding.feed.stop(AbortSignal.abort());
  await feeding.log.close();
  await feeding.openLog();
  feeding.deliveries.length = 0;
  await feeding.start(() => delivered, four);
  await feeding.drained();
  expect(feeding.deliveries.map(({ entries }) => entries[0]!.position)).toEqual([1, 2, 3]);
  expect(feeding.lines()).toEqual(["traces delivered 40"]);
  feeding.expectBalance();
});

test("at whatever moment it is killed, the cursor and its books agree", async () => {
  const outcomes: Outcome[] = [delivered, delivered, delivered, busy, bad(10)];
  /** So many answers are left until the next kill: on a slow machine all would be over before a few. */
  const left = { answers: 0 };
  const answer: Answer = async (delivery) => {
    await sleep(Math.random() * 4);
    while (left.answers === 0) await sleep(1);
    left.answers--;
    const outcome = outcomes[Math.floor(Math.random() * outcomes.length)]!;
    return outcome.kind === "rejected" ? bad(delivery.items) : outcome;
  };
  await append(60);
  await feeding.start(answer, { ...four, takesParts: true });
  const places = new Set<number>();
  for (let kill = 0; waiting() > 0; kill++) {
    const copy = join(feeding.folder, `killed-${kill}`);
    // The cursor first: what is appended behind it is no harm.
    for (const name of readdirSync(join(feeding.folder, "log")).toSorted(cursorsFirst)) {
      cpSync(join(feeding.folder, "log", name), join(copy, name), { recursive: true });
    }
    rmSync(join(copy, "lock"), { recursive: true, force: true });
    const found = await DiskLog.open({ folder: copy, maxBytes: 1 << 30, incidents: quiet });
    const reader = await found.reader("out");
    const books = reader.memo ? Books.fromMemo(reader.memo).total().traces : 0;
    expect(books + reader.waiting.items.traces).toBe(found.appended.traces);
    places.add(reader.waiting.batches);
    await found.close();
    left.answers = 5;
    await sleep(3);
  }
  expect(places.size).toBeGreaterThan(5);
  feeding.expectBalance();
});

test("what is held and not committed is bounded by bytes, too", async () => {
  const size = sampleBatch("traces", { items: 10 }).bytes.length;
  await append(1);
  await feeding.log.append(sampleBatch("traces", { items: 60 }));
  await append(4);
  const answers = new Answers();
  // Room for four slices of one small batch; the second slice is as large as six of these.
  await feeding.start(answers.ask, { maxInFlight: 4, maxBytes: size * 1.3, maxItems: 1000 });
  await answers.areWaiting([0, 1]);
  await aMoment();
  await answers.areWaiting([0, 1]);
  answers.give(0, delivered);
  await aMoment();
  await answers.areWaiting([1]);
  answers.give(1, delivered);
  await answers.areWaiting([2, 3, 4, 5]);
});

describe("while the destination refuses", () => {
  test("one delivery tries again, the others wait until it is taken", async () => {
    await append(4);
    const answers = new Answers();
    await feeding.start(answers.ask, four);
    await answers.areWaiting([0, 1, 2, 3]);
    answers.give(2, busy);
    await answers.areWaiting([0, 1, 2, 3]); // it has come back, as the one that tries
    for (const position of [0, 1, 3]) answers.give(position, busy);
    await aMoment();
    await answers.areWaiting([2]);
    expect(feeding.feed.failure).toMatchObject({ reason: "busy" });
    for (let tries = 0; tries < 5; tries++) {
      answers.give(2, busy);
      await answers.areWaiting([2]);
    }
    expect(feeding.deliveries.length).toBe(10);
    answers.give(2, delivered);
    await answers.areWaiting([0, 1, 3]);
    expect(feeding.feed.failure).toBeUndefined();
  });

  test("one that was on its way and is taken does not call the others back", async () => {
    await append(2);
    const answers = new Answers();
    const wait: Outcome = { ...busy, kind: "retry", reason: "busy", detail: "", afterMs: 300 };
    await feeding.start(answers.ask, four);
    await answers.areWaiting([0, 1]);
    const began = performance.now();
    answers.give(0, wait);
    answers.give(1, delivered);
    await answers.areWaiting([0]);
    expect(performance.now() - began).toBeGreaterThan(295);
    answers.give(0, delivered);
    await feeding.drained();
  });

  test("stopping waits for the one that tries: if it is taken, so are the others", async () => {
    await append(4);
    const answers = new Answers();
    await feeding.start(answers.ask, four);
    await answers.areWaiting([0, 1, 2, 3]);
    for (const position of [0, 1, 2, 3]) answers.give(position, busy);
    await answers.areWaiting([0]);
    const stopped = feeding.feed.stop(new AbortController().signal);
    answers.give(0, delivered);
    await answers.areWaiting([1, 2, 3]);
    for (const position of [1, 2, 3]) answers.give(position, delivered);
    await stopped;
    expect(waiting()).toBe(0);
  });

  test("stopping gives up at the next refusal, for all of them", async () => {
    await append(6);
    const answers = new Answers();
    await feeding.start(answers.ask, four);
    await answers.areWaiting([0, 1, 2, 3]);
    const stopped = feeding.feed.stop(new AbortController().signal);
    for (const position of [3, 2, 1, 0]) answers.give(position, busy);
    await stopped;
    expect(feeding.deliveries.length).toBe(4);
    expect(waiting()).toBe(6);
  });
});
