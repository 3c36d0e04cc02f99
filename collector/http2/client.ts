// A gRPC client of unary calls to one server: one connection, made when it is needed and again when it is
// lost. It tries nothing twice; that is for its caller, who knows what a second try may do.

import { connect, isIP } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { ClientCall, type GrpcAnswer, type GrpcRequest } from "./client-call.ts";
import { ClientConnection, type ConnectionEvents } from "./client-connection.ts";

export interface GrpcClientOptions {
  readonly host: string;
  readonly port: number;
  /** With TLS if given; asked for each connection, so that certificates may change. */
  readonly tls?: (() => ConnectionOptions) | undefined;
  /** How long a ping may take that is sent when a call has run out of time without a word. */
  readonly probeMs?: number;
}

/** For the system to find the server, and for the server to speak HTTP/2. */
const connectMs = 20_000;
const tcpKeepaliveMs = 60_000;

export class GrpcClient {
  readonly #options: GrpcClientOptions;
  #connection: ClientConnection | undefined;
  /** Left to come to their end. */
  readonly #leaving = new Set<ClientConnection>();
  readonly #waiting = new Set<ClientCall>();
  readonly #owners = new WeakMap<ClientCall, ClientConnection>();
  #isClosed = false;

  constructor(options: GrpcClientOptions) {
    this.#options = options;
  }

  call(request: GrpcRequest): Promise<GrpcAnswer> {
    return new Promise((resolve) => {
      if (request.signal.aborted || this.#isClosed) {
        resolve({ kind: "failed", reason: "unreachable", detail: "given up" });
        return;
      }
      const call = new ClientCall(request, resolve, (cut, why) => {
        this.#waiting.delete(cut);
        this.#owners.get(cut)?.cancel(cut, why);
      });
      this.#waiting.add(call);
      this.#advance();
    });
  }

  /** Calls under way fail. */
  close(): void {
    this.#isClosed = true;
    this.#failWaiting("closed");
    const connections = [...this.#leaving, ...(this.#connection ? [this.#connection] : [])];
    for (const connection of connections) connection.destroy("closed");
  }

  #advance(): void {
    if (this.#waiting.size === 0 || this.#isClosed) return;
    const connection = (this.#connection ??= this.#connect());
    for (const call of this.#waiting) {
      if (!connection.hasRoom) return;
      if (call.request.signal.aborted) continue; // given up together with the one that made room
      this.#waiting.delete(call);
      this.#owners.set(call, connection);
      connection.begin(call);
    }
  }

  #failWaiting(why: string): void {
    for (const call of this.#waiting) call.fail("unreachable", why);
    this.#waiting.clear();
  }

  #connect(): ClientConnection {
    const { host, port, tls, probeMs } = this.#options;
    const socket = tls
      ? connectTls({ ALPNProtocols: ["h2"], ...serverName(host), ...tls(), host, port })
      : connect({ host, port });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, tcpKeepaliveMs);
    const events: ConnectionEvents = {
      hasRoom: () => this.#advance(),
      closing: (reason) => {
        this.#leaving.add(connection);
        this.#lost(connection, reason);
      },
      closed: (reason) => {
        clearTimeout(late);
        this.#leaving.delete(connection);
        this.#lost(connection, reason);
      },
    };
    const connection = new ClientConnection(socket, events, probeMs);
    const late = setTimeout(() => {
      if (!connection.isSettled) connection.destroy(`no connection within ${connectMs} ms`);
    }, connectMs).unref();
    if (tls) socket.once("secureConnect", () => connection.start());
    else connection.start();
    return connection;
  }

  #lost(connection: ClientConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    // A server that takes no calls is not asked again at once.
    if (connection.wasUsed) this.#advance();
    else this.#failWaiting(reason);
  }
}

/** The name that the server proves to be; an address cannot be asked for. */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
