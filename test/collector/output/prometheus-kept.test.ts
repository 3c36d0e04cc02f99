// What the Prometheus output remembers over a restart, and when it says that it does not.

import {
  appendFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StateFile } from "../../../collector/output/state-file.ts";
import type { Request } from "../../support/otlp.ts";
import {
  Bench,
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  quantileValues,
  request,
  shop,
  sum,
  timed,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { StateHome } from "../../support/state-home.ts";

const open = "application/openmetrics-text";

let home: StateHome;

beforeEach(() => {
  home = new StateHome();
});

afterEach(() => home[Symbol.asyncDispose]());

/** As the collector runs it: what is delivered is in the books after that. */
class Life {
  readonly bench: Bench;
  settled: number;
  logId = "one";

  constructor(settled = 0, given: Readonly<Record<string, unknown>> = {}) {
    this.bench = new Bench(given);
    this.settled = settled;
  }

  async start(): Promise<this> {
    const { logId } = this;
    await home.moveIn(this.bench, { settled: () => this.settled, logId });
    return this;
  }

  async deliver(...requests: Request[]): Promise<void> {
    for (const one of requests) {
      this.settled += (await this.bench.deliverCounted(one)).items;
    }
  }

  /** After kill -9: nothing is closed. */
  async again(given: { settled?: number; logId?: string; settings?: object } = {}): Promise<Life> {
    const next = new Life(given.settled ?? this.settled, { ...given.settings });
    next.bench.nowMs = 5; // another process, whose clock begins anew
    next.logId = given.logId ?? this.logId;
    return await next.start();
  }
}

const added = (value: number, time: number, name = "d"): Request =>
  request([
    sum(name, [{ ...timed({ start: time - 10, time }), asDouble: value }], {
      isMonotonic: true,
      temporality: delta,
    }),
  ]);

const everything = (time: number): Request =>
  request(
    [
      withExemplars(counter("c", time, { time, with: { é: '"\\\n' } }), exemplar(2)),
      gauge("g", Number.NaN, { time }),
      withExemplars(
        histogram(
          "h",
          { bounds: [1, 2], counts: [1, 2, 3], total: 9.5 },
          { time, temporality: delta },
        ),
        exemplar(1.5),
      ),
      exponential(3, { offset: -4, bucketCounts: ["1", "2"] }, { time, temporality: delta }),
      {
        name: "q",
        summary: { dataPoints: [{ ...timed({ time }), count: "4", sum: 1, quantileValues }] },
      },
    ],
    { ...shop, "host.name": "h" },
  );

describe("after a restart", () => {
  it.each(["killed", "stopped"])("of one that was %s everything is as it was", async (how) => {
    const first = await new Life().start();
    await first.deliver(everything(10), added(3, 10), everything(20), added(4, 20));
    const before = [first.bench.text(open), first.bench.bytes("application/vnd.google.protobuf")];
    if (how === "stopped") await first.bench.metrics.close();
    const second = await first.again();
    expect([
      second.bench.text(open),
      second.bench.bytes("application/vnd.google.protobuf"),
    ]).toEqual(before);
    expect(second.bench.metrics.budget).toEqual(first.bench.metrics.budget);
    expect(home.said).toEqual([]);
    for (const life of [first, second]) await life.deliver(everything(30), added(5, 30));
    expect(second.bench.text(open)).toBe(first.bench.text(open));
    expect(second.bench.samples()).toMatchObject({ d_total: 12, h_count: 18 });
  });

  it("what was folded in but not committed comes again, and counts once", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    const { settled } = first;
    await first.deliver(added(4, 20), added(5, 30));
    const second = await first.again({ settled });
    expect(second.bench.samples()).toEqual({ d_total: 3 });
    await second.deliver(added(4, 20), added(5, 30), added(6, 40));
    expect(second.bench.samples()).toEqual({ d_total: 18 });
    const third = await second.again();
    expect(third.bench.samples()).toEqual({ d_total: 18 });
  });

  it("the time between is no silence, and what had ended has ended", async () => {
    const first = await new Life(0, { metric_expiration: "1m" }).start();
    await first.deliver(added(1, 10, "old"));
    first.bench.nowMs += 50_000;
    await first.deliver(added(1, 10, "young"));
    const settings = { metric_expiration: "1m" };
    const second = await first.again({ settings });
    expect(second.bench.samples()).toEqual({ old_total: 1, young_total: 1 });
    second.bench.nowMs += 10_001;
    expect(second.bench.samples()).toEqual({ young_total: 1 });
    await second.deliver(added(7, 20, "old"));
    const third = await second.again({ settings });
    expect(third.bench.samples()).toEqual({ young_total: 1, old_total: 7 });
  });

  it("a new log changes nothing of the sums", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10), added(4, 20));
    const second = await first.again({ logId: "two", settled: 0 });
    await second.deliver(added(5, 30));
    const third = await second.again();
    expect(third.bench.samples()).toEqual({ d_total: 12 });
    expect(home.said).toEqual([]);
  });

  it("dead letters that were sent again are remembered, too", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    const origin = { logId: "one", position: 7, index: 0 };
    await first.bench.deliverFrom(origin, added(4, 20));
    await first.deliver(added(5, 30));
    expect((await first.again()).bench.samples()).toEqual({ d_total: 12 });
  });

  it("a record that was torn is written again", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    appendFileSync(home.path, "\u0010\0\0\0torn");
    const second = await first.again();
    await second.deliver(added(4, 20));
    expect((await second.again()).bench.samples()).toEqual({ d_total: 7 });
    expect(home.said).toEqual([]);
  });
});

