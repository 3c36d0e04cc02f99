// Sends OTLP requests in the background. Whoever hands over a request is done with it: waiting, retrying
// and giving up happen here, within a bound of memory, on sockets and timers that never keep the app from
// ending. What is still here at exit can be flushed, or taken away for a last send.

import { clearTimeout, setTimeout } from "node:timers";
import { messageOf, tell } from "../tell.ts";
import type { Send } from "./batch.ts";
import type { Target } from "./http.ts";
import type { Parent } from "./threads.ts";

/** A way to one receiver, used by one request at a time. */
export interface Transport {
  readonly url: string;
  /**
   * Never rejects but for mistakes of our own. `handOver` is called once the operating system has all
   * bytes, if somebody says so: they arrive without us.
   */
  post(body: Uint8Array, handOver: () => void): Promise<Answer>;
  /** What another process would need to send it; undefined where none can. */
  unsent(body: Uint8Array): Unsent | undefined;
}

/** A request that nobody has acknowledged. */
export interface Unsent {
  readonly target: Pick<Target, "url" | "headers" | "tls">;
  /** The path of the method, where it is a call over gRPC. */
  readonly method?: string;
  readonly body: Uint8Array;
}

export type Answer =
  | { readonly kind: "delivered" }
  | { readonly kind: "refused"; readonly detail: string }
  | Failure;

/** To be tried again, after that time if the receiver said so. */
interface Failure {
  readonly kind: "failed";
  readonly detail: string;
  readonly afterMs?: number;
}

export class Sender {
  readonly #lanes: Lane[] = [];
  readonly #sends: Send[] = [];
  readonly #maxBytes: number;
  readonly #outside: (work: () => void) => void;
  #isHeld = false;
  #parent: Pick<Parent, "take"> | undefined;

  /** `outside` runs what sends apart from the request of the app that has just filled a batch. */
  constructor(maxBytes = 16 * 1024 * 1024, outside = (work: () => void): void => work()) {
    this.#maxBytes = maxBytes;
    this.#outside = outside;
  }

  /** Gives what sends a request; of more than so many items none wait. */
  open(transport: Transport, maxItems = Infinity): Send {
    const lane = new Lane(transport);
    const number = this.#lanes.push(lane) - 1;
    const send: Send = (body, items, done) => {
      if (this.#parent?.take(number, body, items)) {
        done?.(); // it has a copy
        return true;
      }
      if (body.length + this.#waitingBytes() > this.#maxBytes) {
        tell(`${this.#maxBytes} bytes of telemetry wait to be sent, what comes now is dropped`);
        return false;
      }
      if (lane.waitingItems + items > maxItems) {
        tell(`${maxItems} items wait to be sent to ${transport.url}, what comes now is dropped`);
        return false;
      }
      lane.push({ body, items, done });
      if (!this.#isHeld) this.#outside(() => lane.start());
      return true;
    };
    this.#sends.push(send);
    return send;
  }

  /** From now on another thread sends, if it can; it has the same lanes. */
  sendBy(parent: Pick<Parent, "take">): void {
    this.#parent = parent;
  }

  /** What a thread would send on that lane. */
  push(lane: number, body: Uint8Array, items: number): void {
    this.#sends[lane]?.(body, items);
  }

  /** Until all is delivered, or each target that still has something has failed once more. */
  async flush(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.flush(this.#outside)));
  }

  /** Starts no request in this turn of the event loop: one just begun would make it turn once more. */
  hold(): void {
    this.#isHeld = true;
    setImmediate(() => {
      this.#isHeld = false;
      this.#outside(() => {
        for (const lane of this.#lanes) lane.start();
      });
    }).unref();
  }

  /** Leaves out targets that did not answer when last tried: a last send would only delay the exit. */
  takeUnsent(): readonly Unsent[] {
    return this.#lanes.flatMap((lane) => lane.takeUnsent());
  }

  #waitingBytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waitingBytes, 0);
  }
}

interface Request {
  readonly body: Uint8Array;
  readonly items: number;
  /** To be called when the body is needed no more. */
  readonly done: (() => void) | undefined;
}

/** What goes one way, one request after the other. */
class Lane {
  waitingBytes = 0;
  waitingItems = 0;
  readonly #queue: Request[] = [];
  readonly #transport: Transport;
  #isRunning = false;
  /** The operating system has all of the first in the queue, which is under way. */
  #isHandedOver = false;
  #failures = 0;
  /** Ends the pause before the next attempt. */
  #wake: (() => void) | undefined;
  #flushes: (() => void)[] = [];

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  push(request: Request): void {
    this.#queue.push(request);
    this.waitingBytes += request.body.length;
    this.waitingItems += request.items;
  }

  start(): void {
    if (!this.#isRunning && this.#queue.length > 0) void this.#run();
  }

  flush(outside: (work: () => void) => void): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      this.#wake?.();
      outside(() => this.start());
    });
  }

  takeUnsent(): readonly Unsent[] {
    const requests = this.#queue.splice(this.#isHandedOver ? 1 : 0);
    for (const request of requests) this.#forget(request);
    if (this.#failures > 0) return [];
    return requests.flatMap(({ body }) => this.#transport.unsent(body) ?? []);
  }

  #forget({ body, items }: Request): void {
    this.waitingBytes -= body.length;
    this.waitingItems -= items;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      for (let request = this.#queue[0]; request; request = this.#queue[0]) {
        const answer = await this.#post(request.body);
        const isRead = this.#isHandedOver;
        this.#isHandedOver = false;
        if (answer.kind === "failed") await this.#pause(answer);
        else this.#settle(request, answer, isRead);
      }
    } catch (error) {
      tell(`sending failed: ${messageOf(error)}`);
    }
    this.#isRunning = false;
    this.#endFlushes();
  }

  async #post(body: Uint8Array): Promise<Answer> {
    let isUnderWay = true; // an answer may come before all has been read
    const answer = await this.#transport.post(body, () => {
      if (isUnderWay) this.#isHandedOver = true;
    });
    isUnderWay = false;
    return answer;
  }

  #settle(request: Request, answer: Exclude<Answer, Failure>, isRead: boolean): void {
    this.#failures = 0;
    if (this.#queue[0] !== request) return; // taken away meanwhile, and to be read again
    this.#queue.shift();
    this.#forget(request);
    if (isRead) request.done?.();
    if (answer.kind === "refused")
      tell(`${this.#transport.url} refuses telemetry: ${answer.detail}`);
  }

  /** Longer with each failure, at most half a minute; a flush waits for one attempt and no longer. */
  async #pause({ detail, afterMs }: Failure): Promise<void> {
    this.#failures++;
    // A collector that is being restarted is no news; one that is missed at the end is.
    if (this.#failures > 1 || this.#flushes.length > 0) {
      const { origin } = new URL(this.#transport.url);
      tell(`cannot send to ${origin}: ${detail}; trying again until it answers`, origin);
    }
    this.#endFlushes();
    const backoffMs = Math.min(30_000, 500 * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, afterMs ?? backoffMs).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #endFlushes(): void {
    for (const resolve of this.#flushes.splice(0)) resolve();
  }
}
