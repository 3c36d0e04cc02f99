// Servers and bare connections of one test, closed after it.

import { once } from "node:events";
import * as http from "node:http";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export const cleanups: (() => void)[] = [];

export function closeAll(): void {
  for (const cleanup of cleanups.splice(0)) cleanup();
}

/** The port. */
export async function listen(server: http.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port; // it listens on TCP
}

export const serve = (handler: http.RequestListener): Promise<number> =>
  listen(http.createServer(handler));

/** So that a request is exactly what is written. */
export async function open(port: number): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  return { socket, text: () => text };
}

export const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, "Host: shop.example", ...headers, "", ""].join("\r\n");

/** For whoever cannot say which port it got. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  server.close();
  await once(server, "close");
  return port;
}
