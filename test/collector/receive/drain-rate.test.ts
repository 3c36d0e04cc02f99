import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import { DrainRate } from "../../../collector/receive/drain-rate.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { batchOf, unlimited } from "../../contract/log.ts";

const MB = 1_000_000;

/** A full log that is written to and read from at steady rates, and frees each byte as it is committed. */
class Scene {
  nowMs = 0;
  readonly #waiting = new Map<string, number>();
  readonly #rate: DrainRate;

  constructor(waiting: Readonly<Record<string, number>>) {
    for (const [name, bytes] of Object.entries(waiting)) this.#waiting.set(name, bytes);
    const readers = () => [...this.#waiting].map(([name, bytes]) => ({ name, waiting: { bytes } }));
    const mostWaitingFor = (bytes: number): number => Math.max(...this.#waiting.values()) - bytes;
    this.#rate = new DrainRate({ readers, mostWaitingFor, nowMs: () => this.nowMs });
  }

  run(seconds: number, appended: number, committed: Readonly<Record<string, number>>): void {
    for (let step = 0; step < seconds * 10; step++) {
      this.#rate.appended(appended / 10);
      for (const [name, bytes] of this.#waiting) {
        this.#waiting.set(name, bytes + (appended - (committed[name] ?? 0)) / 10);
      }
      this.nowMs += 100;
    }
  }

  secondsFor(bytes: number): number {
    return this.#rate.secondsFor(bytes);
  }
}

test("before anything was measured it is a guess", () => {
  expect(new Scene({ out: 0 }).secondsFor(MB)).toBe(5);
  expect(new Scene({}).secondsFor(MB)).toBe(5);
});

test("it is the size by the rate at which the output furthest behind commits", () => {
  const scene = new Scene({ slow: 500 * MB, fast: 0 });
  scene.run(30, 2 * MB, { slow: 1 * MB, fast: 2 * MB });
  expect(scene.secondsFor(10 * MB)).toBeGreaterThanOrEqual(10);
  expect(new Scene({ out: 0 }).secondsFor(1)).toBe(5);
});

test.each([
  [10, 10],
  [0.001, 1],
  [1000, 120],
])(
  "%d MB at a MB a second are %i seconds, which are never less than 1 nor more than 120",
  (size, seconds) => {
    const scene = new Scene({ out: 1000 * MB });
    scene.run(30, 0.5 * MB, { out: 1 * MB });
    expect(Math.abs(scene.secondsFor(size * MB) - seconds)).toBeLessThanOrEqual(1);
  },
);

test("an output that has stopped is believed to have stopped, little by little", () => {
  const scene = new Scene({ out: 1000 * MB });
  scene.run(30, 0, { out: 1 * MB });
  scene.run(5, 0.1 * MB, {});
  const soon = scene.secondsFor(MB);
  scene.run(120, 0.1 * MB, {});
  expect(scene.secondsFor(MB)).toBe(120);
  expect(soon).toBeLessThan(5);
});

test("many that are sent away at once are told to come back one after the other", () => {
  const scene = new Scene({ out: 1000 * MB });
  scene.run(30, 1 * MB, { out: 1 * MB });
  const told = Array.from({ length: 20 }, () => scene.secondsFor(MB));
  expect(told[0]).toBeLessThanOrEqual(2);
  expect(told[19]).toBeGreaterThanOrEqual(18);
  expect(told).toEqual(told.toSorted((one, other) => one - other));
  scene.run(30, 1 * MB, { out: 1 * MB }); // all of them have had their turn
  expect(scene.secondsFor(MB)).toBeLessThanOrEqual(2);
});

test("where whole segments are freed it is when the one goes that makes room", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-drain-"));
  const incidents = new Incidents({ write: () => {} });
  const limit = { maxBytes: 900_000, segmentBytes: 200_000, whenFull: "refuse" as const };
  const log = await DiskLog.open({ folder, incidents, ...limit });
  try {
    const reader = await log.reader("out");
    let nowS = 0;
    const rate = new DrainRate({
      readers: () => [reader],
      mostWaitingFor: (bytes) => log.mostWaitingFor(bytes),
      nowMs: () => nowS * 1000,
    });
    const append = (size: number): Promise<boolean> =>
      log.append(batchOf("x".repeat(size))).then(
        () => true,
        () => false,
      );
    /** One in a second. */
    const commit = async (): Promise<void> => {
      nowS++;
      const slice = await reader.next({ ...unlimited(), maxItems: 1 });
      await reader.commit(slice!.upTo, "");
      rate.appended(0);
    };
    while (await append(10_000));
    for (let count = 0; count < 4; count++) await commit();

    // A segment has 20, of which four are done. By its bytes alone one more would fit in a second.
    const told = rate.secondsFor(10_000);
    expect(told).toBe(16);
    for (let count = 0; count < told; count++) {
      expect(await append(10_000)).toBe(false);
      await commit();
    }
    // Now there is room for as many as a segment holds, and they need not wait for one another.
    expect(rate.secondsFor(10_000)).toBe(1);
    expect(rate.secondsFor(150_000)).toBe(1);
    expect(rate.secondsFor(50_000)).toBe(20);
    for (let count = 0; count < 16; count++) expect(await append(10_000)).toBe(true);
  } finally {
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
