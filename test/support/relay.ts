// Passes TCP connections on and counts what goes towards the server, so that a test sees how much a
// client really sends.

import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { listenLocally } from "./listen.ts";

export interface Relay {
  readonly url: string;
  /** Since the last time it was asked. */
  takeBytes(): number;
  close(): Promise<void>;
}

export async function startRelay(target: string): Promise<Relay> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((socket) => {
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.pipe(to);
    }
    socket.on("data", (chunk) => (bytes += chunk.length));
  });
  const ownPort = await listenLocally(server);
  return {
    url: `http://127.0.0.1:${ownPort}`,
    takeBytes() {
      const taken = bytes;
      bytes = 0;
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
