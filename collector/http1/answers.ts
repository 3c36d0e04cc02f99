// The answers that a connection owes, given in the order of the requests, however they become ready.

import type { Socket } from "node:net";
import type { Head } from "./head.ts";
import type { Shared } from "./shared.ts";
import { goOn, type Reply } from "./reply.ts";

/** A request whose answer is due. */
export interface Due {
  /** Undefined where there was none that could be read. */
  readonly head: Head | undefined;
  reply: Reply | undefined;
  /** Whether the client waits to be told before it sends the body. */
  isHesitant: boolean;
}

export class Answers {
  /** What is due is all that there will be. */
  isLast = false;
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #due: Due[] = [];
  readonly #sent: () => void;
  #isFlushing = false;

  /** `sent` is called when some have been written. */
  constructor(socket: Socket, shared: Shared, sent: () => void) {
    this.#socket = socket;
    this.#shared = shared;
    this.#sent = sent;
  }

  get count(): number {
    return this.#due.length;
  }

  add(head: Head | undefined): Due {
    const due: Due = { head, reply: undefined, isHesitant: false };
    this.#due.push(due);
    return due;
  }

  answer(due: Due, reply: Reply): void {
    due.reply = reply;
    if (this.#due[0] !== due) return;
    if (this.#due.length === 1) this.#flush();
    else this.#flushSoon();
  }

  /** Tells the client to send its body, as soon as that is what comes next. */
  invite(due: Due): void {
    due.isHesitant = true;
    if (this.#due[0] === due) this.#flush();
  }

  /** Those behind it are likely to become ready in the same turn: the log resolves many at once. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#socket.destroyed) return;
    const pieces: Buffer[] = [];
    while (this.#due[0]?.reply) pieces.push(this.#encode(this.#due.shift()!));
    const [next] = this.#due;
    if (next?.isHesitant) {
      next.isHesitant = false;
      pieces.push(goOn);
    }
    if (pieces.length === 0) return;
    this.#socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    this.#sent();
  }

  /** Of one that was taken out of the queue. */
  #encode({ head, reply }: Due): Buffer {
    const { date } = this.#shared;
    const isClosing = this.isLast && this.#due.length === 0;
    const isBodiless = head?.method === "HEAD";
    if (!isClosing && !isBodiless && !head?.isHttp10) return reply!.encode(date);
    // In HTTP/1.0 it must be said that a connection is kept.
    return reply!.encode(date, { connection: isClosing ? "close" : "keep-alive", isBodiless });
  }
}
