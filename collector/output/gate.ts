// Where deliveries wait while the destination does not take them. As long as it does, all pass. Once it
// has not taken one, a single delivery tries again after a wait, and again, and the others follow only
// when that one has got its final answer: a destination that struggles is not asked by all at once.

import { setTimeout as sleep } from "node:timers/promises";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { Outcome } from "./output.ts";

type Retry = Extract<Outcome, { kind: "retry" }>;
type Final = Exclude<Outcome, Retry>;

export interface GateOptions {
  readonly backoff: BackoffOptions;
  /** Ends waiting. */
  readonly stop: AbortSignal;
  readonly closed: (retry: Retry) => void;
  readonly reopened: () => void;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #backoff: Backoff;
  /** While it is closed: before this the destination is not asked again. */
  #closedUntilMs: number | undefined;
  /** Settled when the delivery that tries alone is done. */
  #probing: PromiseWithResolvers<void> | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** Tries until there is a final answer; undefined when it was stopped before. */
  async pass(attempt: () => Promise<Outcome>): Promise<Final | undefined> {
    for (;;) {
      if (this.#closedUntilMs === undefined) {
        const outcome = await attempt();
        if (outcome.kind !== "retry") return outcome;
        this.#refused(outcome);
      } else if (this.#probing) await this.#probing.promise;
      else return await this.#probe(attempt);
    }
  }

  async #probe(attempt: () => Promise<Outcome>): Promise<Final | undefined> {
    const probing = (this.#probing = Promise.withResolvers<void>());
    try {
      while (await this.#wait()) {
        const outcome = await attempt();
        if (outcome.kind !== "retry") {
          this.#open();
          return outcome;
        }
        this.#close(outcome);
      }
      return undefined;
    } finally {
      this.#probing = undefined;
      probing.resolve();
    }
  }

  /** Several that were on their way count as one try, and the longest wait holds. */
  #refused(retry: Retry): void {
    if (this.#closedUntilMs === undefined) this.#close(retry);
    else this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs() + (retry.afterMs ?? 0));
  }

  #close(retry: Retry): void {
    this.#closedUntilMs = nowMs() + this.#backoff.nextMs(retry.afterMs);
    this.#options.closed(retry);
  }

  #open(): void {
    this.#closedUntilMs = undefined;
    this.#backoff.reset();
    this.#options.reopened();
  }

  /** False when it is time to stop. */
  async #wait(): Promise<boolean> {
    const { stop } = this.#options;
    for (;;) {
      if (stop.aborted) return false;
      const leftMs = (this.#closedUntilMs ?? 0) - nowMs();
      if (leftMs <= 0) return true;
      await sleep(leftMs, undefined, { signal: stop }).catch(() => {});
    }
  }
}

/** Not the clock on the wall, which may be set back. */
const nowMs = (): number => performance.now();
