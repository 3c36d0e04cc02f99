// A library that is an ES module passes no channel where it is imported. Which file it is is seen when Node looks
// for it; what it exports is had by importing that file once more. That has to wait until the app has run it: asked
// for earlier, it would run before what the app imports ahead of it. It has at the first connection that a server
// takes, and what comes over that is not read before the import is done.

import type Module from "node:module";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { fileURLToPath } from "node:url";
import { messageOf, tell } from "../tell.ts";

export interface Awaited {
  readonly library: string;
  /** Whether the app has begun to run it. */
  readonly isRunning: () => boolean;
  readonly loaded: (file: string, exports: unknown) => void;
}

/** Costs the search for each module a call until it is for the library, so it is only for apps that have it. */
export function watchImport(awaited: Awaited): void {
  const { registerHooks }: Partial<typeof Module> = process.getBuiltinModule("node:module");
  const hooks = registerHooks?.({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      if (specifier !== awaited.library) return found;
      hooks?.deregister();
      // A `require` of it is told of as any other.
      if (context.conditions.includes("import")) loadAtConnection(found.url, awaited);
      return found;
    },
  });
}

function loadAtConnection(url: string, { library, isRunning, loaded }: Awaited): void {
  const load = async (): Promise<void> => {
    try {
      loaded(fileURLToPath(url), await import(url));
    } catch (error) {
      tell(`${library} is not instrumented: ${messageOf(error)}`);
    }
  };
  const onConnection = (): void => {
    if (!isRunning()) return; // a server of ours, for Prometheus, is there before the app's modules
    unsubscribe(channel, onConnection);
    void load();
  };
  subscribe(channel, onConnection);
}

const channel = "net.server.socket";
