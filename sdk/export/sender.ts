// Sends OTLP requests over HTTP in the background. Whoever hands over a request is done with it: waiting,
// retrying and giving up happen here, within a bound of memory, on sockets and timers that never keep the
// app from ending. What is still here at exit can be flushed, or taken away for a last send.

import type { Agent, IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { messageOf, tell } from "../tell.ts";
import { markOwn } from "./own.ts";

// Not imported: an `import` of node:http reads all that it exports, which loads the whole of undici.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");

// Taken before anything is instrumented: our own requests are neither traced nor counted.
const requestHttp = http.request;
const requestHttps = https.request;

export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "none" | "gzip";
  readonly timeoutMs: number;
  readonly tls: Readonly<Partial<Record<"ca" | "cert" | "key", string | undefined>>>;
}

/** A request that nobody has acknowledged. */
export interface Unsent {
  readonly target: Target;
  readonly body: Uint8Array;
}

export class Sender {
  readonly #lanes: Lane[] = [];
  readonly #maxBytes: number;
  #isHeld = false;

  constructor(maxBytes = 16 * 1024 * 1024) {
    this.#maxBytes = maxBytes;
  }

  /** Gives what sends a request to the target; false when there is no room for it. */
  open(target: Target): (body: Uint8Array) => boolean {
    const lane = new Lane(target);
    this.#lanes.push(lane);
    return (body) => {
      if (body.length + this.#waitingBytes() > this.#maxBytes) {
        tell(`${this.#maxBytes} bytes of telemetry wait to be sent, what comes now is dropped`);
        return false;
      }
      lane.push(body);
      if (!this.#isHeld) lane.start();
      return true;
    };
  }

  /** Until all is delivered, or each target that still has something has failed once more. */
  async flush(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.flush()));
  }

  /** Starts no request in this turn of the event loop: one just begun would make it turn once more. */
  hold(): void {
    this.#isHeld = true;
    setImmediate(() => {
      this.#isHeld = false;
      for (const lane of this.#lanes) lane.start();
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

type Answer =
  | { readonly kind: "delivered" }
  | { readonly kind: "refused"; readonly detail: string }
  | Failure;

/** To be tried again, after that time if the target said so. */
interface Failure {
  readonly kind: "failed";
  readonly detail: string;
  readonly afterMs?: number;
}

/** What goes to one target, one request after the other. */
class Lane {
  waitingBytes = 0;
  readonly #queue: Uint8Array[] = [];
  readonly #target: Target;
  readonly #agent: Agent;
  #isRunning = false;
  /** All bytes of the present request are with the operating system: they arrive without us. */
  #isHandedOver = false;
  #failures = 0;
  /** Ends the pause before the next attempt. */
  #wake: (() => void) | undefined;
  #flushes: (() => void)[] = [];

  constructor(target: Target) {
    this.#target = target;
    this.#agent = markOwn(
      isSecure(target)
        ? new https.Agent({ keepAlive: true, ...target.tls })
        : new http.Agent({ keepAlive: true }),
    );
  }

  push(body: Uint8Array): void {
    this.#queue.push(body);
    this.waitingBytes += body.length;
  }

  start(): void {
    if (!this.#isRunning && this.#queue.length > 0) void this.#run();
  }

  flush(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      this.#wake?.();
      this.start();
    });
  }

  takeUnsent(): readonly Unsent[] {
    const bodies = this.#queue.splice(this.#isHandedOver ? 1 : 0);
    for (const body of bodies) this.waitingBytes -= body.length;
    return this.#failures > 0 ? [] : bodies.map((body) => ({ target: this.#target, body }));
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      for (let body = this.#queue[0]; body; body = this.#queue[0]) {
        const answer = await this.#post(body);
        if (answer.kind === "failed") await this.#pause(answer);
        else this.#settle(body, answer);
      }
    } catch (error) {
      tell(`sending failed: ${messageOf(error)}`);
    }
    this.#isRunning = false;
    this.#endFlushes();
  }

  #settle(body: Uint8Array, answer: Exclude<Answer, Failure>): void {
    this.#failures = 0;
    if (this.#queue[0] !== body) return; // taken away meanwhile
    this.#queue.shift();
    this.waitingBytes -= body.length;
    if (answer.kind === "refused") tell(`${this.#target.url} refuses telemetry: ${answer.detail}`);
  }

  /** Longer with each failure, at most half a minute; a flush waits for one attempt and no longer. */
  async #pause({ detail, afterMs }: Failure): Promise<void> {
    this.#failures++;
    // A collector that is being restarted is no news; one that is missed at the end is.
    if (this.#failures > 1 || this.#flushes.length > 0) {
      const { origin } = new URL(this.#target.url);
      tell(`cannot send to ${origin}: ${detail}; trying again until it answers`, origin);
    }
    this.#endFlushes();
    const backoffMs = Math.min(30_000, 500 * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, afterMs ?? backoffMs).unref();
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  #endFlushes(): void {
    for (const resolve of this.#flushes.splice(0)) resolve();
  }

  async #post(body: Uint8Array): Promise<Answer> {
    const target = this.#target;
    const isZipped = target.compression === "gzip";
    const payload = isZipped ? await compress(body) : body;
    this.#isHandedOver = false;
    const answer = await new Promise<Answer>((resolve) => {
      const request = isSecure(target) ? requestHttps : requestHttp;
      const sent = request(target.url, {
        method: "POST",
        agent: this.#agent,
        headers: {
          ...target.headers,
          "content-length": payload.length,
          ...(isZipped ? { "content-encoding": "gzip" } : {}),
        },
      });
      sent.setTimeout(target.timeoutMs, () => sent.destroy(new Error("no answer in time")));
      sent.on("socket", (socket) => socket.unref());
      sent.on("finish", () => (this.#isHandedOver = true));
      sent.on("error", (error) => {
        // An idle connection that the server closed just now says nothing about the server.
        if (sent.reusedSocket && isReset(error)) resolve(this.#post(body));
        else resolve({ kind: "failed", detail: messageOf(error) });
      });
      sent.on("response", (response) => void readAnswer(response).then(resolve));
      sent.end(payload);
    });
    this.#isHandedOver = false;
    return answer;
  }
}

function compress(body: Uint8Array): Promise<Uint8Array> {
  const { gzip } = process.getBuiltinModule("node:zlib");
  return promisify(gzip)(body);
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}

function isSecure({ url }: Target): boolean {
  return url.startsWith("https:");
}

/** The body matters only where the target refuses, and then its beginning is enough. */
async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const status = response.statusCode ?? 0;
  let text = "";
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (text.length < 200) text += chunk.toString("latin1");
    }
  } catch (error) {
    if (status >= 300) return { kind: "failed", detail: messageOf(error) };
  }
  if (status < 300) return { kind: "delivered" };
  const detail = `${status} ${response.statusMessage ?? ""} ${printable(text)}`.trimEnd();
  if (![429, 502, 503, 504].includes(status)) return { kind: "refused", detail };
  const afterMs = Number(response.headers["retry-after"]) * 1000;
  return afterMs > 0
    ? { kind: "failed", detail, afterMs: Math.min(afterMs, 60_000) }
    : { kind: "failed", detail };
}

function printable(text: string): string {
  return text
    .slice(0, 200)
    .replaceAll(/[^ -~]+/g, " ")
    .trim();
}
