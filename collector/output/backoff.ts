// How long to wait before the next try: doubling from `firstMs` to `mostMs`, each wait somewhere between
// half and all of that, so that many who wait do not come back together.

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

  /** `atLeastMs` is what the destination asked for. */
  nextMs(atLeastMs = 0): number {
    const { firstMs, mostMs, random } = this.#options;
    const most = Math.min(mostMs, firstMs * 2 ** this.#tries++);
    return Math.max(atLeastMs, most * (0.5 + random() / 2));
  }

  reset(): void {
    this.#tries = 0;
  }
}
