// The nodes of a cluster, which take turns. One that does not answer is left out for a while, longer each
// time; when none is left, the one that has been out longest is asked.

import { Backoff } from "../backoff.ts";

export class Nodes {
  readonly #nodes: readonly Node[];
  #last = -1;

  constructor(bases: readonly string[]) {
    this.#nodes = bases.map((base) => new Node(base));
  }

  get count(): number {
    return this.#nodes.length;
  }

  next(): Node {
    const { count } = this;
    const turns = Array.from({ length: count }, (_, turn) => (this.#last + 1 + turn) % count);
    const first = turns.reduce((best, at) =>
      this.#nodes[at]!.waitMs < this.#nodes[best]!.waitMs ? at : best,
    );
    this.#last = first;
    return this.#nodes[first]!;
  }
}

export class Node {
  /** Its address, with a slash at the end. */
  readonly base: string;
  readonly #backoff = new Backoff({ firstMs: 2_000, mostMs: 60_000, random: Math.random });
  #outUntilMs = 0;

  constructor(base: string) {
    this.base = base;
  }

  /** How long it shall not be asked yet. */
  get waitMs(): number {
    return Math.max(0, this.#outUntilMs - performance.now());
  }

  answered(): void {
    this.#outUntilMs = 0;
    this.#backoff.reset();
  }

  failed(): void {
    this.#outUntilMs = performance.now() + this.#backoff.nextMs();
  }
}
