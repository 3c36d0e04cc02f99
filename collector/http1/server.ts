// A small HTTP/1.1 server over plain sockets, for those who take many requests: measured on one CPU,
// node:http spends more on taking and answering a small request than all else that is done with it.

import type { Server, Socket } from "node:net";
import type { Access } from "../access.ts";
import { listen, type Listening } from "../listen.ts";
import type { Application } from "./application.ts";
import { Gathering } from "../memory/gathering.ts";
import { LentReads } from "../sockets/lent-reads.ts";
import { Connection } from "./connection.ts";
import { type Limits, usualLimits } from "./limits.ts";
import { replies } from "./reply.ts";
import type { Shared } from "./shared.ts";

export interface Http1Options {
  readonly where: Listening;
  readonly access: Access;
  readonly application: Application;
  readonly limits?: Partial<Limits>;
  readonly gathering?: Gathering;
}

export interface Http1Server {
  readonly port: number;
  readonly connections: number;
  /** Takes no new requests and resolves when those under way are answered, or the deadline has come. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Those that are being refused, or are not through their TLS handshake yet. */
const spareConnections = 256;
/** A connection that has idled for less may be about to send. */
const settledMs = 1_000;

export async function startHttp1(options: Http1Options): Promise<Http1Server> {
  const { access, application, where, gathering = new Gathering() } = options;
  const limits = { ...usualLimits, ...options.limits };
  const server = access.createServer(["http/1.1"]);
  const shared: Shared = { application, limits, gathering, unreadBytes: 0, ...present() };
  const connections = new Connections(shared);
  server.on(access.connectionEvent, (socket: Socket) => connections.add(socket));
  if (access.isTls) server.on("connection", (socket: Socket) => connections.addRaw(socket));
  server.on("tlsClientError", () => {}); // the connection is closed already
  const port = await listen(server, where);
  server.on("error", () => {}); // such as too many open files: it goes on listening
  const timer = setInterval(() => {
    Object.assign(shared, present());
    connections.check();
  }, limits.tickMs);
  timer.unref();
  return {
    port,
    get connections() {
      return connections.count;
    },
    stop: (deadline) => stop(server, connections, deadline).finally(() => clearInterval(timer)),
  };
}

function present(): Pick<Shared, "nowMs" | "date"> {
  return { nowMs: performance.now(), date: new Date().toUTCString() };
}

class Connections {
  readonly #shared: Shared;
  readonly #all = new Set<Connection>();
  readonly #raw = new Set<Socket>();
  readonly #reads = new LentReads();
  #isStopping = false;
  #whenNone: (() => void) | undefined;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  get count(): number {
    return this.#all.size;
  }

  add(given: Socket): void {
    const { maxConnections } = this.#shared.limits;
    const socket = this.#reads.take(given);
    const connection = new Connection(socket, this.#shared);
    const isFull = this.#all.size >= maxConnections && !this.#makeRoom();
    this.#all.add(connection);
    socket.once("close", () => this.#delete(connection));
    if (this.#all.size > maxConnections + spareConnections) {
      socket.destroy(); // there are too many even to be answered
      return;
    }
    if (this.#isStopping) connection.retire();
    else if (isFull) connection.giveUp(replies.full);
  }

  /** Before TLS: known only so that those in a handshake can be cut off. */
  addRaw(socket: Socket): void {
    this.#raw.add(socket);
    socket.once("close", () => this.#raw.delete(socket));
  }

  check(): void {
    for (const connection of this.#all) connection.check();
  }

  retire(): void {
    this.#isStopping = true;
    for (const connection of this.#all) connection.retire();
  }

  destroy(): void {
    for (const connection of this.#all) connection.destroy();
    for (const socket of this.#raw) socket.destroy();
  }

  /** Closes the connection that has idled longest, first of all one that never said anything. */
  #makeRoom(): boolean {
    let oldest: Connection | undefined;
    let oldestMs = this.#shared.nowMs - settledMs;
    for (const connection of this.#all) {
      const { idleSinceMs = Infinity, hasSpoken } = connection;
      if (idleSinceMs >= oldestMs) continue;
      oldest = connection;
      if (!hasSpoken) break;
      oldestMs = idleSinceMs;
    }
    if (!oldest) return false;
    oldest.destroy();
    this.#all.delete(oldest);
    return true;
  }

  /** When the last one is closed. */
  none(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenNone = resolve;
      if (this.#all.size === 0) resolve();
    });
  }

  #delete(connection: Connection): void {
    this.#all.delete(connection);
    if (this.#all.size === 0) this.#whenNone?.();
  }
}

async function stop(
  server: Server,
  connections: Connections,
  deadline: AbortSignal,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  connections.retire();
  const cut = (): void => connections.destroy();
  if (deadline.aborted) cut();
  deadline.addEventListener("abort", cut, { once: true });
  await closed;
  await connections.none();
  deadline.removeEventListener("abort", cut);
}
