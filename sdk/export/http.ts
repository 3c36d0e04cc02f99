// OTLP over HTTP: one request after the other, on sockets that keep no app alive.

import type { IncomingMessage, RequestOptions } from "node:http";
import { urlToHttpOptions } from "node:url";
import { promisify } from "node:util";
import { messageOf } from "../tell.ts";
import { answerOf, mostText } from "./answer.ts";
import { markOwn } from "./own.ts";
import { isPlain, isReset, PlainHttp } from "./plain-http.ts";
import type { Headers } from "./plain-http.ts";
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
  readonly #target: Target;
  readonly #way: PlainHttp | NodeHttp;

  constructor(target: Target) {
    this.url = target.url;
    this.#target = target;
    this.#way = isPlain(target) ? new PlainHttp(target) : new NodeHttp(target);
  }

  unsent(body: Uint8Array): Unsent {
    return { target: this.#target, body };
  }

  async post(body: Uint8Array, handOver = (): void => {}): Promise<Answer> {
    const isZipped = this.#target.compression === "gzip";
    const payload = isZipped ? await compress(body) : body;
    return this.#way.post(payload, isZipped ? zipped : {}, handOver);
  }
}

const zipped = { "content-encoding": "gzip" };

/** For what needs more than a socket: TLS, and headers that say how a connection is used. */
class NodeHttp {
  readonly #target: Target;
  readonly #options: RequestOptions;
  // Taken before anything is instrumented: our own requests are neither traced nor counted.
  readonly #request: typeof requestHttp;

  constructor(target: Target) {
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

  post(body: Uint8Array, more: Headers, handOver: () => void): Promise<Answer> {
    const { headers, timeoutMs } = this.#target;
    return new Promise<Answer>((resolve) => {
      const all = { ...headers, "content-length": body.length, ...more };
      const sent = this.#request({ ...this.#options, headers: all });
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error("no answer in time")));
      sent.on("socket", (socket) => socket.unref());
      sent.on("finish", handOver);
      sent.on("error", (error) => {
        // An idle connection that the server closed just now says nothing about the server.
        if (sent.reusedSocket && isReset(error)) resolve(this.post(body, more, handOver));
        else resolve({ kind: "failed", detail: messageOf(error) });
      });
      sent.on("response", (response) => readAnswer(response, resolve));
      sent.end(body);
    });
  }
}

function compress(body: Uint8Array): Promise<Uint8Array> {
  const { gzip } = process.getBuiltinModule("node:zlib");
  return promisify(gzip)(body);
}

/** Listeners instead of a loop over its chunks, which costs a tenth of the whole request more. */
function readAnswer(response: IncomingMessage, resolve: (answer: Answer) => void): void {
  const { statusCode: status = 0, statusMessage: message = "" } = response;
  let text = "";
  response.on("data", (chunk: Buffer) => {
    if (text.length < mostText) text += chunk.toString("latin1");
  });
  response.on("end", () => {
    resolve(answerOf({ status, message, retryAfter: response.headers["retry-after"], text }));
  });
  response.on("error", (error) => {
    resolve(status < 300 ? { kind: "delivered" } : { kind: "failed", detail: messageOf(error) });
  });
}
