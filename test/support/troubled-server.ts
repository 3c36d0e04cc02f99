// A server of an output, which does as it is told instead of taking what it is sent. What speaks a protocol
// is in troubled-http.ts and troubled-grpc.ts, with the faults that the world has in store there.

import type { IncomingHttpHeaders } from "node:http";
import type { Server, Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { Worker } from "node:worker_threads";
import { listenLocally } from "./listen.ts";

export interface TroubledRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Without its compression, and without its prefix. */
  readonly body: Buffer;
}

/** What a kind of server makes of requests. */
export interface Behaviour<Response> {
  /** The items that it brings, by their ids; undefined where it does not bring any. */
  idsIn(request: TroubledRequest): readonly string[] | undefined;
  /** What it says once it has taken them. */
  thanks(request: TroubledRequest, response: Response): void;
  /** It keeps what comes twice once, as it knows the ids. */
  readonly isIdempotent: boolean;
}

/** What it does instead of taking a request; `take` keeps it all the same. */
export type Fault<Response> = (
  response: Response,
  request: TroubledRequest,
  take: () => void,
) => void;

/** Where a server hands in what comes. */
export interface Desk<Response> {
  begins(): void;
  /** False where the request brings no items, and nothing has been answered. */
  answer(request: TroubledRequest, response: Response): boolean;
  ends(sentBytes: number): void;
}

export class TroubledServer<Response> implements Desk<Response> {
  fault: Fault<Response> | undefined;
  /** How often the fault was met. */
  faults = 0;
  /** When requests with items came, in milliseconds. */
  readonly came: number[] = [];
  readonly taken: string[] = [];
  /** What was sent to prove who we are. */
  readonly authorizations = new Set<string | undefined>();
  mostAtATime = 0;
  mostSent = 0;
  readonly #transport: Transport<Response>;
  readonly #behaviour: Behaviour<Response>;
  readonly #known = new Set<string>();
  readonly #sockets = new Set<Socket>();
  #atATime = 0;
  #tls: TlsOptions | undefined;
  #server: Server | undefined;
  #port = 0;

  constructor(transport: Transport<Response>, behaviour: Behaviour<Response>) {
    this.#transport = transport;
    this.#behaviour = behaviour;
  }

  get url(): string {
    return `${this.#transport.scheme}${this.#tls ? "s" : ""}://127.0.0.1:${this.#port}`;
  }

  /** At the same port as before, with a certificate if one is given now or was given before. */
  async listen(tls = this.#tls): Promise<void> {
    this.#tls = tls;
    this.#server = this.#transport.open(this, tls);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#port = await listenLocally(this.#server, this.#port);
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  begins(): void {
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#atATime);
  }

  ends(sentBytes: number): void {
    this.#atATime--;
    this.mostSent = Math.max(this.mostSent, sentBytes);
  }

  answer(request: TroubledRequest, response: Response): boolean {
    this.authorizations.add(request.headers.authorization);
    const ids = this.#behaviour.idsIn(request);
    if (!ids) return false;
    this.came.push(performance.now());
    const take = (): void => this.#take(ids);
    if (this.fault) {
      this.faults++;
      this.fault(response, request, take);
      return true;
    }
    take();
    this.#behaviour.thanks(request, response);
    return true;
  }

  #take(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#behaviour.isIdempotent && this.#known.has(id)) continue;
      this.#known.add(id);
      this.taken.push(id);
    }
  }
}

/** A protocol between outputs and servers, and what can go wrong in it. */
export interface Transport<Response> {
  readonly scheme: "http" | "grpc";
  /** A server that does not listen yet. */
  open(desk: Desk<Response>, tls: TlsOptions | undefined): Server;
  /** All of these are waited for. */
  readonly passing: Readonly<Record<string, Fault<Response>>>;
  /** And these: nothing ends them but the sender's patience. */
  readonly hanging: Readonly<Record<string, Fault<Response>>>;
  /** It has taken what it was sent, and answers so. */
  readonly oddThanks: Readonly<Record<string, (response: Response) => void>>;
  tooLarge(response: Response): void;
  /** To come again after one or two seconds, by how that is said. */
  readonly busy: Readonly<Record<string, (response: Response) => void>>;
  /** For longer than anybody would wait. */
  busyForEver(response: Response): void;
  /** To another address, in each way that there is. */
  redirects(location: string): readonly Fault<Response>[];
}

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
