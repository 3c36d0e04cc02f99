// A feed over a disk log, with an output whose answers a test decides on.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { DiskLog, type DiskLogOptions } from "../../../collector/log/disk-log.ts";
import type { Log } from "../../../collector/log/log.ts";
import type { DeadLetter } from "../../../collector/output/dead-letter.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";
import { Feed } from "../../../collector/output/feed.ts";
import type { Delivery, Outcome, Output } from "../../../collector/output/output.ts";
import type { Step } from "../../../collector/step/step.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { spoiled } from "../../support/memory.ts";
import { until } from "../../support/until.ts";

export type Answer = (delivery: Delivery, signal: AbortSignal) => Outcome | Promise<Outcome>;

export const delivered: Outcome = { kind: "delivered" };
export const busy: Outcome = { kind: "retry", reason: "busy", detail: "come back" };
export const bad = (items: number): Outcome => ({
  kind: "rejected",
  reason: "bad_data",
  detail: "no",
  items,
});

export class Feeding {
  log!: Log; // opened by open()
  feed!: Feed; // made by start()
  /** All that were handed over, as often as they were. */
  readonly deliveries: Delivery[] = [];
  readonly said: string[] = [];
  /** Nothing that was delivered and committed is there any more. */
  readonly memory = spoiled();
  readonly folder = mkdtempSync(join(tmpdir(), "sonde-feed-"));

  static async open(): Promise<Feeding> {
    const feeding = new Feeding();
    await feeding.openLog();
    return feeding;
  }

  get lettersPath(): string {
    return join(this.folder, "dead", "out.jsonl");
  }

  async openLog(options: Partial<DiskLogOptions> = {}): Promise<void> {
    this.log = await DiskLog.open({
      folder: join(this.folder, "log"),
      maxBytes: 1 << 30,
      memory: this.memory,
      incidents: new Incidents({ write: () => {} }),
      ...options,
    });
  }

  async start(
    answer: Answer,
    output: Partial<Output> = {},
    steps: readonly Step[] = [],
  ): Promise<void> {
    this.feed = new Feed({
      name: "out",
      log: this.log,
      reader: await this.log.reader("out"),
      output: {
        wants: signals,
        maxItems: 1000,
        maxBytes: 1e6,
        deliver: async (delivery, signal) => {
          this.deliveries.push(delivery);
          return answer(delivery, signal);
        },
        close: async () => {},
        ...output,
      },
      steps,
      deadLetters: new DeadLetters(this.lettersPath),
      incidents: new Incidents({ write: (line) => this.said.push(line) }),
      backoff: { firstMs: 1, mostMs: 4, random: Math.random },
      memory: this.memory,
    });
    this.feed.start();
  }

  drained(): Promise<true> {
    return until("nothing waits", () => this.feed.reader.waiting.batches === 0 || undefined);
  }

  lines(): string[] {
    return [...this.feed.books.lines]
      .map(({ signal, outcome, reason, items }) =>
        `${signal} ${outcome} ${reason} ${items}`.replace("  ", " "),
      )
      .toSorted();
  }

  letters(): DeadLetter[] {
    return readFileSync(this.lettersPath, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as DeadLetter);
  }

  expectBalance(): void {
    const { books, reader } = this.feed;
    const total = books.total();
    for (const signal of signals) {
      const since = this.log.appended[signal] - books.began[signal];
      expect(total[signal] + reader.waiting.items[signal]).toBe(since);
    }
  }

  async close(): Promise<void> {
    await this.feed?.stop(AbortSignal.abort());
    await this.log.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function itemsOf(entries: Delivery["entries"]): number {
  return entries.reduce((items, { batch }) => items + batch.items, 0);
}
