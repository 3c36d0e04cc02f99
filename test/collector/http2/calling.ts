// A client of ours, and servers whose every frame is in a test's hands, for the tests of the client.

import { createServer, type Server } from "node:net";
import { GrpcClient, type GrpcClientOptions } from "../../../collector/http2/client.ts";
import type { GrpcAnswer, GrpcRequest } from "../../../collector/http2/client-call.ts";
import { encodeHeaders, type Header } from "../../../collector/http2/header-encoder.ts";
import { frameTypes } from "../../../collector/http2/protocol.ts";
import { data, headers, message, RawPeer, type Setting, settings } from "../../support/http2.ts";
import { listenLocally } from "../../support/listen.ts";
import { until } from "../../support/until.ts";

const never = new AbortController().signal;
const head = encodeHeaders([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/echo"],
  [":authority", "localhost"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
]);

/** Called after the test, the last first. */
export const closing: (() => void)[] = [];

/** What a test has opened. */
export function closeAll(): void {
  for (const close of closing.splice(0).toReversed()) close();
}

export async function listening(server: Server, port = 0): Promise<number> {
  closing.push(() => server.close());
  return await listenLocally(server, port);
}

export function clientTo(port: number, more: Partial<GrpcClientOptions> = {}): GrpcClient {
  const client = new GrpcClient({ host: "127.0.0.1", port, probeMs: 200, ...more });
  closing.push(() => client.close());
  return client;
}

export const call = (client: GrpcClient, more: Partial<GrpcRequest> = {}): Promise<GrpcAnswer> =>
  client.call({
    head,
    parts: [Buffer.from("hello")],
    isCompressed: false,
    timeoutMs: 5_000,
    signal: never,
    ...more,
  });

/** A server whose every connection is in the test's hands, and a client to it. */
export async function scripted(
  ...ours: Setting[]
): Promise<{ client: GrpcClient; peers: RawPeer[]; peer: () => Promise<RawPeer> }> {
  const peers: RawPeer[] = [];
  const server = createServer((socket) => {
    const peer = new RawPeer(socket, { isServer: true });
    peer.send(settings(...ours));
    peers.push(peer);
    closing.push(() => socket.destroy());
  });
  const client = clientTo(await listening(server));
  return { client, peers, peer: () => until("a connection", () => peers.at(-1)) };
}

export const isHeaders = (stream: number) => (seen: { type: number; stream: number }) =>
  seen.type === frameTypes.headers && seen.stream === stream;
export const okHead: readonly Header[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
export const ok = (stream: number, text = "fine"): Buffer =>
  Buffer.concat([
    headers(stream, okHead),
    data(stream, message(Buffer.from(text))),
    headers(stream, [["grpc-status", "0"]], 0x5),
  ]);
export const isOk = { kind: "answered", status: { code: 0 } };
