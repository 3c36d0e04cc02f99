// A gRPC server in trouble, frame by frame, so that what it sends may be wrong in any way.

import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { grpcCodes, headersOfStatus } from "../../collector/http2/grpc-status.ts";
import type { Header } from "../../collector/http2/header-encoder.ts";
import { frameTypes } from "../../collector/http2/protocol.ts";
import { encodeStatus } from "../../collector/receive/rpc-status.ts";
import {
  data,
  frame,
  headers,
  message,
  RawPeer,
  reset,
  type Seen,
  settings,
  uint32,
  windowUpdate,
} from "./http2.ts";
import type { Desk, Transport } from "./troubled-server.ts";

const ok: Header = [":status", "200"];
const grpc: Header = ["content-type", "application/grpc"];

/** One call, to be answered. */
export class TroubledCall {
  readonly id: number;
  readonly socket: Socket;
  /** Nobody waits for its answer any more. */
  isOver = false;
  sentBytes = 0;
  readonly head: NonNullable<Seen["headers"]>;
  readonly parts: Buffer[] = [];
  readonly #over: (call: TroubledCall) => void;

  constructor(id: number, socket: Socket, given: Pick<Required<Seen>, "headers"> & OnOver) {
    this.id = id;
    this.socket = socket;
    this.head = given.headers;
    this.#over = given.over;
  }

  send(...frames: readonly Buffer[]): void {
    const bytes = Buffer.concat(frames);
    this.sentBytes += bytes.length;
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** These headers, and the end. */
  end(...list: readonly Header[]): void {
    this.over();
    this.send(headers(this.id, list, 0x5));
  }

  /** As gRPC ends a call, here without an answer before it. */
  status(code: number, retryAfterS?: number): void {
    const whole = { code, message: "because", ...(retryAfterS ? { retryAfterS } : {}) };
    this.end(ok, grpc, ...headersOfStatus({ ...whole, details: encodeStatus(whole) }));
  }

  reset(code: number): void {
    this.over();
    this.send(reset(this.id, code));
  }

  over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#over(this);
  }
}

interface OnOver {
  readonly over: (call: TroubledCall) => void;
}

function accept(desk: Desk<TroubledCall>, socket: Socket): void {
  const peer = new RawPeer(socket, { isServer: true });
  const calls = new Map<number, TroubledCall>();
  peer.send(settings([4, 1 << 24]), windowUpdate(0, 1 << 30));
  let read = 0;
  socket.on("data", () => {
    for (; read < peer.seen.length; read++) take(peer.seen[read]!, calls, { desk, socket });
  });
  socket.on("close", () => {
    for (const call of calls.values()) call.over();
  });
}

function take(
  { type, stream, flags, payload, headers: given }: Seen,
  calls: Map<number, TroubledCall>,
  { desk, socket }: { readonly desk: Desk<TroubledCall>; readonly socket: Socket },
): void {
  if (given) {
    desk.begins();
    const over = (call: TroubledCall): void => {
      calls.delete(call.id);
      desk.ends(call.sentBytes);
    };
    calls.set(stream, new TroubledCall(stream, socket, { headers: given, over }));
  }
  const call = calls.get(stream);
  if (!call) return;
  if (type === frameTypes.reset) call.over();
  if (type !== frameTypes.data) return;
  call.parts.push(payload);
  if ((flags & 1) === 0) return;
  const { ":method": method = "", ":path": path = "", ...others } = call.head;
  const body = Buffer.concat(call.parts).subarray(message(Buffer.alloc(0)).length);
  desk.answer({ method, path, headers: others, body }, call);
}

/** The whole answer of a server that is well. */
export function thank(call: TroubledCall): void {
  call.send(headers(call.id, [ok, grpc]), data(call.id, message(Buffer.alloc(0))));
  call.end(["grpc-status", "0"]);
}

function begin(call: TroubledCall): void {
  call.send(headers(call.id, [ok, grpc]));
}

/** However little of it is wanted: whoever sends so does not heed windows either. */
function endless(call: TroubledCall): void {
  begin(call);
  const more = (): void => {
    if (call.isOver || call.socket.destroyed) return;
    call.send(data(call.id, Buffer.alloc(16 << 10, 1)));
    setImmediate(more);
  };
  more();
}

function dripping(call: TroubledCall): void {
  begin(call);
  const timer = setInterval(() => {
    if (call.isOver || call.socket.destroyed) clearInterval(timer);
    else call.send(data(call.id, Buffer.alloc(1)));
  }, 30);
}

function goodbye(call: TroubledCall): void {
  call.send(frame(frameTypes.goaway, 0, 0, uint32(0, 0)));
  call.socket.end();
}

/** One of each kind: that each code is of its kind is said in otlp-grpc-sender.test.ts. */
const statuses = [
  "deadlineExceeded",
  "internal",
  "permissionDenied",
  "unauthenticated",
  "unavailable",
  "unimplemented",
] as const;

/** Of what stands before the server and speaks HTTP only. */
const ofProxies = [401, 404, 429, 500, 503];

export const overGrpc: Transport<TroubledCall> = {
  scheme: "grpc",
  open(desk, tls) {
    const connected = accept.bind(undefined, desk);
    return tls
      ? createTlsServer({ ...tls, ALPNProtocols: ["h2"] }, connected)
      : createServer(connected);
  },
  passing: {
    "resets the connection": ({ socket }) => socket.resetAndDestroy(),
    "closes the connection": ({ socket }) => socket.end(),
    "says goodbye to what it has not looked at": goodbye,
    "resets the call": (call) => call.reset(2),
    "refuses the call": (call) => call.reset(7),
    "answers garbage": ({ socket }) => socket.end("\0garbage\r\n\r\n"),
    "answers by HTTP/1.1": ({ socket }) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "answers without end": endless,
    "answers without a status": (call) => {
      begin(call);
      call.end(["x-trailer", "1"]);
    },
    "answers with a status that is no number": (call) => call.end(ok, grpc, ["grpc-status", "?"]),
    ...Object.fromEntries(
      ofProxies.map((code) => [
        `answers ${code}, and nothing of gRPC`,
        (call: TroubledCall) => call.end([":status", String(code)]),
      ]),
    ),
    ...Object.fromEntries(
      statuses.map((name) => [
        `answers ${name}`,
        (call: TroubledCall) => call.status(grpcCodes[name]),
      ]),
    ),
  },
  hanging: {
    "never answers": () => {},
    "begins an answer and says no more": begin,
    "answers a byte at a time": dripping,
  },
  oddThanks: {
    "takes all and resets the connection": ({ socket }) => socket.resetAndDestroy(),
    "takes all and resets the call": (call) => call.reset(2),
    "takes all and answers without end": endless,
    "takes all and answers a byte at a time": dripping,
    "takes all and answers without a status": (call) => {
      call.send(headers(call.id, [ok, grpc]), data(call.id, message(Buffer.alloc(0))));
      call.end(["x-trailer", "1"]);
    },
  },
  tooLarge: (call) => call.status(grpcCodes.resourceExhausted),
  busy: {
    "of a server": (call) => call.status(grpcCodes.unavailable, 1),
    "of a quota": (call) => call.status(grpcCodes.resourceExhausted, 1),
  },
  busyForEver: (call) => call.status(grpcCodes.unavailable, 999_999_999),
  redirects: (location) =>
    ["301", "302", "307", "308"].map((code) => (call) => {
      call.end([":status", code], ["location", location]);
    }),
};
