// OTLP over HTTP: one request after the other, on sockets that keep no app alive.

import type { IncomingMessage, RequestOptions } from "node:http";
import { urlToHttpOptions } from "node:url";
import { promisify } from "node:util";
import { markOwn } from "./own.ts";
import { messageOf } from "../tell.ts";
import type { Answer, Transport, Unsent } from "./sender.ts";

// Not imported: an `import` of node:http reads all that it exports, which loads the whole of undici.
const http = process.getBuiltinModule("node:http");
const requestHttp = http.request;

export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "none" | "gzip";
  /** 0 waits for ever. */
  readonly timeoutMs: number;
  readonly tls: Readonly<Partial<Record<"ca" | "cert" | "key", string | undefined>>>;
}

export class HttpTransport implements Transport {
  readonly url: string;
  isHandedOver = false;
  readonly #target: Target;
  readonly #options: RequestOptions;
  // Taken before anything is instrumented: our own requests are neither traced nor counted.
  readonly #request: typeof requestHttp;

  constructor(target: Target) {
    this.url = target.url;
    this.#target = target;
    const isSecure = target.url.startsWith("https:");
    const https = isSecure ? process.getBuiltinModule("node:https") : undefined; // as long to load as all the rest
    this.#request = https?.request ?? requestHttp;
    const agent = https
      ? new https.Agent({ keepAlive: true, ...target.tls })
      : new http.Agent({ keepAlive: true });
    const url = urlToHttpOptions(new URL(target.url));
    this.#options = { ...url, method: "POST", agent: markOwn(agent) };
  }

  unsent(body: Uint8Array): Unsent {
    return { target: this.#target, body };
  }

  async post(body: Uint8Array): Promise<Answer> {
    const target = this.#target;
    const isZipped = target.compression === "gzip";
    const payload = isZipped ? await compress(body) : body;
    this.isHandedOver = false;
    const answer = await new Promise<Answer>((resolve) => {
      const headers = {
        ...target.headers,
        "content-length": payload.length,
        ...(isZipped ? { "content-encoding": "gzip" } : {}),
      };
      const sent = this.#request({ ...this.#options, headers });
      sent.setTimeout(target.timeoutMs, () => sent.destroy(new Error("no answer in time")));
      sent.on("socket", (socket) => socket.unref());
      sent.on("finish", () => (this.isHandedOver = true));
      sent.on("error", (error) => {
        // An idle connection that the server closed just now says nothing about the server.
        if (sent.reusedSocket && isReset(error)) resolve(this.post(body));
        else resolve({ kind: "failed", detail: messageOf(error) });
      });
      sent.on("response", (response) => readAnswer(response, resolve));
      sent.end(payload);
    });
    this.isHandedOver = false;
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

/**
 * The body matters only where the target refuses, and then its beginning is enough. Listeners instead of a
 * loop over its chunks, which costs a tenth of the whole request more.
 */
function readAnswer(response: IncomingMessage, resolve: (answer: Answer) => void): void {
  const status = response.statusCode ?? 0;
  let text = "";
  response.on("data", (chunk: Buffer) => {
    if (text.length < 200) text += chunk.toString("latin1");
  });
  response.on("end", () => resolve(answerOf(response, text)));
  response.on("error", (error) => {
    resolve(status < 300 ? { kind: "delivered" } : { kind: "failed", detail: messageOf(error) });
  });
}

function answerOf(response: IncomingMessage, text: string): Answer {
  const status = response.statusCode ?? 0;
  if (status < 300) return { kind: "delivered" };
  const detail = `${status} ${response.statusMessage ?? ""} ${wordsIn(text)}`.trimEnd();
  if (![429, 502, 503, 504].includes(status)) return { kind: "refused", detail };
  const afterMs = Number(response.headers["retry-after"]) * 1000;
  return afterMs > 0
    ? { kind: "failed", detail, afterMs: Math.min(afterMs, 60_000) }
    : { kind: "failed", detail };
}

/** It may be protobuf: what a person can read of that stands between bytes that are no text. */
function wordsIn(answer: string): string {
  return answer
    .slice(0, 200)
    .replaceAll(/[^ -~]+/g, " ")
    .trim();
}
