// OTLP over HTTP: one request after the other, on sockets that keep no app alive.

import type { Agent, IncomingMessage } from "node:http";
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
  readonly #agent: Agent;
  // Taken before anything is instrumented: our own requests are neither traced nor counted.
  readonly #request: typeof requestHttp;

  constructor(target: Target) {
    this.url = target.url;
    this.#target = target;
    if (target.url.startsWith("https:")) {
      const https = process.getBuiltinModule("node:https"); // as long to load as all the rest
      this.#request = https.request;
      this.#agent = markOwn(new https.Agent({ keepAlive: true, ...target.tls }));
    } else {
      this.#request = requestHttp;
      this.#agent = markOwn(new http.Agent({ keepAlive: true }));
    }
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
      const sent = this.#request(target.url, {
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
      sent.on("finish", () => (this.isHandedOver = true));
      sent.on("error", (error) => {
        // An idle connection that the server closed just now says nothing about the server.
        if (sent.reusedSocket && isReset(error)) resolve(this.post(body));
        else resolve({ kind: "failed", detail: messageOf(error) });
      });
      sent.on("response", (response) => void readAnswer(response).then(resolve));
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
