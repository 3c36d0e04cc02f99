// What a client may ask of a gRPC server, and for how long it is waited for.

export interface ServerLimits {
  readonly maxConnections: number;
  /** Calls under way on one connection; those that a client has given up count until they return. */
  readonly maxStreams: number;
  // What a client may send before it hears that it was taken; at least the 65,535 that it assumes. On the
  // connection it hears so at once, on a stream unless its message is a large one that has to wait for
  // its turn: so much of it is here by then.
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly headerListBytes: number;
  /** From the connection to the client's first words. */
  readonly firstSettingsMs: number;
  /** For one frame or header block. */
  readonly frameMs: number;
  /** For a whole request. */
  readonly messageMs: number;
  /** For the client to take an answer. */
  readonly answerMs: number;
  /** After so much silence it is asked whether it is there, and has so long to answer. */
  readonly keepaliveMs: number;
  readonly pongMs: number;
  /** Far longer than any interval at which metrics are sent. */
  readonly idleMs: number;
  /** How often all of these are looked at. */
  readonly tickMs: number;
}

const MiB = 1 << 20;

export const usualServerLimits: ServerLimits = {
  maxConnections: 4_096,
  maxStreams: 256,
  streamWindowBytes: MiB,
  connectionWindowBytes: 16 * MiB,
  headerListBytes: 16_384,
  firstSettingsMs: 10_000,
  frameMs: 60_000,
  messageMs: 60_000,
  answerMs: 30_000,
  keepaliveMs: 60_000,
  pongMs: 20_000,
  idleMs: 60 * 60_000,
  tickMs: 5_000,
};
