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
    // What is only passed on, V8 makes no array of.
    return function emit(this: object, event, ...args) {
      const source = this as EventEmitter & Marked; // whose prototype it is
      const scope = source[hearerKey] && hear(source, event, args[0]);
      if (scope === undefined) return original.call(this, event, ...args);
      return contexts.with(scope, original, this, event, ...args);
    };
  });
}

/** Gives the context for the app's listeners, if there are any and they are not in it anyway. */
function hear(
  source: EventEmitter & Marked,
  event: string | symbol,
  detail: unknown,
): Context | undefined {
  try {
    const hearer = source[hearerKey]!;
    hearer.hear(event, source, detail);
    // Asked first, because it is what most events come in, and counting takes longer.
    if (contextsInUse().active() === hearer.context) return undefined;
    const listeners = source.listenerCount(event);
    if (listeners === 0 || (listeners === 1 && event === "end" && isNodesAlone(source))) {
      return undefined;
    }
    return hearer.context;
  } catch (error) {
    tell(`tracing HTTP failed: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * Node's own listener for the end of a request whose body the app has left unread. It needs no context, and to
 * run it in one is a tenth of what we cost a server that does nothing else.
 */
let nodesListener: ReturnType<EventEmitter["listeners"]>[number] | undefined;

function isNodesAlone(request: EventEmitter): boolean {
  if (nodesListener === undefined) {
    const [only] = request.listeners("end");
    if (only?.name !== "clearIncoming") return false;
    nodesListener = only;
  }
  return request.listenerCount("end", nodesListener) === 1;
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
