// Requests to one server over kept connections. An answer or what prevented it is a value; its size and
// the time it takes are bounded; and no message holds a credential.

import http from "node:http";
import https from "node:https";
import type { Reason } from "../output.ts";
import { retryAfterMs } from "../retry-after.ts";
import type { Settings } from "./settings.ts";

export interface Request {
  readonly method: "GET" | "PUT" | "POST";
  /** After the settings' url, without a slash at the front. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly body: Buffer;
  /** What its Retry-After asks for. */
  readonly afterMs: number | undefined;
}

export interface NoAnswer {
  readonly kind: "none";
  readonly reason: Reason;
  readonly detail: string;
}

/** Of 2,000 records, with a reason each. */
const maxAnswerBytes = 8 * 1024 * 1024;
const maxConnections = 4;

export class Client {
  readonly #base: URL;
  readonly #path: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #agent: http.Agent;

  constructor(settings: Settings) {
    const url = new URL(settings.url);
    const authorization = authorizationOf(settings, url);
    url.username = url.password = "";
    this.#base = url;
    this.#path = url.pathname.replace(/\/*$/, "/");
    this.#headers = { "user-agent": "sonde", ...(authorization ? { authorization } : {}) };
    this.#timeoutMs = settings.timeout_ms;
    const { Agent } = url.protocol === "https:" ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: maxConnections });
  }

  async request(request: Request, signal: AbortSignal): Promise<Answer | NoAnswer> {
    // The server closed a kept connection just as it was used: nothing to tell anybody about.
    const first = await this.#once(request, signal);
    const last = first === "stale" ? await this.#once(request, signal) : first;
    if (last !== "stale") return last;
    return { kind: "none", reason: "unreachable", detail: `${this.#base.host}: connection reset` };
  }

  close(): void {
    this.#agent.destroy();
  }

  #once(request: Request, signal: AbortSignal): Promise<Answer | NoAnswer | "stale"> {
    const { promise, resolve } = Promise.withResolvers<Answer | NoAnswer | "stale">();
    const { body } = request;
    const sent = this.#open(request);
    let answerBegan = false;
    const settle = (result: Answer | NoAnswer | "stale"): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      // A body that is not out yet would go on being read from a buffer that is about to be reused.
      if (result === "stale" || result.kind === "none" || !sent.writableFinished) sent.destroy();
      resolve(result);
    };
    const fail = (reason: Reason, detail: string): void => settle({ kind: "none", reason, detail });
    const stop = (): void => fail("unreachable", "stopped before it answered");
    const timer = setTimeout(() => {
      fail("timeout", `no answer within ${this.#timeoutMs} ms; timeout_ms sets the limit`);
    }, this.#timeoutMs);
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const isReset = error.code === "ECONNRESET" || error.code === "EPIPE";
      if (isReset && sent.reusedSocket && !answerBegan) settle("stale");
      else fail("unreachable", `${this.#base.host}: ${error.code ?? error.message}`);
    });
    sent.on("response", (response) => {
      answerBegan = true;
      void readAnswer(response).then(settle);
    });
    if (signal.aborted) stop();
    else {
      signal.addEventListener("abort", stop, { once: true });
      sent.end(body);
    }
    return promise;
  }

  #open({ method, path, body, contentType }: Request): http.ClientRequest {
    const { request } = this.#base.protocol === "https:" ? https : http;
    const headers: Record<string, string | number> = { ...this.#headers };
    if (body) headers["content-length"] = body.length;
    if (contentType) headers["content-type"] = contentType;
    return request(this.#base, { method, path: this.#path + path, headers, agent: this.#agent });
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<Answer | NoAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxAnswerBytes) {
        const detail = `the answer is too large, at most ${maxAnswerBytes} bytes are read`;
        return { kind: "none", reason: "bad_answer", detail }; // leaving the loop ends the response
      }
      chunks.push(chunk);
    }
  } catch {
    return { kind: "none", reason: "unreachable", detail: "the answer broke off" };
  }
  return {
    kind: "answer",
    status: response.statusCode ?? 0,
    body: Buffer.concat(chunks),
    afterMs: retryAfterMs(response.headers["retry-after"]),
  };
}

function authorizationOf(settings: Settings, url: URL): string | undefined {
  const { api_key: apiKey } = settings;
  if (apiKey !== undefined) return `ApiKey ${apiKey.includes(":") ? base64(apiKey) : apiKey}`;
  const username = settings.username ?? decodeURIComponent(url.username);
  const password = settings.password ?? decodeURIComponent(url.password);
  return username || password ? `Basic ${base64(`${username}:${password}`)}` : undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
