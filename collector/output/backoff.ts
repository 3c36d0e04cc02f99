// How long to wait before the next try: up to a limit that doubles from `firstMs` to `mostMs`, each wait
// anywhere below it ("full jitter"), so that many who wait do not come back together.

export interface BackoffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly random: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #tries = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /**
   * Where the destination said how long, that is waited, and a little more at random: others may have
   * been told the same.
   */
  nextMs(askedMs?: number): number {
    const { firstMs, mostMs, random } = this.#options;
    const most = Math.min(mostMs, firstMs * 2 ** Math.min(this.#tries++, 30));
    return askedMs === undefined ? most * random() : askedMs + firstMs * random();
  }

  reset(): void {
    this.#tries = 0;
  }
}
