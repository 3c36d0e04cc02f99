// An HTTP server of an output, which does as it is told instead of taking what it is sent: the faults that
// the world has in store for an output, by name.

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { Worker } from "node:worker_threads";
import { gunzipSync } from "node:zlib";
import { uncompress } from "snappyjs";
import { listenLocally } from "./listen.ts";

export interface TroubledRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Without its compression. */
  readonly body: Buffer;
}

/** What a kind of server makes of requests. */
export interface Behaviour {
  /** The items that it brings, by their ids; undefined where it does not bring any. */
  idsIn(request: TroubledRequest): readonly string[] | undefined;
  /** What it says once it has taken them. */
  thanks(request: TroubledRequest, response: ServerResponse): void;
  /** It keeps what comes twice once, as it knows the ids. */
  readonly isIdempotent: boolean;
}

/** What it does instead of taking a request; `take` keeps it all the same. */
export type Fault = (response: ServerResponse, request: TroubledRequest, take: () => void) => void;

export class TroubledServer {
  fault: Fault | undefined;
  /** How often the fault was met. */
  faults = 0;
  /** When requests with items came, in milliseconds. */
  readonly came: number[] = [];
  readonly taken: string[] = [];
  /** What was sent to prove who we are. */
  readonly authorizations = new Set<string | undefined>();
  mostAtATime = 0;
  mostSent = 0;
  readonly #behaviour: Behaviour;
  readonly #known = new Set<string>();
  #atATime = 0;
  #tls: ServerOptions | undefined;
  #server: Server | undefined;
  #port = 0;

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour;
  }

  get url(): string {
    return `${this.#tls ? "https" : "http"}://127.0.0.1:${this.#port}`;
  }

  /** At the same port as before, with a certificate if one is given now or was given before. */
  async listen(tls = this.#tls): Promise<void> {
    this.#tls = tls;
    const answer = this.#receive.bind(this);
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer);
    this.#port = await listenLocally(this.#server, this.#port);
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #receive(incoming: IncomingMessage, response: ServerResponse): void {
    const sentBefore = incoming.socket.bytesWritten;
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => {});
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      const bytes = Buffer.concat(chunks);
      const body = unpacked(bytes, headers["content-encoding"]);
      this.authorizations.add(headers.authorization);
      this.#answer({ method, path, headers, body }, response);
    });
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#atATime);
    response.on("close", () => {
      this.#atATime--;
      this.mostSent = Math.max(this.mostSent, incoming.socket.bytesWritten - sentBefore);
    });
  }

  #answer(request: TroubledRequest, response: ServerResponse): void {
    const ids = this.#behaviour.idsIn(request);
    if (!ids) {
      response.end("{}");
      return;
    }
    this.came.push(performance.now());
    const take = (): void => this.#take(ids);
    if (this.fault) {
      this.faults++;
      this.fault(response, request, take);
      return;
    }
    take();
    this.#behaviour.thanks(request, response);
  }

  #take(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#behaviour.isIdempotent && this.#known.has(id)) continue;
      this.#known.add(id);
      this.taken.push(id);
    }
  }
}

function unpacked(bytes: Buffer, encoding = ""): Buffer {
  if (encoding === "snappy") return Buffer.from(uncompress(bytes));
  return encoding === "gzip" ? gunzipSync(bytes) : bytes;
}

export const answerStatus =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (response) =>
    response.writeHead(code, headers).end();

function endless(response: ServerResponse): void {
  const more = (): void => {
    if (!response.destroyed) response.write("x".repeat(64 << 10), () => setImmediate(more));
  };
  more();
}

function dripping(response: ServerResponse): void {
  const timer = setInterval(() => response.write("x"), 30);
  response.on("close", () => clearInterval(timer));
}

function breakingOff(response: ServerResponse): void {
  response.writeHead(response.statusCode, { "content-length": 100 }).write("x");
  setImmediate(() => response.socket?.resetAndDestroy());
}

/** All of these are waited for. */
export const passingFaults: Readonly<Record<string, Fault>> = {
  "never answers": () => {},
  "resets the connection": (response) => response.socket!.resetAndDestroy(),
  "closes the connection": (response) => response.socket!.end(),
  "answers garbage": (response) => response.socket!.end("\0garbage\r\n\r\n"),
  "answers half a status line": (response) => response.socket!.end("HTTP/1.1 20"),
  "answers 500 without end": (response) => endless(response.writeHead(500)),
  "answers 503 a byte at a time": (response) => dripping(response.writeHead(503)),
  "answers 503 and resets in the middle of it": (response) => {
    response.statusCode = 503;
    breakingOff(response);
  },
  "answers 401": answerStatus(401),
  "answers 403": answerStatus(403),
  "answers 404": answerStatus(404),
  "answers 408": answerStatus(408),
  "answers 429": answerStatus(429),
  "answers 429, with a Retry-After that is none": answerStatus(429, { "retry-after": "soon" }),
  "answers 500": answerStatus(500),
  "answers 502": answerStatus(502),
  "answers 503": answerStatus(503),
  "answers 504": answerStatus(504),
};

/** It has taken what it was sent, and says so in one of these ways, each with status 200. */
export const oddThanks: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "whose body is reset in the middle": breakingOff,
  "whose body is garbage": (response) =>
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end("\xff\xff"),
  "whose body never ends": (response) => endless(response.writeHead(200)),
  "a byte at a time": (response) => dripping(response.writeHead(200)),
};

export interface BlackHole {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Where packets get lost: its queue of connections is full and nobody takes any out of it, so that the
 * kernel does not even answer whoever wants to connect.
 */
export async function openBlackHole(): Promise<BlackHole> {
  const program = `
    const { parentPort } = require("node:worker_threads");
    const { connect, createServer } = require("node:net");
    const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      const { port } = server.address();
      // These take the places in the queue.
      for (let count = 0; count < 4; count++) connect(port, "127.0.0.1").on("error", () => {});
      setImmediate(() => {
        parentPort.postMessage(port);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });
    });`;
  const worker = new Worker(program, { eval: true });
  const port = await new Promise<number>((resolve) => worker.once("message", resolve));
  const close = async (): Promise<void> => void (await worker.terminate());
  return { url: `http://127.0.0.1:${port}`, close };
}
