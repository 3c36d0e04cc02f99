// OTLP over HTTP, as a client. What is answered is sorted into what was taken (any 2xx), what may pass
// (retry) and what never will (rejected). A wrong address or credential is for a person to mend and not a
// reason to give data up, so it is retried. The status decides: an answer whose body is garbage, breaks
// off or never ends is still the answer, and what it took must not be sent twice.

import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Memory } from "../../memory/memory.ts";
import { Scratch } from "../../memory/scratch.ts";
import { packageVersion } from "../../version.ts";
import type { Signal } from "../../wire/batch.ts";
import type { Delivery, Outcome } from "../output.ts";
import { retryAfterMs } from "../retry-after.ts";
import type { TlsFiles } from "../tls-files.ts";
import { messageOf, outcomeOfJson, outcomeOfSuccess, reject, retry } from "./answer.ts";
import { bodyOf, type Compression } from "./body.ts";

export interface SenderSettings {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: Compression;
  /** For a request with its answer, from beginning to end. */
  readonly timeoutMs: number;
  /** How many requests there are at a time; 1 if not given. */
  readonly maxInFlight?: number;
  /** For a server that is not known to everybody, or wants to know us. */
  readonly tls?: TlsFiles;
  /** For bodies that have to be put together. */
  readonly memory?: Memory;
}

/** Sends deliveries to one server. */
export interface Sender {
  send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;
  close(): void;
}

const longestAnswerBytes = 64 << 10;

export function httpSender(settings: SenderSettings): Sender {
  const { endpoint, compression, timeoutMs, tls, maxInFlight = 1 } = settings;
  const { memory = new Memory() } = settings;
  const isTls = endpoint.startsWith("https:");
  const limits = { keepAlive: true, noDelay: true, maxSockets: maxInFlight };
  const agent = isTls ? new HttpsAgent(limits) : new HttpAgent(limits);
  const request = isTls ? httpsRequest : httpRequest;
  const urls = urlsOf(endpoint);
  const headers = {
    "user-agent": `sonde/${packageVersion()}`,
    ...settings.headers,
    "content-type": "application/x-protobuf",
    ...(compression === "none" ? {} : { "content-encoding": compression }),
  };

  return {
    async send(delivery, abort) {
      const scratch = new Scratch(memory);
      const body = await bodyOf(delivery, compression, scratch);
      const length = body.reduce((sum, part) => sum + part.length, 0);
      const exchange = (signal: AbortSignal): Promise<Exchange> =>
        exchanged(
          request(urls[delivery.signal], {
            ...tls?.current(),
            method: "POST",
            agent,
            signal,
            headers: { ...headers, "content-length": length },
          }),
          body,
        );
      return await within({ timeoutMs, abort }, async (signal) => {
        let answer = await exchange(signal);
        if (answer.kind === "stale") {
          dropIdle(agent);
          answer = await exchange(signal);
        }
        scratch.release();
        if (answer.kind === "answered") return outcomeOf(answer, delivery.items);
        if (abort.aborted) return retry("unreachable", "cut off, since the collector stops");
        if (signal.aborted) return retry("timeout", `no answer within ${timeoutMs} ms`);
        return outcomeOfError(answer.error);
      });
    },
    close: () => agent.destroy(),
  };
}

/** A base path is kept; the signal's own path follows it. */
function urlsOf(endpoint: string): Readonly<Record<Signal, URL>> {
  const base = new URL(endpoint);
  const path = base.pathname.replace(/\/*$/, "");
  const url = (signal: Signal): URL => new URL(`${path}/v1/${signal}`, base);
  return { traces: url("traces"), metrics: url("metrics"), logs: url("logs") };
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
  | { readonly kind: "answered"; readonly response: IncomingMessage; readonly body: Buffer }
  /** The server closed a connection that had been idle, just when we took it up again. */
  | { readonly kind: "stale"; readonly error: Error }
  | { readonly kind: "failed"; readonly error: Error };

/** When it is over, nothing of the body is on its way any more: its memory may be used again. */
async function exchanged(request: ClientRequest, body: readonly Uint8Array[]): Promise<Exchange> {
  const exchange = await answered(request, body);
  // A server may answer before it has read everything; it is not sent the rest.
  if (!request.writableFinished) request.destroy();
  return exchange;
}

function answered(request: ClientRequest, body: readonly Uint8Array[]): Promise<Exchange> {
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
      const read = readAnswer(response);
      resolve(read.then((answer) => ({ kind: "answered", response, body: answer })));
    });
    for (const part of body) request.write(part);
    request.end();
  });
}

/** As much as there is, and no more than is needed: an answer without end is cut off. */
async function readAnswer(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > longestAnswerBytes) break; // leaving the loop destroys the response
    }
  } catch {
    // It broke off, or the time was over.
  }
  return Buffer.concat(chunks).subarray(0, longestAnswerBytes);
}

/** The others that have been idle are likely to be closed, too. */
function dropIdle(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

function outcomeOf(answer: Exchange & { kind: "answered" }, items: number): Outcome {
  const { response, body } = answer;
  const { statusCode: status = 0, headers } = response;
  if (status >= 200 && status < 300) {
    const type = headers["content-type"] ?? "";
    if (type.startsWith("application/x-protobuf")) return outcomeOfSuccess(body);
    return type.startsWith("application/json") ? outcomeOfJson(body) : { kind: "delivered" };
  }
  const detail = `HTTP ${status} ${messageOf(body)}`.trim();
  const afterMs = retryAfterMs(headers["retry-after"]);
  switch (status) {
    case 429:
    case 503:
      return retry("busy", detail, afterMs);
    case 401:
    case 403:
    case 407:
      return retry("unauthorized", detail);
    case 404:
    case 405:
      return retry("not_found", detail);
    case 408:
      return retry("timeout", detail, afterMs);
    case 413:
      return reject("too_large", detail, items);
    default:
      if (status >= 500) return retry("server_error", detail, afterMs);
      if (status >= 400) return reject("bad_data", detail, items);
      // A redirect is not followed: it could lead headers with credentials to another host.
      return retry(
        "bad_answer",
        `HTTP ${status} to ${headers.location ?? "nowhere"}`.slice(0, 500),
      );
  }
}

function outcomeOfError(error: NodeJS.ErrnoException): Outcome {
  // Several addresses tried: Node gives an AggregateError without a message of its own.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error;
  const detail = first?.message || error.code || "connection failed";
  return retry(error.code?.startsWith("HPE_") ? "bad_answer" : "unreachable", detail);
}
