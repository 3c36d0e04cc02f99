// A server of ours and a peer that speaks to it frame by frame, for the tests of the server.

import { expect } from "vitest";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import type { ServerLimits } from "../../../collector/http2/server-limits.ts";
import { type Echo, startEcho } from "../../support/grpc-echo.ts";
import { data, headers, message, RawPeer, type Setting } from "../../support/http2.ts";
import { until } from "../../support/until.ts";

export const post: readonly Header[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/echo"],
  [":authority", "x"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];

export const call = (stream: number, text = "hello"): Buffer =>
  Buffer.concat([headers(stream, post), data(stream, message(Buffer.from(text)), true)]);

// As they are after the last start.
export let serving: Serving;
export let echo: Echo;
export let peer: RawPeer;

/** With these settings of the peer. What was started before is stopped. */
export async function start(
  limits: Partial<ServerLimits> = {},
  ...ours: readonly Setting[]
): Promise<void> {
  await stop();
  serving = await Serving.start(limits, ...ours);
  ({ echo, peer } = serving);
}

export async function stop(): Promise<void> {
  await serving?.stop();
}

class Serving {
  readonly echo: Echo;
  readonly peer: RawPeer;

  private constructor(echo: Echo, peer: RawPeer) {
    this.echo = echo;
    this.peer = peer;
  }

  static async start(limits: Partial<ServerLimits>, ...ours: readonly Setting[]): Promise<Serving> {
    const echo = await startEcho(limits);
    return new Serving(echo, await RawPeer.client(echo.url, ...ours));
  }

  /** With nothing left of it: no connection, and no memory that is held. */
  async stop(): Promise<void> {
    this.peer.socket.destroy();
    await this.echo.close();
    await until("nothing is held", () => this.echo.service.heldBytes === 0);
    expect(this.echo.server.connections).toBe(0);
  }

  /** What the peer was answered with on this stream. */
  echoed(stream: number): string {
    const frames = this.peer.seen.filter((seen) => seen.stream === stream && seen.type === 0);
    return Buffer.concat(frames.map(({ payload }) => payload)).toString("utf8", 5);
  }

  async isServed(stream = 999): Promise<void> {
    this.peer.send(call(stream, `call ${stream}`));
    expect(await this.peer.answer(stream)).toMatchObject({ "grpc-status": "0" });
    expect(this.echoed(stream)).toBe(`call ${stream}`);
  }
}

export function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + sizes[turn % sizes.length]!;
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}
