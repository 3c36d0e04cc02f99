// What every receiver does with a request once it has the bytes: validate, append, say what became of
// it. The outcome of the append is the answer, so an acceptance means that the batch is in the log.

import { type Log, Refused } from "../log/log.ts";
import type { Batch, Signal } from "../wire/batch.ts";
import type { LeftOut } from "../wire/from-json.ts";
import { salvage } from "../wire/salvage.ts";
import { describeProblem, validate } from "../wire/validate.ts";
import { type Drained, DrainRate } from "./drain-rate.ts";

export type Answer =
  /** `partial`: some items were invalid and left out; the sender must not send them again. */
  | { readonly kind: "accepted"; readonly partial?: { rejected: number; message: string } }
  /** The sender must not send it again. */
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "too_large"; readonly message: string }
  /** The sender may try again after a while. */
  | { readonly kind: "unavailable"; readonly message: string; readonly retryAfterS: number };

export type ReceiverName = "otlp_http" | "otlp_grpc";
export type ItemOutcome = "accepted" | "refused" | "invalid";

/** When it is not room in the log that is missing. */
const retryAfterS = 5;
/** Requests in flight are answered within a sync of the log or two. */
const heldRetryAfterS = 1;

const accepted: Answer = { kind: "accepted" };

type Counts = Record<ItemOutcome, number>;

const none = (): Counts => ({ accepted: 0, refused: 0, invalid: 0 });
const noneOfAny = (): Record<Signal, Counts> => ({ traces: none(), metrics: none(), logs: none() });

export interface IntakeOptions {
  readonly log: Log;
  /** Those of the log, for how fast it drains. */
  readonly readers?: () => Iterable<Drained>;
  /** Of one request, after decompression. */
  readonly requestMaxBytes: number;
  /** Of all requests in flight together. */
  readonly requestsMaxBytes: number;
}

export class Intake {
  readonly requestMaxBytes: number;
  readonly #log: Log;
  readonly #requestsMaxBytes: number;
  readonly #drainRate: DrainRate;
  readonly #counts = { otlp_http: noneOfAny(), otlp_grpc: noneOfAny() };
  #heldBytes = 0;

  constructor({ log, readers = () => [], requestMaxBytes, requestsMaxBytes }: IntakeOptions) {
    const mostWaitingFor = (bytes: number): number => log.mostWaitingFor(bytes);
    this.#drainRate = new DrainRate({ readers, mostWaitingFor });
    this.#log = log;
    this.requestMaxBytes = requestMaxBytes;
    this.#requestsMaxBytes = requestsMaxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What to say to a request that announces so many bytes; they are not held by that. */
  refusalOf(bytes: number): Answer | undefined {
    return bytes > this.requestMaxBytes ? this.tooLarge() : this.#refusal(bytes, 0);
  }

  /**
   * Asks for room for a request's bytes before they are read; `undefined` when there is room. `already` is
   * what the same request holds: one alone always finds room, whatever it grows to.
   */
  hold(bytes: number, already = 0): Answer | undefined {
    const refused = this.#refusal(bytes, already);
    if (!refused) this.#heldBytes += bytes;
    return refused;
  }

  #refusal(bytes: number, already: number): Answer | undefined {
    const isAlone = this.#heldBytes === already;
    if (this.#heldBytes + bytes <= this.#requestsMaxBytes || isAlone) return undefined;
    const limit = `requests_max_bytes is ${this.#requestsMaxBytes}`;
    const message = `requests in flight hold ${this.#heldBytes} bytes, ${limit}`;
    return { kind: "unavailable", message, retryAfterS: heldRetryAfterS };
  }

  tooLarge(): Answer {
    const limit = `request_max_bytes, ${this.requestMaxBytes} after decompression`;
    return { kind: "too_large", message: `the request is larger than ${limit}` };
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /**
   * Invalid items are left out where that can be done; what is left is taken. `leftOut` are those that the
   * bytes were made without. The bytes are looked at, and copied if they are few, before this returns.
   */
  take(
    receiver: ReceiverName,
    signal: Signal,
    bytes: Uint8Array,
    leftOut?: LeftOut,
  ): Promise<Answer> {
    const validation = validate(signal, bytes);
    if (validation.kind === "valid") {
      const { batch } = validation;
      return leftOut ? this.#appendRest(receiver, batch, leftOut) : this.#append(receiver, batch);
    }
    const salvaged = salvage(signal, bytes);
    const invalid = salvaged?.rejectedItems ?? Math.max(1, validation.items);
    const message = describeProblem(salvaged?.problem ?? validation.problem);
    if (!salvaged) {
      this.count(receiver, signal, { outcome: "invalid", items: invalid });
      return Promise.resolve({ kind: "invalid", message });
    }
    return this.#appendRest(receiver, salvaged.batch, { items: invalid, message });
  }

  #appendRest(receiver: ReceiverName, batch: Batch, { items, message }: LeftOut): Promise<Answer> {
    return this.#append(receiver, batch).then((answer) => {
      if (answer.kind !== "accepted") return answer; // the whole may come again
      this.count(receiver, batch.signal, { outcome: "invalid", items });
      return { kind: "accepted", partial: { rejected: items, message } };
    });
  }

  /** By callbacks: with many small requests, each await is a hundredth of what they cost. */
  #append(receiver: ReceiverName, batch: Batch): Promise<Answer> {
    const { signal, items, bytes } = batch;
    if (items === 0) return Promise.resolve(accepted);
    return this.#log.append(batch).then(
      () => {
        this.#drainRate.appended(bytes.length);
        this.#counts[receiver][signal].accepted += items;
        return accepted;
      },
      (error: unknown) => this.#refused(receiver, batch, error),
    );
  }

  #refused(receiver: ReceiverName, { signal, items, bytes }: Batch, error: unknown): Answer {
    if (!(error instanceof Refused)) throw error;
    this.count(receiver, signal, { outcome: "refused", items });
    const { reason, message } = error;
    if (reason === "too_large") return { kind: "too_large", message };
    const afterS = reason === "full" ? this.#drainRate.secondsFor(bytes.length) : retryAfterS;
    return { kind: "unavailable", message, retryAfterS: afterS };
  }

  count(
    receiver: ReceiverName,
    signal: Signal,
    { outcome, items }: { readonly outcome: ItemOutcome; readonly items: number },
  ): void {
    this.#counts[receiver][signal][outcome] += items;
  }

  itemsOf(receiver: ReceiverName, signal: Signal, outcome: ItemOutcome): number {
    return this.#counts[receiver][signal][outcome];
  }
}

/** A receiver that listens. */
export interface Receiver {
  readonly url: string;
  /** Takes no new requests and resolves when those under way are answered, or the deadline has come. */
  stop(deadline: AbortSignal): Promise<void>;
}
