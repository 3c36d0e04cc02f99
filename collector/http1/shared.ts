// What the connections of one server have in common.

import type { Buffers } from "../sockets/buffers.ts";
import type { Application } from "./application.ts";
import type { Limits } from "./limits.ts";

export interface Shared {
  readonly application: Application;
  readonly limits: Limits;
  readonly buffers: Buffers;
  /** Moves once a tick, which is exact enough for limits of seconds. */
  nowMs: number;
  /** For the header. */
  date: string;
  /** What all connections together keep of requests that are not being taken yet. */
  unreadBytes: number;
}
