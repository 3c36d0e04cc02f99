// Large requests come in by turns. Each has to lie in memory as a whole before anything can be done with
// it, and several that come in at a time would all be half there. So only some are read on while the
// others wait, their bytes on the network: no time is lost by that as long as there is enough to do.
// Whoever has waited for too long goes on all the same, so that slow senders do not keep the others out.
// What bounds memory then is the account of all requests, which refuses.

/** From here on a request is large. */
export const largeFromBytes = 256 << 10;

export interface TurnsOptions {
  /** Of all whose turn it is; one alone may be larger. */
  readonly mostBytes?: number;
  readonly longestWaitMs?: number;
}

const usualMostBytes = 24 << 20;
/** Far less than senders wait for an answer. */
const usualLongestWaitMs = 5_000;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
  late: NodeJS.Timeout | undefined;
}

/** Ends a turn, or the wait for it. */
export type EndTurn = () => void;

export class Turns {
  readonly #mostBytes: number;
  readonly #longestWaitMs: number;
  readonly #waiting = new Set<Waiting>();
  /** Of those whose turn it is. */
  #bytes = 0;

  constructor({
    mostBytes = usualMostBytes,
    longestWaitMs = usualLongestWaitMs,
  }: TurnsOptions = {}) {
    this.#mostBytes = mostBytes;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Calls `begin` when it is its turn, which may be at once. */
  take(bytes: number, begin: () => void): EndTurn {
    const turn: Waiting = { bytes, begin, late: undefined };
    this.#waiting.add(turn);
    this.#advance();
    if (this.#waiting.has(turn)) {
      turn.late = setTimeout(() => this.#begin(turn), this.#longestWaitMs);
    }
    let hasEnded = false;
    return () => {
      if (!hasEnded) this.#end(turn);
      hasEnded = true;
    };
  }

  #begin(turn: Waiting): void {
    this.#waiting.delete(turn);
    clearTimeout(turn.late);
    this.#bytes += turn.bytes;
    turn.begin();
  }

  #end(turn: Waiting): void {
    clearTimeout(turn.late);
    if (!this.#waiting.delete(turn)) this.#bytes -= turn.bytes;
    this.#advance();
  }

  #advance(): void {
    for (const turn of this.#waiting) {
      if (this.#bytes > 0 && this.#bytes + turn.bytes > this.#mostBytes) return;
      this.#begin(turn);
    }
  }
}
