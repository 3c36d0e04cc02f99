// What a client may take of the server's time and memory.

export interface Limits {
  readonly maxConnections: number;
  /** Requests of one connection whose answers are due; the next are not read meanwhile. */
  readonly maxPipelined: number;
  /** Of all connections together: parts of heads, and what was read of requests that have to wait. */
  readonly maxUnreadBytes: number;
  /** Answers that a client does not read; past it, it is not read from either. */
  readonly maxUnsentBytes: number;
  /** From the first byte of a head to its last, and from connecting to the first byte. */
  readonly headMs: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** In every such time a body must bring `minPaceBytes`. */
  readonly paceMs: number;
  readonly minPaceBytes: number;
  /** Between requests. Longer than the intervals of SDKs, so that none meets a closing connection. */
  readonly idleMs: number;
  /** Without the client reading anything of what it was answered. */
  readonly stallMs: number;
  /** After the last answer, for the client to read it and to close. */
  readonly lingerMs: number;
  /** All of these are looked at so often. */
  readonly tickMs: number;
}

export const usualLimits: Limits = {
  maxConnections: 10_000,
  maxPipelined: 16,
  maxUnreadBytes: 32 << 20,
  maxUnsentBytes: 16 << 10,
  headMs: 20_000,
  requestMs: 60_000,
  paceMs: 10_000,
  minPaceBytes: 10_240,
  idleMs: 75_000,
  stallMs: 30_000,
  lingerMs: 5_000,
  tickMs: 1_000,
};

/** A rest of a refused body up to this is read and thrown away, so that the connection can be kept. */
export const maxDiscardedBytes = 65_536;
