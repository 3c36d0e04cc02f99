// Who may come in: whether listeners speak TLS, and what a request must carry. Without settings for it
// everybody may, which is why the collector listens on loopback then; access/guard.ts is the other kind.

import {
  createServer as createHttpServer,
  type RequestListener,
  type ServerOptions,
} from "node:http";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";

export interface Access {
  /** For messages and ready lines. */
  readonly isTls: boolean;
  /** A server that hands every connection on once it is as safe as it must be: plain, or after TLS. */
  createServer(protocols: readonly string[]): Server;
  /** The event by which that server hands them on. */
  readonly connectionEvent: "connection" | "secureConnection";
  /** Whether a request with this authorization header may come in. */
  allows(authorization: string | undefined): boolean;
}

/** Also for listeners that leave HTTP to Node. */
export interface Gate extends Access {
  createHttpServer(options: ServerOptions, listener: RequestListener): HttpServer;
  /** Stops looking after files. */
  close(): void;
}

/** On loopback, where nobody asks. */
export const openAccess: Gate = {
  isTls: false,
  createServer: () => createServer({ noDelay: true }),
  connectionEvent: "connection",
  allows: () => true,
  createHttpServer: (options, listener) => createHttpServer(options, listener),
  close: () => {},
};

/** What a request without the right token is told. */
export const unauthorized = {
  status: 401,
  headers: { "www-authenticate": "Bearer" },
  why: "this needs the header authorization: Bearer, with the token that auth_token is set to",
} as const;
