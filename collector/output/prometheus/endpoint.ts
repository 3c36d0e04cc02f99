// The HTTP side of /metrics: a listener that a slow, odd or hostile client cannot hold up.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { createGzip } from "node:zlib";
import { type Gate, unauthorized } from "../../access.ts";
import { authority, listen } from "../../listen.ts";
import { type Format, formatFor } from "./negotiate.ts";

export interface Endpoint {
  readonly url: string;
  close(): Promise<void>;
}

/** A piece, which may be empty, is good until the next one is asked for. */
type Scrape = (format: Format) => Iterable<string | Uint8Array>;

interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  /** Made for each scrape; others get a turn after each piece. */
  readonly scrape: Scrape;
  readonly access: Gate;
}

const path = "/metrics";

const maxConnections = 256;
const maxScrapes = 8;
/** For one answer, however slowly it is read. */
const answerMs = 60_000;

const serverOptions = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 75_000, // longer than people's scrape intervals, or a scrape meets a closing socket
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
};

export async function serveMetrics(options: EndpointOptions): Promise<Endpoint> {
  const { host, port, scrape, access } = options;
  let scrapes = 0;
  const server = access.createHttpServer(serverOptions, (request, response) => {
    request.on("error", () => response.destroy());
    response.on("error", () => {});
    request.resume();
    const isAllowed = access.allows(request.headers.authorization);
    const refused = isAllowed ? refusalOf(request) : unauthorized;
    const refusal = refused ?? (scrapes >= maxScrapes ? busy : undefined);
    if (refusal) {
      refuse(response, refusal);
      return;
    }
    scrapes++;
    void answer(request, response, scrape).finally(() => scrapes--);
  });
  server.maxConnections = maxConnections;
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  const taken = await listen(server, { host, port, setting: "outputs.prometheus.port" });
  server.on("error", () => {}); // such as too many open files: it goes on listening
  return {
    url: `${access.isTls ? "https" : "http"}://${authority(host, taken)}${path}`,
    close: closing(server),
  };
}

const closing = (server: Server) => (): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

interface Refusal {
  readonly status: number;
  readonly why: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const busy: Refusal = {
  status: 503,
  why: `${maxScrapes} scrapes are under way`,
  headers: { "retry-after": "1" },
};

function refusalOf({ url = "", method }: IncomingMessage): Refusal | undefined {
  const end = url.indexOf("?");
  if ((end < 0 ? url : url.slice(0, end)) !== path) {
    return { status: 404, why: `nothing here; the metrics are at ${path}` };
  }
  if (method === "GET" || method === "HEAD") return undefined;
  return { status: 405, why: "GET and HEAD only", headers: { allow: "GET, HEAD" } };
}

function refuse(response: ServerResponse, { status, why, headers }: Refusal): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers });
  response.end(`${why}\n`);
}

/** Never rejects: a client that goes away is no trouble of ours. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  scrape: Scrape,
): Promise<void> {
  const format = formatFor(request.headers.accept);
  const isZipped = acceptsGzip(request.headers["accept-encoding"]);
  response.setHeader("content-type", format.contentType);
  response.setHeader("vary", "accept, accept-encoding");
  if (isZipped) response.setHeader("content-encoding", "gzip");
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const timer = setTimeout(() => response.destroy(), answerMs);
  try {
    if (isZipped) {
      const gzip = createGzip({ level: 1 });
      await Promise.all([pipeline(gzip, response), write(scrape(format), gzip, response)]);
    } else await write(scrape(format), response, response);
  } catch {
    response.destroy();
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves once it is over, whichever side ends it. */
async function write(
  pieces: Iterable<string | Uint8Array>,
  out: Writable,
  response: ServerResponse,
): Promise<void> {
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  const bytes = new Bytes();
  for (const piece of pieces) {
    if (piece.length > 0) await Promise.race([written(out, bytes.of(piece)), closed]);
    if (response.destroyed) return;
    await setImmediate();
  }
  out.end();
  await closed;
}

/** When the memory of the bytes may be used again. */
const written = (out: Writable, bytes: Uint8Array): Promise<unknown> =>
  new Promise((resolve) => out.write(bytes, resolve));

/**
 * One piece after the other in the same memory: if each had its own, V8 would collect all its heap after
 * some scrapes, and hold everybody up for it.
 */
class Bytes {
  readonly #buffer = Buffer.allocUnsafeSlow(262_144);

  of(piece: string | Uint8Array): Uint8Array {
    if (typeof piece !== "string") return piece;
    if (3 * piece.length > this.#buffer.length) return Buffer.from(piece);
    return this.#buffer.subarray(0, this.#buffer.write(piece));
  }
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? "")
    .split(",")
    .some((one) => /^\s*(x-)?gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(one));
}
