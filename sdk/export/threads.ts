// How the telemetry of worker threads leaves the process. A thread that is terminated runs nothing of its own
// any more, and one that the main thread takes along when it exits neither. So a thread hands what it has
// to send to the thread that started it, at once, and what it still collects lies in memory that both share.
//
//   ending of the thread                    what is sent
//   natural end, process.exit() in it       all
//   the process ends, by whatever but       all, if the thread answers within half a second; if it is busy,
//   SIGKILL                                 all but the metrics since their last export
//   worker.terminate()                      all but the metrics since their last export
//
// A thread that has other settings for sending, or whose parent has no SDK, sends for itself, and is then
// lost at terminate() with what is not sent yet.

/* oxlint-disable unicorn/require-post-message-target-origin, unicorn/prefer-add-event-listener --
   these channels are Node's, not those of a page. */
import { subscribe } from "node:diagnostics_channel";
import {
  BroadcastChannel,
  getEnvironmentData,
  receiveMessageOnPort,
  setEnvironmentData,
  threadId,
} from "node:worker_threads";
import type { MessagePort, Worker } from "node:worker_threads";
import { messageOf, tell } from "../tell.ts";
import { Remains, remainsBytes } from "./remains.ts";

const key = "sonde.threads";
/** Threads that live at a time and are known; of two with the same remainder the later. */
const mostThreads = 1024;
/** What a parent that is busy has not taken yet; a thread with more sends for itself. */
const mostWaitingBytes = 4 * 1024 * 1024;
/** An idle thread answers at once, but for a machine that is overloaded. */
const answerMs = 500;

/** What a thread finds that was started by one of ours. */
interface Invitation {
  readonly channels: string;
  /** How and where the parent sends. */
  readonly sends: string;
  /** Ids of threads that are listened to, by their remainder. */
  readonly threads: SharedArrayBuffer;
}

/** The first message of a thread, and all others. */
type Message =
  | { readonly shared: SharedArrayBuffer }
  | { readonly lane: number; readonly body: Uint8Array; readonly items: number };

/** At the start of what is shared: how often the thread has answered, and what is on its way. */
const [answers, waiting] = [0, 1] as const;
const headBytes = 2 * Int32Array.BYTES_PER_ELEMENT;
const sharedBytes = headBytes + 2 * remainsBytes;

const remainsIn = (shared: SharedArrayBuffer) => ({
  traces: new Remains(shared, headBytes),
  logs: new Remains(shared, headBytes + remainsBytes),
});

/** The thread that started this one and takes what it has to send. */
export class Parent {
  readonly remains: { readonly traces: Remains; readonly logs: Remains };
  readonly #channel: BroadcastChannel;
  readonly #heads: Int32Array;

  constructor(channel: BroadcastChannel) {
    const shared = new SharedArrayBuffer(sharedBytes);
    this.#heads = new Int32Array(shared, 0, 2);
    this.remains = remainsIn(shared);
    this.#channel = channel;
    this.#channel.postMessage({ shared } satisfies Message);
  }

