// Every server of a test listens here.

import type { AddressInfo, Server } from "node:net";

/** On this machine only, at a free port unless told otherwise; gives the port. */
export async function listenLocally(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port; // a TCP server's address is never a string
}
