// Requests of an output to its server, over connections that are kept. An answer, or what prevented it, is
// a value; how long it may take and how much of it is read are bounded. Once there is a value, nothing of
// the request is on its way any more: the memory of its body may be used again.

import {
  Agent as HttpAgent,
  type AgentOptions,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { NetConnectOpts } from "node:net";
import { LentReads } from "../sockets/lent-reads.ts";
import { packageVersion } from "../version.ts";
import type { Reason } from "./output.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { TlsFiles } from "./tls-files.ts";

export interface HttpClientOptions {
  readonly isTls: boolean;
  readonly maxConnections: number;
  /** For a request with its answer, from beginning to end. */
  readonly timeoutMs: number;
  readonly longestAnswerBytes: number;
  /** For a server that is not known to everybody, or wants to know us. */
  readonly tls?: TlsFiles | undefined;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: readonly Uint8Array[];
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Why there is no more of the body; undefined where it is whole. */
  readonly cutBy: NoAnswer | undefined;
  /** What its Retry-After asks for. */
  readonly afterMs: number | undefined;
}

export interface NoAnswer {
  readonly kind: "none";
  readonly reason: Reason;
  readonly detail: string;
}

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const { isTls, maxConnections: maxSockets } = options;
    const limits = { keepAlive: true, noDelay: true, maxSockets };
    this.#agent = isTls ? new HttpsAgent(limits) : lentAgent(limits);
    this.#request = isTls ? httpsRequest : httpRequest;
  }

  async send(request: HttpRequest, abort: AbortSignal): Promise<Answer | NoAnswer> {
    const { timeoutMs } = this.#options;
    return await within({ timeoutMs, abort }, async (signal) => {
      let exchange = await this.#exchange(request, signal);
      if (exchange.kind === "stale") {
        dropIdle(this.#agent);
        exchange = await this.#exchange(request, signal);
      }
      const { kind } = exchange;
      if (kind === "answer" && exchange.cutBy === undefined) return exchange;
      const over = abort.aborted ? stopped : signal.aborted ? late(timeoutMs) : undefined;
      if (kind === "answer") return { ...exchange, cutBy: over ?? exchange.cutBy };
      return over ?? noneFor(exchange.error);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #exchange(request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    const { url, method, headers, body } = request;
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const sent = this.#request(url, {
      ...this.#options.tls?.current(),
      method,
      agent: this.#agent,
      signal,
      headers: {
        "user-agent": `sonde/${packageVersion()}`,
        ...headers,
        ...(length > 0 || method !== "GET" ? { "content-length": length } : {}),
      },
    });
    const exchange = await answered(sent, body, this.#options.longestAnswerBytes);
    // A server may answer before it has read everything; it is not sent the rest.
    if (!sent.writableFinished) sent.destroy();
    return exchange;
  }
}

/** Node's parser reads what has come at once, and copies what it hands on of a body. */
function lentAgent(options: AgentOptions): HttpAgent {
  const agent = new HttpAgent(options);
  const reads = new LentReads();
  agent.createConnection = (to) => reads.connect(to as NetConnectOpts); // with the host and the port
  return agent;
}

/** The signal that the work is given is aborted when the time is over, or `abort` is. */
async function within<Value>(
  { timeoutMs, abort }: { readonly timeoutMs: number; readonly abort: AbortSignal },
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, timeoutMs);
  abort.addEventListener("abort", end, { once: true });
  if (abort.aborted) end();
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    abort.removeEventListener("abort", end);
  }
}

type Exchange =
  | Answer
  /** The server closed a connection that had been idle, just when we took it up again. */
  | { readonly kind: "stale"; readonly error: Error }
  | { readonly kind: "failed"; readonly error: Error };

function answered(
  request: ClientRequest,
  body: readonly Uint8Array[],
  longestBytes: number,
): Promise<Exchange> {
  return new Promise((resolve) => {
    let isAnswered = false;
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (isAnswered) return;
      const isStale = request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test(error.code ?? "");
      resolve({ kind: isStale ? "stale" : "failed", error });
    });
    request.on("close", () => {
      const error = new Error("the connection was closed without an answer");
      if (!isAnswered) resolve({ kind: "failed", error });
    });
    request.on("response", (response) => {
      isAnswered = true;
      resolve(readAnswer(response, longestBytes));
    });
    for (const part of body) request.write(part);
    request.end();
  });
}

async function readAnswer(response: IncomingMessage, longestBytes: number): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  const chunks: Buffer[] = [];
  let size = 0;
  let cutBy: NoAnswer | undefined;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= longestBytes) continue;
      cutBy = none("bad_answer", `the answer is too large, at most ${longestBytes} bytes are read`);
      break; // leaving the loop destroys the response
    }
  } catch {
    cutBy = none("unreachable", "the answer broke off");
  }
  const body = Buffer.concat(chunks).subarray(0, longestBytes);
  const afterMs = retryAfterMs(headers["retry-after"]);
  return { kind: "answer", status, headers, body, cutBy, afterMs };
}

/** The others that have been idle are likely to be closed, too. */
function dropIdle(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

function noneFor(error: NodeJS.ErrnoException): NoAnswer {
  // Several addresses tried: Node gives an AggregateError without a message of its own.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error;
  const detail = first?.message || error.code || "connection failed";
  return none(error.code?.startsWith("HPE_") ? "bad_answer" : "unreachable", detail);
}

function none(reason: Reason, detail: string): NoAnswer {
  return { kind: "none", reason, detail };
}

const stopped = none("unreachable", "cut off, since the collector stops");

function late(timeoutMs: number): NoAnswer {
  return none("timeout", `no answer within ${timeoutMs} ms; timeout_ms sets the limit`);
}