describe("a file that cannot be used", () => {
  it.each([
    ["is damaged in its picture", () => damage(40)],
    ["is damaged behind it", () => damage(readFileSync(home.path).length - 3)],
    ["is cut off", () => truncateSync(home.path, readFileSync(home.path).length - 3)],
    ["is no such file", () => writeFileSync(home.path, "something else entirely, and long enough")],
    ["is empty", () => writeFileSync(home.path, "")],
  ])("as it %s is told of and set aside, and sums begin anew", async (_what, harm) => {
    const first = await new Life().start();
    await first.deliver(added(3, 10), everything(10));
    await first.bench.metrics.close();
    const again = await first.again();
    await again.deliver(added(4, 20));
    harm();
    const second = await again.again();
    expect(second.bench.text()).toBe("");
    expect(home.said).toEqual([
      expect.stringMatching(/^output prometheus: begins anew, .*prometheus\.state: /),
    ]);
    expect(existsSync(`${home.path}.bad`)).toBe(true);
    await second.deliver(added(5, 30));
    expect(second.bench.text(open)).toContain('d_created{job="shop",instance="1"} 1790000020\n');
    expect((await second.again()).bench.samples()).toEqual({ d_total: 5 });
    expect(home.said).toHaveLength(1);
  });

  it("as it is older than the books is told of, with both numbers", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    const older = readFileSync(home.path);
    await first.deliver(added(4, 20));
    writeFileSync(home.path, older);
    const second = await first.again();
    expect(second.bench.text()).toBe("");
    expect(home.said).toEqual([expect.stringContaining("has 1 points where 2 were taken")]);
  });

  it("as it is of another version is told of", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    const file = new StateFile(home.path);
    const records: string[] = [];
    await file.load((record) => records.push(record.toString("latin1")) > 0);
    const changed = records.map((record) => record.replace('"version":2', '"version":1'));
    await file.replace(changed.map((record) => [Buffer.from(record, "latin1")]));
    await file.close();
    const second = await first.again();
    expect(second.bench.text()).toBe("");
    expect(home.said).toEqual([expect.stringContaining("is of version 1, which is not known")]);
  });

  it("as names are made otherwise now is told of", async () => {
    const first = await new Life().start();
    await first.deliver(added(3, 10));
    const second = await first.again({ settings: { translation_strategy: "NoTranslation" } });
    expect(second.bench.text()).toBe("");
    expect(home.said).toEqual([expect.stringContaining("with other settings for names")]);
  });
});

describe("the file", () => {
  it("does not grow with what came, but with what there is", async () => {
    const life = await new Life().start();
    const large = request(
      Array.from({ length: 2000 }, (_, n) => gauge("g", n, { with: { n, text: "x".repeat(500) } })),
    );
    for (let round = 0; round < 80; round++) await life.deliver(large);
    expect(readFileSync(home.path).length).toBeLessThan(68 << 20);
    expect((await life.again()).bench.text()).toBe(life.bench.text());
  });

  it("that cannot be written costs no point, and is whole again when it can", async () => {
    const first = await new Life().start();
    writeFileSync(dirname(home.path), "a file where a folder should be");
    await first.deliver(added(3, 10));
    expect(home.said).toHaveLength(1);
    rmSync(dirname(home.path));
    first.bench.nowMs += 5_000;
    await first.deliver(added(4, 20));
    expect((await first.again()).bench.samples()).toEqual({ d_total: 7 });
  });
});

function damage(at: number): void {
  const bytes = readFileSync(home.path);
  bytes[at]! ^= 0x40;
  writeFileSync(home.path, bytes);
}
