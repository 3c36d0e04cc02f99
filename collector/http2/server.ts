// A gRPC server of unary calls over whatever connections it is given: plain or after TLS.

import type { Socket } from "node:net";
import { Gathering } from "../memory/gathering.ts";
import { LentReads } from "../sockets/lent-reads.ts";
import type { GrpcService } from "./grpc-service.ts";
import { ServerConnection } from "./server-connection.ts";
import { type ServerLimits, usualServerLimits } from "./server-limits.ts";

export class GrpcServer {
  readonly #service: GrpcService;
  readonly #limits: ServerLimits;
  readonly #reads = new LentReads();
  readonly #gathering: Gathering;
  readonly #connections = new Set<ServerConnection>();
  readonly #ticking: NodeJS.Timeout;
  #idle: (() => void) | undefined;

  constructor(service: GrpcService, limits = usualServerLimits, gathering = new Gathering()) {
    this.#service = service;
    this.#limits = limits;
    this.#gathering = gathering;
    this.#ticking = setInterval(() => this.#tick(), limits.tickMs).unref();
  }

  get connections(): number {
    return this.#connections.size;
  }

  accept(given: Socket): void {
    const socket = this.#reads.take(given);
    if (this.#connections.size >= this.#limits.maxConnections || this.#idle) {
      socket.on("error", () => {}); // nobody is there who wants to know
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const connection: ServerConnection = new ServerConnection(socket, {
      service: this.#service,
      limits: this.#limits,
      gathering: this.#gathering,
      closed: () => this.#closed(connection),
    });
    this.#connections.add(connection);
  }

  /** Resolves when all calls are answered and their connections closed, or cut at the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    const idle = new Promise<void>((resolve) => (this.#idle = resolve));
    if (this.#connections.size === 0) this.#idle?.();
    const cut = (): void => {
      for (const connection of this.#connections) connection.destroy("stopped");
    };
    if (deadline.aborted) cut();
    else deadline.addEventListener("abort", cut, { once: true });
    for (const connection of this.#connections) connection.drain();
    await idle;
    deadline.removeEventListener("abort", cut);
    clearInterval(this.#ticking);
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.tick(nowMs);
  }

  #closed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#idle?.();
  }
}
