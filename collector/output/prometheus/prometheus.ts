// The Prometheus output: folds the points it is given into series held in memory, and shows these at
// /metrics. What is in memory is the present state only; nothing is kept for a scrape that did not come.

import { setImmediate } from "node:timers/promises";
import { openAccess } from "../../access.ts";
import type { Delivery, Outcome, Output, OutputContext } from "../output.ts";
import { type Endpoint, serveMetrics } from "./endpoint.ts";
import { Fold } from "./fold.ts";
import { Labels } from "./labels.ts";
import { naming } from "./names.ts";
import type { Format } from "./negotiate.ts";
import { protobufScrape } from "./protobuf.ts";
import { Rejections } from "./rejections.ts";
import { scrape } from "./scrape.ts";
import { Budget } from "./series.ts";
import type { Settings } from "./settings.ts";
import { Store } from "./store.ts";

/** What has expired is not shown; this is only how long its memory is held after that. */
const sweepMs = 30_000;

export async function open(settings: Settings, context: OutputContext): Promise<Output> {
  const metrics = new Metrics(settings);
  let endpoint: Endpoint | undefined;
  if (settings.port !== "off") {
    const scrape = (format: Format): Iterable<string | Uint8Array> => metrics.scrape(format);
    const { host, access = openAccess } = context;
    endpoint = await serveMetrics({ host, port: settings.port, scrape, access });
    context.ready("Prometheus metrics", endpoint.url);
  }
  const failed = (error: unknown): void => context.incidents.outputFailed(context.name, error);
  const timer = setInterval(() => void metrics.sweep().catch(failed), sweepMs);
  timer.unref();
  return {
    wants: endpoint ? ["metrics"] : [], // without anybody to show them to there is no use in taking them
    maxItems: 10_000,
    maxBytes: 8 * 1024 * 1024,
    deliver: (delivery) => metrics.deliver(delivery),
    async close() {
      clearInterval(timer);
      await endpoint?.close();
    },
  };
}

/** The state without the listener. */
export class Metrics {
  readonly budget: Budget;
  readonly #store: Store;
  readonly #fold: Fold;
  readonly #expirationMs: number;
  readonly #hasCreated: boolean;
  readonly #nowMs: () => number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: Omit<Settings, "port">, nowMs = monotonicMs) {
    this.budget = new Budget(settings.max_series, settings.max_bytes);
    const { budget } = this;
    const named = naming(settings.translation_strategy);
    const promoted = settings.promote_resource_attributes;
    const labels = new Labels({ naming: named, promoted, hasScope: settings.scope_labels });
    this.#store = new Store({ budget, naming: named, labels });
    this.#fold = new Fold({ store: this.#store, budget, labels, nowMs });
    this.#hasCreated = settings.created_series;
    this.#expirationMs = settings.metric_expiration;
    this.#nowMs = nowMs;
  }

  deliver({ entries }: Pick<Delivery, "entries">): Promise<Outcome> {
    return this.#alone(async () => {
      const rejections = new Rejections();
      for (const { position, batch } of entries) {
        rejections.position = position;
        await inTurns(this.#fold.batch(batch.bytes, rejections));
      }
      return rejections.outcome();
    });
  }

  sweep(): Promise<void> {
    return this.#alone(() => inTurns(this.#store.sweep(this.#sinceMs)));
  }

  scrape(format: Format): Iterable<string | Uint8Array> {
    const scraping = { sinceMs: this.#sinceMs, format, hasCreated: this.#hasCreated };
    return format.kind === "protobuf"
      ? protobufScrape(this.#store, scraping)
      : scrape(this.#store, scraping);
  }

  get #sinceMs(): number {
    return this.#expirationMs === 0 ? 0 : this.#nowMs() - this.#expirationMs;
  }

  /** Folding and sweeping take turns with everything else, but not with one another. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

async function inTurns(work: Iterable<void>): Promise<void> {
  for (const _ of work) await setImmediate();
}

/** Whole numbers, since these take the least room. */
const monotonicMs = (): number => Math.round(performance.now());
