// Who may come in: whether listeners speak TLS, and what a request must carry.

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

/** On loopback, where nobody asks. */
export const openAccess: Access = {
  isTls: false,
  createServer: () => createServer(),
  connectionEvent: "connection",
  allows: () => true,
};
