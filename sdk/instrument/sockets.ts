// How many WebSockets are open, and the messages that go through them: of the library ws, over which most
// others speak, and of socket.io, which has other ways too. Four methods of a prototype are changed, and
// each adds to a number; nobody has defined names for these metrics yet, so they are ours.

import { createRequire } from "node:module";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Instrument, Measured, Reader } from "../metrics/reader.ts";
import { lateSources } from "../metrics/sources.ts";
import { replaceMethod } from "./http-events.ts";

export const socketInstruments = {
  wsConnections: {
    name: "websocket.connections",
    description: "Number of open WebSocket connections.",
    unit: "{connection}",
  },
  wsMessages: {
    name: "websocket.messages",
    description: "Number of messages that went through WebSocket connections.",
    unit: "{message}",
  },
  ioConnections: {
    name: "socketio.connections",
    description: "Number of connected sockets of socket.io's server, over whatever transport.",
    unit: "{connection}",
  },
  ioMessages: {
    name: "socketio.messages",
    description: "Number of events that sockets of socket.io's server received or sent.",
    unit: "{message}",
  },
} satisfies Readonly<Record<string, Instrument>>;

class Traffic {
  open = 0;
  received = 0;
  sent = 0;
  readonly #sockets = new WeakSet<object>();

  opened(socket: object): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    this.open++;
  }

  closed(socket: object): void {
    if (this.#sockets.delete(socket)) this.open--;
  }
}

type Method = (this: object, ...args: unknown[]) => unknown;
type Prototype = Record<string, unknown>;

const patched = new WeakSet<object>();

/** Whether it is a class with these methods that has not been changed yet. */
function prototypeOf(candidate: unknown, methods: readonly string[]): Prototype | undefined {
  if (typeof candidate !== "function") return undefined;
  const prototype = candidate.prototype as Prototype | undefined;
  if (prototype === undefined || patched.has(prototype)) return undefined;
  if (methods.some((name) => typeof prototype[name] !== "function")) return undefined;
  patched.add(prototype);
  return prototype;
}

/** The app's call goes on as it was. */
function before(
  prototype: Prototype,
  name: string,
  count: (socket: Socket, args: readonly unknown[]) => void,
) {
  replaceMethod<Method>(prototype, name, (original) => {
    return function (...args) {
      try {
        count(this, args);
      } catch {
        // What the app has given throws when it is looked at: one that is not counted.
      }
      return Reflect.apply(original, this, args);
    };
  });
}

/** Of both libraries what is looked at. */
interface Socket {
  readonly _isServer?: boolean;
  readonly readyState?: number;
  readonly connected?: boolean;
}

const servers = new Traffic();
const clients = new Traffic();
const isOpen = 1;

/** What `require` of the library gives, or `import` of each of its files. */
export function countWebSockets(exports: unknown): void {
  countClass(exports);
  // The last of them to be imported has required the class already, which nobody told of.
  if (prototypeOf(exports, ["completeUpgrade"])) {
    const { cache } = createRequire(import.meta.url);
    const server = Object.values(cache).find((module) => module?.exports === exports);
    const file = server?.filename.replace(/websocket-server\.js$/, "websocket.js");
    if (file !== undefined) countClass(cache[file]?.exports);
  }
}

function countClass(candidate: unknown): void {
  const prototype = prototypeOf(candidate, ["setSocket", "emitClose", "send", "emit"]);
  if (!prototype) return;
  before(prototype, "setSocket", (socket) => trafficOf(socket).opened(socket));
  before(prototype, "emitClose", (socket) => trafficOf(socket).closed(socket));
  before(prototype, "send", (socket, [, options]) => {
    const isPart = (options as { fin?: unknown } | undefined | null)?.fin === false;
    if (socket.readyState === isOpen && !isPart) trafficOf(socket).sent++;
  });
  before(prototype, "emit", (socket, [event]) => {
    if (event === "message") trafficOf(socket).received++;
  });
  lateSources.set("ws", (reader) => [
    reader.level(socketInstruments.wsConnections, [
      [servers.open, { "websocket.role": "server" }],
      [clients.open, { "websocket.role": "client" }],
    ]),
    reader.counter(socketInstruments.wsMessages, [
      ...directions(servers, { "websocket.role": "server" }),
      ...directions(clients, { "websocket.role": "client" }),
    ]),
  ]);
}

function trafficOf(socket: Socket): Traffic {
  return socket._isServer === true ? servers : clients;
}

const io = new Traffic();
/** PacketType.EVENT and PacketType.BINARY_EVENT. */
const events: ReadonlySet<unknown> = new Set([2, 5]);

export function countSocketIo(exports: unknown): void {
  const { Socket: constructor } = exports as { Socket?: unknown };
  const prototype = prototypeOf(constructor, ["_onconnect", "_onclose", "_onpacket", "emit"]);
  if (!prototype) return;
  before(prototype, "_onconnect", (socket) => io.opened(socket));
  before(prototype, "_onclose", (socket) => io.closed(socket));
  before(prototype, "_onpacket", (_socket, [packet]) => {
    if (events.has((packet as { type?: unknown } | undefined)?.type)) io.received++;
  });
  before(prototype, "emit", () => io.sent++);
  lateSources.set("socket.io", (reader: Reader): MetricData[] => [
    reader.level(socketInstruments.ioConnections, [[io.open]]),
    reader.counter(socketInstruments.ioMessages, directions(io, {})),
  ]);
}

function directions({ received, sent }: Traffic, of: Readonly<Record<string, string>>): Measured[] {
  return [
    [received, { ...of, "network.io.direction": "receive" }],
    [sent, { ...of, "network.io.direction": "transmit" }],
  ];
}
