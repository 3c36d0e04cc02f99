// What every receiver does with a request once it has the bytes: validate, append, say what became of
// it. The outcome of the append is the answer, so an acceptance means that the batch is in the log.

import { type Log, Refused } from "../log/log.ts";
import type { Batch, Signal } from "../wire/batch.ts";
import { salvage } from "../wire/salvage.ts";
import { describeProblem, validate } from "../wire/validate.ts";

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

const retryAfterS = 5;

export interface IntakeOptions {
  readonly log: Log;
  /** Of one request, after decompression. */
  readonly requestMaxBytes: number;
  /** Of all requests in flight together. */
  readonly requestsMaxBytes: number;
}

export class Intake {
  readonly requestMaxBytes: number;
  readonly #log: Log;
  readonly #requestsMaxBytes: number;
  readonly #counts = new Map<string, number>();
  #heldBytes = 0;

  constructor({ log, requestMaxBytes, requestsMaxBytes }: IntakeOptions) {
    this.#log = log;
    this.requestMaxBytes = requestMaxBytes;
    this.#requestsMaxBytes = requestsMaxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Asks for room for a request's bytes before they are read; `undefined` when there is room. */
  hold(bytes: number): Answer | undefined {
    if (this.#heldBytes + bytes > this.#requestsMaxBytes && this.#heldBytes > 0) {
      const limit = `requests_max_bytes is ${this.#requestsMaxBytes}`;
      const message = `requests in flight hold ${this.#heldBytes} bytes, ${limit}`;
      return { kind: "unavailable", message, retryAfterS: 1 };
    }
    this.#heldBytes += bytes;
    return undefined;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** Invalid items are left out where that can be done; what is left is taken. */
  async take(receiver: ReceiverName, signal: Signal, bytes: Uint8Array): Promise<Answer> {
    const validation = validate(signal, bytes);
    if (validation.kind === "valid") return await this.#append(receiver, validation.batch);
    const salvaged = salvage(signal, bytes);
    const rejected = salvaged?.rejectedItems ?? Math.max(1, validation.items);
    const message = describeProblem(salvaged?.problem ?? validation.problem);
    if (!salvaged) {
      this.count(receiver, signal, { outcome: "invalid", items: rejected });
      return { kind: "invalid", message };
    }
    const answer = await this.#append(receiver, salvaged.batch);
    if (answer.kind !== "accepted") return answer; // the whole may come again
    this.count(receiver, signal, { outcome: "invalid", items: rejected });
    return { kind: "accepted", partial: { rejected, message } };
  }

  async #append(receiver: ReceiverName, batch: Batch): Promise<Answer> {
    const { signal, items } = batch;
    if (items === 0) return { kind: "accepted" };
    try {
      await this.#log.append(batch);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.count(receiver, signal, { outcome: "refused", items });
      if (error.reason === "too_large") return { kind: "too_large", message: error.message };
      return { kind: "unavailable", message: error.message, retryAfterS };
    }
    this.count(receiver, signal, { outcome: "accepted", items });
    return { kind: "accepted" };
  }

  count(
    receiver: ReceiverName,
    signal: Signal,
    { outcome, items }: { readonly outcome: ItemOutcome; readonly items: number },
  ): void {
    const key = `${receiver} ${signal} ${outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + items);
  }

  itemsOf(receiver: ReceiverName, signal: Signal, outcome: ItemOutcome): number {
    return this.#counts.get(`${receiver} ${signal} ${outcome}`) ?? 0;
  }
}

/** A receiver that listens. */
export interface Receiver {
  readonly url: string;
  /** Takes no new requests and resolves when those under way are answered, or the deadline has come. */
  stop(deadline: AbortSignal): Promise<void>;
}
