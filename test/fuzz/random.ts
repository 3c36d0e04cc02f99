// Random numbers that a seed decides, so that every run can be had again.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Mulberry32: 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** From 0 to `limit` − 1; 0 where there is nothing to choose from. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.next() % limit;
  }

  /** True once in `count` times. */
  once(count: number): boolean {
    return this.next() % count === 0;
  }

  /** 1 half of the time, 2 a quarter of the time, and so on. */
  few(most: number): number {
    const count = Math.clz32(this.next()) + 1;
    return Math.min(count, most);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
