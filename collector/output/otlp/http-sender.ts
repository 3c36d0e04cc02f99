// OTLP over HTTP, as a client. Any 2xx is an acceptance; what else is answered is sorted into what may
// pass (retry) and what never will (rejected). A wrong address or credential is for a person to mend
// and not a reason to give data up, so it is retried.

import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Signal } from "../../wire/batch.ts";
import type { Delivery, Outcome } from "../output.ts";
import { retryAfterMs } from "../retry-after.ts";
import { messageOf, outcomeOfSuccess, reject, retry } from "./answer.ts";

export interface SenderSettings {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "none" | "gzip";
  readonly timeoutMs: number;
}

/** Sends deliveries to one server. */
export interface Sender {
  send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;
  close(): void;
}

const compress = promisify(gzip);
const longestAnswerBytes = 64 << 10;

export function httpSender(settings: SenderSettings): Sender {
  const isTls = settings.endpoint.startsWith("https:");
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const urls = urlsOf(settings.endpoint);
  const headers = { ...settings.headers, "content-type": "application/x-protobuf" };
  const isGzip = settings.compression === "gzip";

  return {
    async send(delivery, signal) {
      const parts = delivery.entries.map(({ batch }) => batch.bytes);
      const body = isGzip ? [await compress(Buffer.concat(parts))] : parts;
      const length = body.reduce((sum, part) => sum + part.length, 0);
      const request = (isTls ? httpsRequest : httpRequest)(urls[delivery.signal], {
        method: "POST",
        agent,
        signal,
        timeout: settings.timeoutMs,
        headers: {
          ...headers,
          "content-length": length,
          ...(isGzip ? { "content-encoding": "gzip" } : {}),
        },
      });
      return await exchange(request, body, { items: delivery.items, ...settings });
    },
    close: () => agent.destroy(),
  };
}

/** A base path is kept; the signal's own path follows it. */
function urlsOf(endpoint: string): Readonly<Record<Signal, URL>> {
  const base = endpoint.replace(/\/+$/, "");
  const url = (path: string): URL => new URL(`${base}/v1/${path}`);
  return { traces: url("traces"), metrics: url("metrics"), logs: url("logs") };
}

function exchange(
  request: ReturnType<typeof httpRequest>,
  body: readonly Uint8Array[],
  { items, timeoutMs }: { readonly items: number; readonly timeoutMs: number },
): Promise<Outcome> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      resolve(retry("timeout", `no answer within ${timeoutMs} ms`));
      request.destroy();
    }, timeoutMs);
    const settle = (outcome: Outcome): void => {
      clearTimeout(late);
      resolve(outcome);
    };
    request.on("error", (error) => settle(retry("unreachable", describe(error))));
    request.on("response", (response) => {
      readAnswer(response).then(
        (answer) => settle(outcomeOf(response, answer, items)),
        (error: Error) => settle(retry("unreachable", `the answer broke off: ${error.message}`)),
      );
    });
    for (const part of body) request.write(part);
    request.end();
  });
}

/** No more than is needed: an answer without end is cut off. */
async function readAnswer(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > longestAnswerBytes) break; // leaving the loop destroys the response
  }
  return Buffer.concat(chunks).subarray(0, longestAnswerBytes);
}

function outcomeOf(response: IncomingMessage, answer: Buffer, items: number): Outcome {
  const status = response.statusCode ?? 0;
  const isProtobuf = response.headers["content-type"]?.startsWith("application/x-protobuf");
  if (status >= 200 && status < 300) {
    return isProtobuf ? outcomeOfSuccess(answer) : { kind: "delivered" };
  }
  const detail = `HTTP ${status} ${messageOf(answer)}`.trim();
  switch (status) {
    case 429:
    case 503:
      return retry("busy", detail, retryAfterMs(response.headers["retry-after"]));
    case 401:
    case 403:
    case 407:
      return retry("unauthorized", detail);
    case 404:
    case 405:
      return retry("not_found", detail);
    case 408:
      return retry("timeout", detail);
    case 413:
      return reject("too_large", detail, items);
    default:
      if (status >= 500) return retry("server_error", detail);
      if (status >= 400) return reject("bad_data", detail, items);
      return retry("bad_answer", detail);
  }
}

function describe(error: NodeJS.ErrnoException): string {
  // Several addresses tried: Node gives an AggregateError without a message of its own.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error;
  return first?.message || error.code || "connection failed";
}
