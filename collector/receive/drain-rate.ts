// How fast room is made in the log, so that whoever has to be sent away can be told when to come back:
// bytes that each output commits in a second, as a moving average, and how many it has to commit until
// there is room. A log that frees whole segments has none for long, and then much at once.

/** What an output has not committed yet; a Reader of the log is one. */
export interface Drained {
  readonly name: string;
  readonly waiting: { readonly bytes: number };
}

export interface DrainRateOptions {
  readonly readers: () => Iterable<Drained>;
  /** Of the log. */
  readonly mostWaitingFor: (bytes: number) => number;
  readonly nowMs?: () => number;
}

const leastS = 1;
const mostS = 120;
/** While nothing has been measured. */
const guessS = 5;
const sampleMs = 1_000;
const averageMs = 10_000;

interface Measured {
  readonly waitingBytes: number;
  /** Undefined until there are two looks to compare. */
  readonly bytesPerS: number | undefined;
}

export class DrainRate {
  readonly #readers: () => Iterable<Drained>;
  readonly #mostWaitingFor: (bytes: number) => number;
  readonly #nowMs: () => number;
  readonly #measured = new Map<string, Measured>();
  #appendedBytes = 0;
  #sampledMs = -Infinity;
  /** Bytes of requests that were told to come back and have their turn before the next one. */
  #promisedBytes = 0;
  #promisedMs = 0;

  constructor(options: DrainRateOptions) {
    const { readers, mostWaitingFor, nowMs = () => performance.now() } = options;
    this.#readers = readers;
    this.#mostWaitingFor = mostWaitingFor;
    this.#nowMs = nowMs;
  }

  /** Told of every append, which is also when it looks at the readers, at most once a second. */
  appended(bytes: number): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sampledMs >= sampleMs) this.#sample(nowMs);
    this.#appendedBytes += bytes;
  }

  /** In how many seconds there is likely to be room for so many bytes. */
  secondsFor(bytes: number): number {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sampledMs >= sampleMs) this.#sample(nowMs);
    const bytesPerS = this.#slowest()?.bytesPerS;
    if (bytesPerS === undefined) return guessS;
    // Who came before is to have a turn before: a thousand senders must not all come back at once.
    const passedS = (nowMs - this.#promisedMs) / 1000;
    const promised = Math.max(0, this.#promisedBytes - passedS * bytesPerS) + bytes;
    this.#promisedBytes = Math.min(promised, mostS * bytesPerS);
    this.#promisedMs = nowMs;
    return Math.min(mostS, Math.max(leastS, Math.ceil(this.#secondsUntilRoomFor(promised))));
  }

  /** When the last output has come so far. */
  #secondsUntilRoomFor(bytes: number): number {
    const mostWaiting = this.#mostWaitingFor(bytes);
    let seconds = 0;
    for (const { name, waiting } of this.#readers()) {
      const toCommit = waiting.bytes - mostWaiting;
      const { bytesPerS } = this.#measured.get(name) ?? {};
      if (toCommit <= 0) continue;
      seconds = Math.max(seconds, bytesPerS === undefined ? guessS : toCommit / bytesPerS);
    }
    return seconds;
  }

  /** The one that most is waiting for: it is what fills the log. */
  #slowest(): Measured | undefined {
    let slowest: Measured | undefined;
    for (const measured of this.#measured.values()) {
      if (measured.waitingBytes >= (slowest?.waitingBytes ?? 0)) slowest = measured;
    }
    return slowest;
  }

  #sample(nowMs: number): void {
    const passedMs = nowMs - this.#sampledMs;
    const weight = 1 - Math.exp(-passedMs / averageMs);
    for (const { name, waiting } of this.#readers()) {
      const { bytes: waitingBytes } = waiting;
      const before = this.#measured.get(name);
      let bytesPerS: number | undefined;
      if (before) {
        const committed = Math.max(0, before.waitingBytes + this.#appendedBytes - waitingBytes);
        const now = (committed * 1000) / passedMs;
        const { bytesPerS: average = now } = before;
        bytesPerS = average + (now - average) * weight;
      }
      this.#measured.set(name, { waitingBytes, bytesPerS });
    }
    this.#appendedBytes = 0;
    this.#sampledMs = nowMs;
  }
}
