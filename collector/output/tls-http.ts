// Exchanges over HTTPS, by node:https.

import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as requestHttps } from "node:https";
import {
  type Answered,
  type Exchange,
  type HttpRequest,
  isReset,
  type Way,
  type WayOptions,
} from "./http-exchange.ts";
import type { TlsFiles } from "./tls-files.ts";

interface Options extends WayOptions {
  /** For a server that is not known to everybody, or wants to know us. */
  readonly tls?: TlsFiles | undefined;
}

export class TlsHttp implements Way {
  readonly #options: Options;
  readonly #agent: Agent;

  constructor(options: Options) {
    this.#options = options;
    const limits = { keepAlive: true, noDelay: true, maxSockets: options.maxConnections };
    this.#agent = new Agent(limits);
  }

  async exchange(request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    const { url, method, headers, body } = request;
    const { tls, longestAnswerBytes } = this.#options;
    const agent = this.#agent;
    const sent = requestHttps(url, { ...tls?.current(), method, agent, signal, headers });
    const exchange = await answered(sent, body, longestAnswerBytes);
    // A server may answer before it has read everything; it is not sent the rest.
    if (!sent.writableFinished) sent.destroy();
    return exchange;
  }

  dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

function answered(
  request: ClientRequest,
  body: readonly Uint8Array[],
  longestBytes: number,
): Promise<Exchange> {
  return new Promise((resolve) => {
    let isAnswered = false;
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (isAnswered) return;
      const isStale = request.reusedSocket && isReset(error);
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

async function readAnswer(response: IncomingMessage, longestBytes: number): Promise<Answered> {
  const { statusCode: status = 0 } = response;
  const chunks: Buffer[] = [];
  let size = 0;
  let cut: Answered["cut"];
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= longestBytes) continue;
      cut = "too long";
      break; // leaving the loop destroys the response
    }
  } catch {
    cut = "broken off";
  }
  const body = Buffer.concat(chunks).subarray(0, longestBytes);
  return { kind: "answered", status, headers: headersIn(response), body, cut };
}

/** Only cookies come as lists. */
function headersIn({ headers }: IncomingMessage): Answered["headers"] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value && String(value)]),
  );
}
