// The state of the Prometheus output without its listener: takes deliveries, forgets what has ended, keeps
// itself on disk, and shows itself in any format.

import { setImmediate } from "node:timers/promises";
import type { Delivery, Outcome } from "../output.ts";
import { aliasesOf, hasNodeVersion } from "./alias-settings.ts";
import { Aliases } from "./aliases.ts";
import { Fold, type FoldOptions } from "./fold.ts";
import { Keeping, type KeepingOptions, type Restored } from "./keeping.ts";
import { Labels } from "./labels.ts";
import { naming } from "./names.ts";
import { NodeVersions } from "./node-versions.ts";
import type { Format } from "./negotiate.ts";
import { protobufScrape } from "./protobuf.ts";
import { Rejections } from "./rejections.ts";
import { scrape } from "./scrape.ts";
import { Budget, type Problem, type Series, type Stream } from "./series.ts";
import type { Settings } from "./settings.ts";
import { Restoring, snapshot } from "./snapshot.ts";
import { Store } from "./store.ts";

type Kept = Omit<KeepingOptions, "naming" | "picture">;

interface Options extends Pick<FoldOptions, "taken" | "ended"> {
  /** Told of each series that nothing came for in too long a time. */
  readonly expired?: (stream: Stream, series: Series) => unknown;
  readonly nowMs?: () => number;
  /** What is not shown though no point is to blame, by its name. */
  readonly leftOut?: (name: string, problem: Problem) => void;
}

export class Metrics {
  readonly #settings: Omit<Settings, "port">;
  readonly #leftOut: NonNullable<Options["leftOut"]>;
  readonly #observing: Pick<Options, "taken" | "ended">;
  readonly #expired: Options["expired"];
  readonly #clock: Clock;
  #state: State;
  #keeping: Keeping | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: Omit<Settings, "port">, options: Options = {}) {
    const { nowMs = monotonicMs, leftOut, expired, ...observing } = options;
    this.#expired = expired;
    this.#observing = observing;
    this.#settings = settings;
    this.#leftOut = leftOut ?? (() => {});
    this.#clock = new Clock(nowMs);
    this.#state = this.#begin();
  }

  get budget(): Budget {
    return this.#state.budget;
  }

  /** Goes on with what is in a file, and keeps it up to date from now on. */
  async keep(kept: Kept): Promise<void> {
    const { translation_strategy, promote_resource_attributes, scope_labels } = this.#settings;
    const keeping = new Keeping({
      ...kept,
      naming: JSON.stringify([translation_strategy, promote_resource_attributes, scope_labels]),
      picture: () => snapshot(this.#state.store),
    });
    if (!(await keeping.restore(this.#restored()))) this.#state = this.#begin();
    this.#clock.goOn();
    this.#keeping = keeping;
  }

  async deliver(delivery: Pick<Delivery, "entries">): Promise<Outcome> {
    return (await this.fold(delivery, () => undefined)).outcome;
  }

  /** What is made of it is made before anything else comes. */
  fold<Made>(
    { entries }: Pick<Delivery, "entries">,
    make: () => Made,
  ): Promise<{ outcome: Outcome; made: Made }> {
    return this.#alone(async () => {
      await this.#keeping?.note(entries, this.#clock.nowMs);
      const rejections = new Rejections();
      for (const { position, batch } of entries) {
        rejections.position = position;
        await inTurns(this.#state.fold.batch(batch.bytes, rejections));
      }
      return { outcome: rejections.outcome(), made: make() };
    });
  }

  sweep(): Promise<void> {
    return this.expire(() => {});
  }

  /** As fold(): what is made of it is made before anything else comes. */
  expire<Made>(make: () => Made): Promise<Made> {
    return this.#alone(async () => {
      await inTurns(this.#state.store.sweep(this.#sinceMs, this.#expired));
      await this.#keeping?.tick(this.#clock.nowMs);
      return make();
    });
  }

  scrape(format: Format): Iterable<string | Uint8Array> {
    const { store } = this.#state;
    const hasCreated = this.#settings.created_series;
    const scraping = { sinceMs: this.#sinceMs, format, hasCreated };
    return format.kind === "protobuf" ? protobufScrape(store, scraping) : scrape(store, scraping);
  }

  /** What is not let in now is no silence of its sender: until goOn() nothing grows old. */
  hold(): void {
    this.#clock.hold(this.#clock.nowMs);
  }

  goOn(): void {
    this.#clock.goOn();
  }

  close(): Promise<void> {
    return this.#alone(async () => this.#keeping?.close(this.#clock.nowMs));
  }

  #begin(): State {
    const settings = this.#settings;
    const budget = new Budget(settings.max_series, settings.max_bytes);
    const named = naming(settings.translation_strategy);
    const promoted = settings.promote_resource_attributes;
    const labels = new Labels({ naming: named, promoted, hasScope: settings.scope_labels });
    const store = new Store({ budget, naming: named, labels });
    const leftOut = this.#leftOut;
    const aliases = new Aliases({ aliases: aliasesOf(settings), store, labels, leftOut });
    store.aliasesOf = aliases.of.bind(aliases);
    const versions = new NodeVersions({ store, labels, leftOut });
    if (hasNodeVersion(settings)) store.described = versions.read.bind(versions);
    const nowMs = (): number => this.#clock.nowMs;
    const sinceMs = (): number => this.#sinceMs;
    const maxPerMetric = settings.max_series_per_metric;
    const fold = new Fold({
      store,
      aliases,
      versions,
      budget,
      labels,
      nowMs,
      sinceMs,
      maxPerMetric,
      leftOut,
      ...this.#observing,
    });
    return { budget, store, fold };
  }

  #restored(): Restored {
    const { store, fold } = this.#state;
    const restoring = new Restoring(store);
    return {
      piece: (bytes) => restoring.take(bytes),
      time: (nowMs) => this.#clock.hold(nowMs),
      batch: async (bytes, nowMs) => {
        this.#clock.hold(nowMs);
        await inTurns(fold.batch(bytes, new Rejections()));
      },
    };
  }

  get #sinceMs(): number {
    const { metric_expiration } = this.#settings;
    return metric_expiration === 0 ? 0 : Math.max(0, this.#clock.nowMs - metric_expiration);
  }

  /** Folding, sweeping and keeping take turns with everything else, but not with one another. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

interface State {
  readonly budget: Budget;
  readonly store: Store;
  readonly fold: Fold;
}

/**
 * Goes on after a restart from where it was: nothing can have come meanwhile, so that is no silence of the
 * senders. What was folded in is folded in again at its own time.
 */
class Clock {
  readonly #given: () => number;
  #offsetMs = 0;
  #heldMs: number | undefined;

  constructor(given: () => number) {
    this.#given = given;
  }

  get nowMs(): number {
    return this.#heldMs ?? this.#given() + this.#offsetMs;
  }

  hold(ms: number): void {
    this.#heldMs = ms;
  }

  goOn(): void {
    if (this.#heldMs !== undefined) this.#offsetMs = this.#heldMs - this.#given();
    this.#heldMs = undefined;
  }
}

async function inTurns(work: Iterable<void>): Promise<void> {
  for (const _ of work) await setImmediate();
}

/** Whole numbers, since these take the least room. */
const monotonicMs = (): number => Math.round(performance.now());
