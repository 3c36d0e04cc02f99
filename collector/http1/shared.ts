// What the connections of one server have in common.

import type { Gathering } from "../memory/gathering.ts";
import type { Application } from "./application.ts";
import type { Limits } from "./limits.ts";

export interface Shared {
  readonly application: Application;
  readonly limits: Limits;
  /** For requests that come in several pieces. */
  readonly gathering: Gathering;
  /** Moves once a tick, which is exact enough for limits of seconds. */
  nowMs: number;
  /** For the header. */
  date: string;
  /** What all connections together keep of requests that are not being taken yet. */
  unreadBytes: number;
}
