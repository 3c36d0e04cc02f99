// The events of requests and responses, told to whoever traces them, and run in the right context: they
// come from a parser or a socket that belongs to a connection, and so in the context of whatever happened
// to open it. Changed are the prototypes' `emit`; the objects only carry a mark. Nothing listens, because a
// listener of ours would change what Node does: an unread response is dumped only if nobody listens for it.

import type { EventEmitter } from "node:events";
import type { Context } from "@opentelemetry/api";
import { messageOf, tell } from "../tell.ts";
import { contextsInUse } from "../trace/context.ts";

/** On what is heard: requests and responses of either side. */
export const hearerKey = Symbol("sonde.hearer");

export interface Hearer {
  /** What the app's listeners run in. */
  readonly context: Context;
  /** Called before the app's listeners are. */
  hear(event: string | symbol, source: object, detail: unknown): void;
}

export type Emit = (this: object, event: string | symbol, ...args: unknown[]) => boolean;

export interface Marked {
  [hearerKey]?: Hearer | undefined;
}

const heard = new WeakSet<object>();

export function hearEvents(prototype: object): void {
  if (heard.has(prototype)) return;
  heard.add(prototype);
  const contexts = contextsInUse();
  replaceMethod<Emit>(prototype, "emit", (original) => {
    return function emit(this: object, event, ...args) {
      const source = this as EventEmitter & Marked; // whose prototype it is
      const hearer = source[hearerKey];
      if (hearer === undefined) return original.call(this, event, ...args);
      let scope: Context | undefined;
      try {
        hearer.hear(event, this, args[0]);
        const isHeard = source.listenerCount(event) > 0; // by nobody, most often
        if (isHeard && contexts.active() !== hearer.context) scope = hearer.context;
      } catch (error) {
        tell(`tracing HTTP failed: ${messageOf(error)}`);
      }
      if (scope === undefined) return original.call(this, event, ...args);
      return contexts.with(scope, emitOn, undefined, original, this, event, args);
    };
  });
}

/** Not enumerable, as methods are; its name and number of arguments are for the new one to keep. */
export function replaceMethod<Method>(
  prototype: object,
  name: string,
  replace: (original: Method) => Method,
): void {
  const original = Reflect.get(prototype, name) as Method; // by whoever names it
  Object.defineProperty(prototype, name, {
    value: replace(original),
    writable: true,
    configurable: true,
  });
}

/** A function of its own, so that running in a context needs no closure. */
export function emitOn(
  emit: Emit,
  source: object,
  event: string | symbol,
  args: readonly unknown[],
): boolean {
  return emit.call(source, event, ...args);
}
