// OTLP over HTTP, as a client. What is answered is sorted into what was taken (any 2xx), what may pass
// (retry) and what never will (rejected). A wrong address or credential is for a person to mend and not a
// reason to give data up, so it is retried. The status decides: an answer whose body is garbage, breaks
// off or never ends is still the answer, and what it took must not be sent twice.

import { Memory } from "../../memory/memory.ts";
import { Scratch } from "../../memory/scratch.ts";
import type { Signal } from "../../wire/batch.ts";
import { type Answer, HttpClient } from "../http-client.ts";
import { outcomeOfRefusal, retry } from "../http-outcome.ts";
import type { Delivery, Outcome } from "../output.ts";
import type { TlsFiles } from "../tls-files.ts";
import { outcomeOfJson, outcomeOfSuccess } from "./answer.ts";
import { bodyOf, type Compression } from "../otlp-body.ts";

export interface SenderSettings {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: Compression;
  /** For a request with its answer, from beginning to end. */
  readonly timeoutMs: number;
  /** How many requests there are at a time; 1 if not given. */
  readonly maxInFlight?: number;
  /** For a server that is not known to everybody, or wants to know us. */
  readonly tls?: TlsFiles | undefined;
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
  const client = new HttpClient({
    isTls: endpoint.startsWith("https:"),
    maxConnections: maxInFlight,
    timeoutMs,
    longestAnswerBytes,
    tls,
  });
  const urls = urlsOf(endpoint);
  const headers = {
    ...settings.headers,
    "content-type": "application/x-protobuf",
    ...(compression === "none" ? {} : { "content-encoding": compression }),
  };
  return {
    async send(delivery, abort) {
      const scratch = new Scratch(memory);
      const body = await bodyOf(delivery, compression, scratch);
      const url = urls[delivery.signal];
      const answer = await client.send({ method: "POST", url, headers, body }, abort);
      scratch.release();
      if (answer.kind === "none") return retry(answer.reason, answer.detail);
      return outcomeOf(answer, delivery.items);
    },
    close: () => client.close(),
  };
}

/** A base path is kept; the signal's own path follows it. */
function urlsOf(endpoint: string): Readonly<Record<Signal, URL>> {
  const base = new URL(endpoint);
  const path = base.pathname.replace(/\/*$/, "");
  const url = (signal: Signal): URL => new URL(`${path}/v1/${signal}`, base);
  return { traces: url("traces"), metrics: url("metrics"), logs: url("logs") };
}

function outcomeOf(answer: Answer, items: number): Outcome {
  const { status, headers, body } = answer;
  if (status >= 200 && status < 300) {
    const type = headers["content-type"] ?? "";
    if (type.startsWith("application/x-protobuf")) return outcomeOfSuccess(body);
    return type.startsWith("application/json") ? outcomeOfJson(body) : { kind: "delivered" };
  }
  return outcomeOfRefusal(answer, items);
}
