import { expect, test } from "vitest";
import { DrainRate } from "../../../collector/receive/drain-rate.ts";

const MB = 1_000_000;

/** A log that is written to and read from at steady rates. */
class Scene {
  nowMs = 0;
  readonly #waiting = new Map<string, number>();
  readonly #rate: DrainRate;

  constructor(waiting: Readonly<Record<string, number>>) {
    for (const [name, bytes] of Object.entries(waiting)) this.#waiting.set(name, bytes);
    const readers = () => [...this.#waiting].map(([name, bytes]) => ({ name, waiting: { bytes } }));
    this.#rate = new DrainRate({ readers, nowMs: () => this.nowMs });
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
