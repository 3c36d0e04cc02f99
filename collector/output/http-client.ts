// Requests of an output to its server, over connections that are kept. An answer, or what prevented it, is
// a value; how long it may take and how much of it is read are bounded. Once there is a value, nothing of
// the request is on its way any more: the memory of its body may be used again.

import { packageVersion } from "../version.ts";
import { AnswerError } from "../wire/http-answer.ts";
import type { Answered, HttpRequest, Way } from "./http-exchange.ts";
import type { Reason } from "./output.ts";
import { PlainHttp } from "./plain-http.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { TlsFiles } from "./tls-files.ts";
import { TlsHttp } from "./tls-http.ts";
import { within } from "./within.ts";

export type { HttpRequest } from "./http-exchange.ts";

export interface HttpClientOptions {
  readonly isTls: boolean;
  readonly maxConnections: number;
  /** For a request with its answer, from beginning to end. */
  readonly timeoutMs: number;
  readonly longestAnswerBytes: number;
  /** For a server that is not known to everybody, or wants to know us. */
  readonly tls?: TlsFiles | undefined;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: Answered["headers"];
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
  readonly #way: Way;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#way = options.isTls ? new TlsHttp(options) : new PlainHttp(options);
  }

  async send(request: HttpRequest, abort: AbortSignal): Promise<Answer | NoAnswer> {
    const { timeoutMs } = this.#options;
    const whole = { ...request, headers: headersOf(request) };
    return await within({ timeoutMs, abort }, async (signal) => {
      let exchange = await this.#way.exchange(whole, signal);
      if (exchange.kind === "stale") {
        this.#way.dropIdle();
        exchange = await this.#way.exchange(whole, signal);
      }
      const over = this.#overBy(signal, abort);
      if (exchange.kind === "answered") return this.#answerOf(exchange, over);
      return over ?? noneFor(exchange.error);
    });
  }

  close(): void {
    this.#way.close();
  }

  /** The reason that comes before that of the connection. */
  #overBy(signal: AbortSignal, abort: AbortSignal): NoAnswer | undefined {
    if (abort.aborted) return stopped;
    return signal.aborted ? late(this.#options.timeoutMs) : undefined;
  }

  #answerOf({ status, headers, body, cut }: Answered, over: NoAnswer | undefined): Answer {
    const cutBy = cut && (over ?? this.#noneForCut(cut));
    const afterMs = retryAfterMs(headers["retry-after"]);
    return { kind: "answer", status, headers, body, cutBy, afterMs };
  }

  #noneForCut(cut: NonNullable<Answered["cut"]>): NoAnswer {
    if (cut === "broken off") return none("unreachable", "the answer broke off");
    const { longestAnswerBytes: most } = this.#options;
    return none("bad_answer", `the answer is too large, at most ${most} bytes are read`);
  }
}

function headersOf({ method, headers, body }: HttpRequest): Record<string, string> {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  return {
    "user-agent": `sonde/${packageVersion()}`,
    ...headers,
    ...(length > 0 || method !== "GET" ? { "content-length": String(length) } : {}),
  };
}

function noneFor(error: NodeJS.ErrnoException): NoAnswer {
  // Several addresses tried: Node gives an AggregateError without a message of its own.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error;
  const detail = first?.message || error.code || "connection failed";
  const isForeign = error instanceof AnswerError || error.code?.startsWith("HPE_");
  return none(isForeign ? "bad_answer" : "unreachable", detail);
}

function none(reason: Reason, detail: string): NoAnswer {
  return { kind: "none", reason, detail };
}

const stopped = none("unreachable", "cut off, since the collector stops");

function late(timeoutMs: number): NoAnswer {
  return none("timeout", `no answer within ${timeoutMs} ms; timeout_ms sets the limit`);
}
