// The answer to a request for another protocol, or for a tunnel, which the app writes on the bare socket.
// The request is over with the first line of it; what the connection does after that is no part of it.

import type { Socket } from "node:net";
import type { Exchange } from "./http-exchange.ts";

export function watchHandshake(socket: Socket, exchange: Exchange): void {
  const names = ["write", "end"] as const;
  const forget = (): void => {
    for (const name of names) Reflect.deleteProperty(socket, name);
    socket.removeListener("close", onClose);
  };
  const onClose = (): void => {
    forget();
    exchange.end(undefined, "aborted");
  };
  // A method on the object itself is somebody else's, and ours would end with theirs lost.
  if (names.some((name) => Object.hasOwn(socket, name))) {
    exchange.end(undefined);
    return;
  }
  for (const name of names) {
    const original = socket[name] as (this: Socket, ...args: unknown[]) => unknown;
    Object.defineProperty(socket, name, {
      value: function (this: Socket, ...args: unknown[]) {
        const status = statusOf(args[0]);
        if (status !== undefined) {
          forget();
          exchange.end(status);
        }
        return original.apply(this, args);
      },
      writable: true,
      configurable: true,
    });
  }
  socket.on("close", onClose);
}

/** Of the beginning of a message, unless it is an interim answer. */
function statusOf(chunk: unknown): number | undefined {
  const isText = typeof chunk === "string" || chunk instanceof Uint8Array;
  const text = isText ? Buffer.from(chunk.slice(0, 16)).toString("latin1") : "";
  const status = Number(/^HTTP\/\d\.\d (\d{3})/.exec(text)?.[1]);
  return status === 101 || status >= 200 ? status : undefined;
}
