// Listening, with a message that says what to do when a port cannot be had.

import type { AddressInfo, Server } from "node:net";

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** The setting that the port came from, to name it in an error. */
  readonly setting: string;
}

/** Resolves to the port, which the system chose where 0 was asked for. */
export function listen(server: Server, { host, port, setting }: Listening): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      reject(new Error(explainListening(error, { host, port, setting })));
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port); // a TCP server's address is never a string
    });
  });
}

export function explainListening(
  { code, message }: { readonly code?: string | undefined; readonly message: string },
  { host, port, setting }: Listening,
): string {
  const what = `${setting}: cannot listen on ${host}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return `${what}, the port is taken; stop what listens there or set ${setting} to another port, 0 or off`;
    case "EACCES":
      return `${what}, permission denied; set ${setting} to a port above 1023`;
    case "EADDRNOTAVAIL":
      return `${what}, this machine has no such address; set host to one that it has`;
    default:
      return `${what}: ${message}`;
  }
}

/** As it stands in a URL: IPv6 in brackets. */
export function authority(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
