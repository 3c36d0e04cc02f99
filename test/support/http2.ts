// HTTP/2 frame by frame over a plain socket: a peer that says exactly what a test wants, right or wrong.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FrameReader } from "../../collector/http2/frame-reader.ts";
import { HeaderDecoder } from "../../collector/http2/header-decoder.ts";
import { encodeHeaders, type Header } from "../../collector/http2/header-encoder.ts";
import { frameTypes, preface } from "../../collector/http2/protocol.ts";
import { until } from "./until.ts";

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export type Setting = readonly [id: number, value: number];

export function settings(...pairs: Setting[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(frameTypes.settings, 0, 0, payload);
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
  return bytes;
}

export const windowUpdate = (stream: number, bytes: number): Buffer =>
  frame(frameTypes.windowUpdate, 0, stream, uint32(bytes));
export const reset = (stream: number, code = 8): Buffer =>
  frame(frameTypes.reset, 0, stream, uint32(code));
export const ping = (): Buffer => frame(frameTypes.ping, 0, 0, Buffer.alloc(8, 7));
export const headers = (stream: number, list: readonly Header[], flags = 0x4): Buffer =>
  frame(frameTypes.headers, flags, stream, encodeHeaders(list));
export const data = (stream: number, payload: Uint8Array, isLast = false): Buffer =>
  frame(frameTypes.data, isLast ? 1 : 0, stream, payload);

/** A gRPC message with its prefix; `length` where it is not to be the true one. */
export function message(
  bytes: Uint8Array,
  { isCompressed = false, length = bytes.length } = {},
): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

export interface Seen {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of HEADERS. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One end of a connection. */
export class RawPeer {
  readonly socket: Socket;
  readonly seen: Seen[] = [];
  /** Before HTTP/2 began, or without it. */
  text = "";
  isClosed = false;
  readonly #decoder = new HeaderDecoder(1 << 20);
  #data: { stream: number; isLast: boolean; parts: Buffer[] } | undefined;

  constructor(socket: Socket, { isServer = false } = {}) {
    this.socket = socket;
    const reader = new FrameReader(this, (1 << 24) - 1);
    let skipped = isServer ? preface.length : 0;
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      const skip = Math.min(skipped, chunk.length);
      skipped -= skip;
      try {
        reader.read(chunk.subarray(skip));
      } catch {
        // not HTTP/2: it stands in `text`
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => (this.isClosed = true));
  }

  /** Connected, and nothing said yet. */
  static async connect(url: string): Promise<RawPeer> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    return new RawPeer(socket);
  }

  /** A client that has begun as it should. */
  static async client(url: string, ...ours: Setting[]): Promise<RawPeer> {
    const peer = await RawPeer.connect(url);
    peer.send(preface, settings(...ours));
    return peer;
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The first frame like this that has come or comes. */
  see(what: string, isIt: (frame: Seen) => boolean): Promise<Seen> {
    return until(what, () => {
      const found = this.seen.find(isIt);
      if (!found && this.isClosed) throw new Error(`closed before: ${what}`);
      return found;
    });
  }

  goaway(): Promise<{ code: number; lastStream: number; message: string }> {
    return this.see("GOAWAY", ({ type }) => type === frameTypes.goaway).then(({ payload }) => ({
      lastStream: payload.readUInt32BE(0),
      code: payload.readUInt32BE(4),
      message: payload.toString("utf8", 8),
    }));
  }

  /** How the call on this stream ended: headers and trailers together. */
  async answer(stream: number): Promise<Readonly<Record<string, string>>> {
    await this.see(`the answer on ${stream}`, (seen) => {
      return seen.stream === stream && seen.type === frameTypes.headers && (seen.flags & 1) !== 0;
    });
    const all = this.seen.filter((seen) => seen.stream === stream && seen.headers);
    return Object.assign({}, ...all.map(({ headers }) => headers)) as Record<string, string>;
  }

  dataBegins(stream: number, _length: number, isLast: boolean): void {
    this.#data = { stream, isLast, parts: [] };
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#data?.parts.push(Buffer.from(chunk.subarray(start, end)));
  }

  dataEnds(): void {
    if (!this.#data) return;
    const { stream, isLast, parts } = this.#data;
    const payload = Buffer.concat(parts);
    this.seen.push({ type: frameTypes.data, flags: isLast ? 1 : 0, stream, payload });
  }

  frame(given: {
    type: number;
    flags: number;
    stream: number;
    bytes: Buffer;
    start: number;
    end: number;
  }): void {
    const { type, flags, stream, bytes, start, end } = given;
    const payload = Buffer.from(bytes.subarray(start, end));
    if (type !== frameTypes.headers) {
      this.seen.push({ type, flags, stream, payload });
      return;
    }
    const headers: Record<string, string> = {};
    this.#decoder.decode(payload, [0, payload.length], {
      header: (name, value) => (headers[name] = value),
    });
    this.seen.push({ type, flags, stream, payload, headers });
  }
}
