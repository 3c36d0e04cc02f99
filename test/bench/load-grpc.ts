// The sender's gRPC: unary calls over one HTTP/2 connection, many at a time. As much of HTTP/2 as a
// client needs that sends the same headers each time: they are written out once and named by number
// after that, as every client does it; of the answer only the grpc-status is looked at. It spends a
// seventh of what grpc-js does (25 of 178 µs a call of one span).

import { once } from "node:events";
import { connect as open, type Socket } from "node:net";
import type { Client, Clients } from "./load.ts";
import { numberOffsets } from "./spans.ts";

const headBytes = 9;
/** Of a frame, unless the server allows more; that of the Go collector does not. */
const frameBytes = 16_384;
const kinds = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
} as const;
const flags = { endStream: 1, acknowledge: 1, endHeaders: 4 } as const;

export function grpcClients({ url }: { readonly url: string }): Clients {
  const { hostname, port, host } = new URL(url);
  return {
    async connect() {
      const socket = open({ host: hostname, port: Number(port), noDelay: true });
      await once(socket, "connect");
      return new GrpcClient(socket, host);
    },
    pack: packInFrames,
  };
}

/** DATA frames, none of which ends within the number of a span. */
function packInFrames(request: Buffer): Buffer {
  const message = Buffer.concat([Buffer.alloc(5), request]);
  message.writeUInt32BE(request.length, 1);
  const offsets = numberOffsets(message, "traces");
  const parts: Buffer[] = [];
  for (let from = 0; from < message.length;) {
    let to = Math.min(from + frameBytes, message.length);
    const split = offsets.find((offset) => offset - 6 < to && to < offset + 4);
    if (split !== undefined) to = split - 6;
    const isLast = to === message.length;
    const kind = kinds.data;
    parts.push(frameHead({ length: to - from, kind, flags: isLast ? flags.endStream : 0 }));
    parts.push(message.subarray(from, to));
    from = to;
  }
  return Buffer.concat(parts);
}

interface Call {
  readonly frames: Buffer;
  readonly stream: number;
  /** How much of `frames` has been written. */
  written: number;
  window: number;
  resolve(isTaken: boolean): void;
  reject(error: Error): void;
}