  /** False if it has to be sent from here. */
  take(lane: number, body: Uint8Array, items: number): boolean {
    if (Atomics.load(this.#heads, waiting) + body.length > mostWaitingBytes) return false;
    Atomics.add(this.#heads, waiting, body.length);
    this.#channel.postMessage({ lane, body, items } satisfies Message);
    return true;
  }

  /** Whenever it asks for what there is. */
  onAsked(gather: () => void): void {
    this.#channel.onmessage = () => {
      gather();
      Atomics.add(this.#heads, answers, 1);
      Atomics.notify(this.#heads, answers);
    };
    this.#channel.unref();
  }
}

/** Undefined where nobody listens, or sends otherwise than this thread would. */
export function parentOf(sends: string): Parent | undefined {
  const invitation = getEnvironmentData(key) as Partial<Invitation> | undefined; // or another's
  if (!(invitation?.threads instanceof SharedArrayBuffer)) return undefined;
  const threads = new Int32Array(invitation.threads);
  const isHeard = Atomics.load(threads, threadId % mostThreads) === threadId;
  if (!isHeard || invitation.sends !== sends) return undefined;
  const channel = new BroadcastChannel(`${invitation.channels} ${threadId}`);
  channel.unref();
  return new Parent(channel);
}

export interface Taker {
  /** A request that is ready to be sent. */
  request(lane: number, body: Uint8Array, items: number): void;
  /** What a thread had not sent yet, in protobuf. */
  remains(signal: "traces" | "logs", body: Uint8Array, items: number): void;
}

/** Threads that are started from now on hand over what they have to send. */
export class Children {
  readonly #taker: Taker;
  readonly #threads = new Int32Array(new SharedArrayBuffer(4 * mostThreads));
  readonly #channels = `sonde ${process.pid} ${threadId} ${Math.random()}`;
  readonly #children = new Map<number, Child>();

  constructor(sends: string, taker: Taker) {
    this.#taker = taker;
    const threads = this.#threads.buffer;
    setEnvironmentData(key, { channels: this.#channels, sends, threads } satisfies Invitation);
    subscribe("worker_threads", (message) => {
      try {
        this.#listenTo((message as { readonly worker: Worker }).worker);
      } catch (error) {
        // Thrown here it would be an uncaught exception of the app.
        tell(`a thread is not listened to: ${messageOf(error)}`);
      }
    });
  }

  /** At the end: takes what all of them have; blocks for half a second at most, if one is busy. */
  gather(): void {
    const children = [...this.#children.values()];
    const asked = children.map((child) => child.ask());
    const untilMs = performance.now() + answerMs;
    for (const [index, child] of children.entries()) {
      child.wait(asked[index]!, untilMs - performance.now());
      child.drain();
    }
  }

  #listenTo(worker: Worker): void {
    const { threadId } = worker;
    const channel = new BroadcastChannel(`${this.#channels} ${threadId}`);
    const child = new Child(channel, this.#taker);
    this.#children.set(threadId, child);
    Atomics.store(this.#threads, threadId % mostThreads, threadId);
    worker.once("exit", () => {
      this.#children.delete(threadId);
      Atomics.compareExchange(this.#threads, threadId % mostThreads, threadId, 0);
      child.drain();
      channel.close();
    });
  }
}

class Child {
  readonly #channel: BroadcastChannel;
  readonly #taker: Taker;
  #heads: Int32Array | undefined;
  #remains: ReturnType<typeof remainsIn> | undefined;

  constructor(channel: BroadcastChannel, taker: Taker) {
    this.#channel = channel;
    this.#taker = taker;
    channel.onmessage = (event) => this.#handle((event as { readonly data: unknown }).data);
    channel.unref();
  }

  ask(): number {
    const answered = this.#heads ? Atomics.load(this.#heads, answers) : 0;
    this.#channel.postMessage("gather");
    return answered;
  }

  wait(answered: number, forMs: number): void {
    if (this.#heads && forMs > 0) Atomics.wait(this.#heads, answers, answered, forMs);
  }

  /** What has come, and what has not even been sent. */
  drain(): void {
    const port = this.#channel as unknown as MessagePort; // either will do, Node's documentation says
    let received = receiveMessageOnPort(port);
    for (; received; received = receiveMessageOnPort(port)) this.#handle(received.message);
    for (const signal of ["traces", "logs"] as const) {
      const found = this.#remains?.[signal].read();
      if (found) this.#taker.remains(signal, found.body, found.items);
    }
  }

  #handle(received: unknown): void {
    try {
      const message = received as Message; // nobody else knows the channel
      if ("shared" in message) {
        this.#heads = new Int32Array(message.shared, 0, 2);
        this.#remains = remainsIn(message.shared);
        return;
      }
      const { lane, body, items } = message;
      if (this.#heads) Atomics.sub(this.#heads, waiting, body.length);
      this.#taker.request(lane, body, items);
    } catch (error) {
      tell(`what a thread has sent is lost: ${messageOf(error)}`);
    }
  }
}
