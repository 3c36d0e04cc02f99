// The timer that ends an idle connection of a server is made as an answer is finished, in the
// context of its request, which it would keep, with its span, until the next request or for good.
// So it is made outside of all contexts: 32 busy connections had two thirds of what outlives a
// collection of V8's new objects.

import { AsyncResource } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { replaceMethod } from "./http-events.ts";

type SetTimeout = (this: object, ms: number, callback?: () => void) => unknown;

/** Between an answer's 'finish', in which Node makes the timer, and its 'close'. */
let finishing: Socket | null = null;

export function finishes(response: ServerResponse): void {
  finishing = response.socket;
}

export function hasFinished(): void {
  finishing = null;
}

/** To be called outside of all contexts, as the app starts. */
export function freeIdleConnections(): void {
  const { Socket } = process.getBuiltinModule("node:net");
  const outside = new AsyncResource("sonde.idle", { requireManualDestroy: true });
  replaceMethod<SetTimeout>(Socket.prototype, "setTimeout", (original) => {
    return function setTimeout(this: object, ms, callback) {
      // One that is told when the time is over is the app's own.
      const isNodes = this === finishing && callback === undefined;
      if (!isNodes) return original.call(this, ms, callback);
      finishing = null;
      return outside.runInAsyncScope(original, this, ms);
    };
  });
}