class GrpcClient implements Client {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #calls = new Map<number, Call>();
  #nextStream = 1;
  #window = 65_535;
  #streamWindow = 65_535;
  #unread: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the collector closed a connection")));
    // No table for its headers, so that each answer can be read by itself; room for all of them.
    const settings = Buffer.from([0, 1, 0, 0, 0, 0]);
    const window = Buffer.alloc(4);
    window.writeUInt32BE(2 ** 30);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(frame({ kind: kinds.settings }, settings));
    socket.write(frame({ kind: kinds.window }, window));
  }

  send(frames: Buffer): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const stream = this.#nextStream;
      this.#nextStream += 2;
      const block = stream === 1 ? firstHeaders(this.#host) : laterHeaders;
      const kind = kinds.headers;
      this.#socket.cork();
      this.#socket.write(frame({ kind, flags: flags.endHeaders, stream }, block));
      const call = { frames, stream, written: 0, window: this.#streamWindow, resolve, reject };
      this.#calls.set(stream, call);
      this.#write(call);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.removeAllListeners("close").destroy();
  }

  /** As many whole frames as the windows let through; the rest when they open. */
  #write(call: Call): void {
    const { frames, stream, written } = call;
    let end = written;
    while (end < frames.length) {
      const length = frames.readUIntBE(end, 3);
      if (length > this.#window || length > call.window) break;
      this.#window -= length;
      call.window -= length;
      frames.writeUInt32BE(stream, end + 5);
      end += headBytes + length;
    }
    if (end === written) return;
    call.written = end;
    this.#socket.write(frames.subarray(written, end));
  }

  #read(chunk: Buffer): void {
    let bytes = this.#unread.length > 0 ? Buffer.concat([this.#unread, chunk]) : chunk;
    while (bytes.length >= headBytes) {
      const end = headBytes + bytes.readUIntBE(0, 3);
      if (bytes.length < end) break;
      this.#take(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#unread = bytes;
  }

  #take(frame: Buffer): void {
    const kind = frame[3];
    const isFlagged = (frame[4]! & 1) === 1;
    const stream = frame.readUInt32BE(5);
    const payload = frame.subarray(headBytes);
    switch (kind) {
      case kinds.headers:
        if (isFlagged) this.#answer(stream, statusIn(payload));
        break;
      case kinds.reset:
        this.#answer(stream, `reset ${payload.readUInt32BE(0)}`);
        break;
      case kinds.settings:
        if (!isFlagged) this.#apply(payload);
        break;
      case kinds.ping:
        if (!isFlagged) this.#acknowledge(kinds.ping, payload);
        break;
      case kinds.goAway:
        this.#fail(new Error("the collector said go away"));
        break;
      case kinds.window:
        this.#widen(stream, payload.readUInt32BE(0));
        break;
      default: // of no concern here
    }
  }

  #answer(stream: number, status: string): void {
    const call = this.#calls.get(stream);
    this.#calls.delete(stream);
    const [ok, exhausted, unavailable] = ["0", "8", "14"];
    if (status === ok) call?.resolve(true);
    else if (status === exhausted || status === unavailable) call?.resolve(false);
    else call?.reject(new Error(`the collector answered gRPC status ${status}`));
  }

  #apply(settings: Buffer): void {
    const initialWindow = 4;
    for (let at = 0; at < settings.length; at += 6) {
      if (settings.readUInt16BE(at) !== initialWindow) continue;
      const window = settings.readUInt32BE(at + 2);
      for (const call of this.#calls.values()) call.window += window - this.#streamWindow;
      this.#streamWindow = window;
    }
    this.#acknowledge(kinds.settings);
    this.#continue();
  }

  #acknowledge(kind: number, payload?: Buffer): void {
    this.#socket.write(frame({ kind, flags: flags.acknowledge }, payload));
  }

  #widen(stream: number, bytes: number): void {
    if (stream === 0) this.#window += bytes;
    else {
      const call = this.#calls.get(stream);
      if (call) call.window += bytes;
    }
    this.#continue();
  }

  #continue(): void {
    for (const call of this.#calls.values()) {
      if (call.written < call.frames.length) this.#write(call);
    }
  }

  #fail(error: Error): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

// ── frames ───────────────────────────────────────────────────────────────────────────────────────

interface FrameHead {
  readonly kind: number;
  readonly flags?: number;
  readonly stream?: number;
}

function frameHead({
  length,
  kind,
  flags = 0,
  stream = 0,
}: FrameHead & { length: number }): Buffer {
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUIntBE(length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head;
}

function frame(head: FrameHead, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([frameHead({ ...head, length: payload.length }), payload]);
}

// ── headers (HPACK) ──────────────────────────────────────────────────────────────────────────────

const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const post = 0x83;
const scheme = 0x86;

/** Those after the method and the scheme are remembered by the server, the last one as number 62. */
function firstHeaders(host: string): Buffer {
  const remembered = [
    literal(0x44, path),
    literal(0x41, host),
    literal(0x5f, "application/grpc"),
    literal(0x7a, "sonde-bench"),
    Buffer.concat([literal(0x40, "te"), text("trailers")]),
  ];
  return Buffer.concat([Buffer.from([post, scheme]), ...remembered]);
}

const laterHeaders = Buffer.from([
  post,
  scheme,
  0x80 | 66,
  0x80 | 65,
  0x80 | 64,
  0x80 | 63,
  0x80 | 62,
]);

const literal = (name: number, value: string): Buffer =>
  Buffer.concat([Buffer.from([name]), text(value)]);

/** Shorter than 127 bytes, not compressed. */
const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from([value.length]), Buffer.from(value, "latin1")]);

/** The name as it is and in Huffman's code. A number of one or two digits is never shorter in that. */
const statusNames = [text("grpc-status"), Buffer.from("889acac8b21234da8f", "hex")];

function statusIn(block: Buffer): string {
  for (const name of statusNames) {
    const at = block.indexOf(name);
    if (at < 0) continue;
    const from = at + name.length;
    return block.toString("latin1", from + 1, from + 1 + block[from]!);
  }
  return `which cannot be found in ${block.toString("hex")}`;
}
