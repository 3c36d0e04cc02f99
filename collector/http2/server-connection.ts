// The server's end of one connection: unary gRPC calls, bytes in and bytes out. Memory is asked for before
// a message is kept, so what a connection holds beyond its messages is bounded by its limits.

import type { Socket } from "node:net";
import type { Gathering } from "../memory/gathering.ts";
import { type GrpcStatus, grpcCodes, headersOfStatus } from "./grpc-status.ts";
import type { HeaderList } from "./header-decoder.ts";
import { encodeHeaders, type Header } from "./header-encoder.ts";
import { Link, type Streams } from "./link.ts";
import { prefixBytes } from "./message-reader.ts";
import { grownWindow } from "./outgoing.ts";
import { perAnswer } from "./patience.ts";
import { ConnectionError, errorCodes, maxStreamId, preface, settingIds } from "./protocol.ts";
import { RequestHead } from "./request-head.ts";
import type { ServerLimits } from "./server-limits.ts";
import {
  answerBody,
  answerHead,
  emptyAnswer,
  notGrpc,
  notHttp2,
  notPost,
  okHead,
  ServerStream,
  type Taking,
} from "./server-stream.ts";
import type { GrpcReply, GrpcService } from "./grpc-service.ts";

export interface ServerConnectionOptions {
  readonly service: GrpcService;
  readonly limits: ServerLimits;
  readonly gathering: Gathering;
  /** Called when the connection has gone. */
  readonly closed: () => void;
}

export class ServerConnection implements Streams {
  readonly #service: GrpcService;
  readonly #taking: Taking;
  readonly #limits: ServerLimits;
  readonly #socket: Socket;
  readonly #link: Link;
  readonly #closed: () => void;
  readonly #openedMs = performance.now();
  /** Those that are not answered, or not wholly. One that was reset stays until its call has returned. */
  readonly #streams = new Map<number, ServerStream>();
  #prefaceRead = 0;
  #head = new RequestHead();
  /** Of the DATA that is coming in. */
  #current: ServerStream | undefined;
  #isLastData = false;
  #lastBusyMs = this.#openedMs;
  #pingedMs: number | undefined;
  #stuck: { readonly at: number; readonly sinceMs: number } | undefined;
  #drain: "no" | "announced" | "final" = "no";

  constructor(socket: Socket, options: ServerConnectionOptions) {
    const { service, limits, gathering, closed } = options;
    this.#service = service;
    this.#taking = { service, gathering };
    this.#limits = limits;
    this.#socket = socket;
    this.#closed = closed;
    this.#link = new Link(socket, this, {
      settings: [
        [settingIds.maxConcurrentStreams, limits.maxStreams],
        [settingIds.initialWindowSize, limits.streamWindowBytes],
        [settingIds.maxHeaderListSize, limits.headerListBytes],
      ],
      receiveWindowBytes: limits.connectionWindowBytes,
      maxHeaderListBytes: limits.headerListBytes,
      slabBytes: 4_096,
    });
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** Lets the calls under way come to their end, and tells the client to make no new ones. */
  drain(): void {
    if (this.#drain !== "no") return;
    if (!this.#link.isSettled) {
      this.#link.end("stopped");
      return;
    }
    this.#drain = "announced";
    // Calls may be on their way; the answer to the ping comes behind them.
    this.#link.out.goaway(maxStreamId, errorCodes.none);
    this.#link.out.ping();
  }

  destroy(reason: string): void {
    this.#link.destroy(reason);
  }

  /** To be called every now and then: ends what has taken too long. */
  tick(nowMs: number): void {
    const { firstSettingsMs, messageMs, answerMs, idleMs } = this.#limits;
    if (!this.#link.isSettled) {
      if (nowMs - this.#openedMs > firstSettingsMs) this.destroy("no HTTP/2 within the time");
      return;
    }
    for (const stream of this.#streams.values()) {
      if (stream.isHandled && stream.body && nowMs - stream.sinceMs > answerMs) {
        this.#link.out.reset(stream.id, errorCodes.cancel);
        this.#remove(stream);
      } else if (!stream.isHandled && nowMs - stream.sinceMs > messageMs) {
        const message = `the message did not come within ${messageMs} ms`;
        this.#refuse(stream, { code: grpcCodes.deadlineExceeded, message });
      }
    }
    if (this.#streams.size > 0) this.#lastBusyMs = nowMs;
    else if (nowMs - this.#lastBusyMs > idleMs) this.drain();
    this.#checkLife(nowMs);
  }

  /** A connection on which nothing moves is asked whether it is alive. */
  #checkLife(nowMs: number): void {
    const { keepaliveMs, pongMs, frameMs } = this.#limits;
    const { lastReceivedMs, unfinishedAt } = this.#link;
    if (nowMs - lastReceivedMs < keepaliveMs) this.#pingedMs = undefined;
    else if (this.#pingedMs === undefined) {
      this.#pingedMs = nowMs;
      this.#link.out.ping();
    } else if (nowMs - this.#pingedMs > pongMs) this.destroy("no answer to a ping");
    if (unfinishedAt === undefined) this.#stuck = undefined;
    else if (this.#stuck?.at !== unfinishedAt) this.#stuck = { at: unfinishedAt, sinceMs: nowMs };
    else if (nowMs - this.#stuck.sinceMs > frameMs) this.destroy("a frame that does not end");
  }

  // ── requests ───────────────────────────────────────────────────────────────────────────────────

  #read(chunk: Buffer): void {
    let at = 0;
    for (; this.#prefaceRead < preface.length && at < chunk.length; this.#prefaceRead++, at++) {
      if (chunk[at] === preface[this.#prefaceRead]) continue;
      this.#refuseConnection(chunk);
      return;
    }
    if (this.#prefaceRead < preface.length) return;
    if (at > 0) this.#link.start();
    this.#link.read(chunk, at);
    // A client that reads so much less than it asks for is not read from, until it has.
    if (this.#link.out.isCongested && !this.#link.isClosed) this.#socket.pause();
  }

  /** The two ports of OTLP are easily mistaken for one another. */
  #refuseConnection(chunk: Buffer): void {
    if (/^[A-Z]{3,8} \//.test(chunk.toString("latin1", 0, 12))) this.#socket.write(notHttp2);
    this.#link.end("not HTTP/2");
  }

  headersBegin(): void {
    this.#head = new RequestHead();
  }

  header(name: string, value: string): void {
    this.#head.header(name, value);
  }

  headersEnd(id: number, isLast: boolean, list: HeaderList): void {
    if (id % 2 === 0) throw new ConnectionError(errorCodes.protocol, "a client's stream is odd");
    const known = this.#streams.get(id);
    if (known) {
      this.#trailers(known, isLast);
      return;
    }
    const link = this.#link;
    if (id <= link.lastStream || this.#drain === "final") {
      link.patience.spend(); // what was under way when we had ended the stream
      return;
    }
    link.lastStream = id;
    if (this.#streams.size >= this.#limits.maxStreams) {
      link.patience.spend();
      link.out.reset(id, errorCodes.refusedStream);
      return;
    }
    if (list === "malformed" || (list === "complete" && this.#head.isMalformed)) {
      link.patience.spend();
      link.out.reset(id, errorCodes.protocol);
      return;
    }
    const stream = new ServerStream(id, this.#head, this.#taking);
    stream.sendWindow = link.out.peer.initialWindowBytes;
    stream.hasEnded = isLast;
    this.#streams.set(id, stream);
    this.#begin(stream, list);
  }

  #begin(stream: ServerStream, list: HeaderList): void {
    const { head } = stream;
    if (list === "too_large") {
      const message = `headers of more than ${this.#limits.headerListBytes} bytes`;
      this.#refuse(stream, { code: grpcCodes.resourceExhausted, message });
      return;
    }
    if (head.method !== "POST") {
      this.#end(stream, notPost);
      return;
    }
    if (!/^application\/grpc(\+proto)?(;|$)/.test(head.contentType)) {
      this.#end(stream, notGrpc);
      return;
    }
    const refused = this.#service.admit(head);
    if (refused) this.#refuse(stream, refused);
    else if (stream.hasEnded) this.#complete(stream);
  }

  #trailers(stream: ServerStream, isLast: boolean): void {
    if (!isLast || stream.hasEnded) {
      throw new ConnectionError(errorCodes.protocol, "headers in the middle of a request");
    }
    stream.hasEnded = true;
    this.#complete(stream);
  }

  dataBegins(id: number, length: number, isLast: boolean): void {
    const stream = this.#streams.get(id);
    this.#current = undefined;
    this.#isLastData = isLast;
    if (!stream) {
      this.#mustBePast(id, "DATA");
      return;
    }
    if (stream.hasEnded) {
      throw new ConnectionError(errorCodes.streamClosed, "DATA on a stream that has ended");
    }
    stream.takenBytes += length;
    stream.hasEnded = isLast;
    this.#current = stream;
  }

  data(chunk: Buffer, start: number, end: number): void {
    const stream = this.#current;
    if (!stream) return;
    const refused = stream.reader.read(chunk, start, end, stream);
    if (!refused) return;
    this.#current = undefined;
    this.#refuse(stream, refused);
  }

  dataEnds(): void {
    const stream = this.#current;
    if (!stream) return;
    if (this.#isLastData) {
      this.#complete(stream);
      return;
    }
    if (stream.takenBytes * 2 < this.#limits.streamWindowBytes) return;
    if (stream.hasTurn) this.#goOn(stream);
    else if (!stream.endTurn) this.#waitForTurn(stream);
  }

  #waitForTurn(stream: ServerStream): void {
    const { turns } = this.#taking.gathering;
    stream.endTurn = turns.take(stream.reader.heldBytes, () => {
      stream.hasTurn = true;
      this.#goOn(stream);
    });
  }

  #goOn(stream: ServerStream): void {
    if (stream.hasEnded) return;
    this.#link.out.windowUpdate(stream.id, stream.takenBytes);
    stream.takenBytes = 0;
  }

  /** All of a request has come. */
  #complete(stream: ServerStream): void {
    const { message, isCompressed } = stream.reader;
    if (!message) {
      this.#refuse(stream, { code: grpcCodes.unimplemented, message: "a call without a message" });
      return;
    }
    stream.isHandled = true;
    this.#service.call(stream.head, message, isCompressed).then(
      (reply) => this.#answer(stream, reply),
      (error: Error) => {
        const status = { code: grpcCodes.internal, message: `internal error: ${error.message}` };
        this.#answer(stream, { kind: "status", status });
      },
    );
  }

  reset(id: number): void {
    this.#link.patience.spend(2);
    const stream = this.#streams.get(id);
    if (!stream) {
      this.#mustBePast(id, "RST_STREAM");
      return;
    }
    stream.isReset = true;
    if (!stream.isHandled || stream.body) this.#remove(stream);
  }

  // ── answers ────────────────────────────────────────────────────────────────────────────────────

  #answer(stream: ServerStream, reply: GrpcReply): void {
    const link = this.#link;
    if (stream.isReset || link.isClosed) {
      this.#remove(stream);
      return;
    }
    link.patience.earn(perAnswer);
    if (reply.kind === "status") {
      this.#end(stream, encodeHeaders([...answerHead, ...headersOfStatus(reply.status)]));
      return;
    }
    const { message } = reply;
    if (message.length === 0 && link.out.canSend(stream, prefixBytes)) {
      link.out.sendTemplate(stream, emptyAnswer, prefixBytes);
      this.#remove(stream);
      return;
    }
    link.out.headers(stream.id, okHead, false);
    this.#release(stream); // what follows takes as long as the client likes
    stream.sinceMs = performance.now();
    stream.body = answerBody(message, () => this.#remove(stream));
    link.out.send(stream);
  }

  #refuse(stream: ServerStream, status: GrpcStatus): void {
    const accepts: readonly Header[] =
      status.code === grpcCodes.unimplemented ? [["grpc-accept-encoding", "identity,gzip"]] : [];
    this.#end(stream, encodeHeaders([...answerHead, ...accepts, ...headersOfStatus(status)]));
  }

  /** An answer of headers alone. The client may stop sending, if it still does. */
  #end(stream: ServerStream, block: Buffer): void {
    this.#link.out.headers(stream.id, block, true);
    if (!stream.hasEnded) this.#link.out.reset(stream.id, errorCodes.none);
    this.#remove(stream);
  }

  #remove(stream: ServerStream): void {
    if (!this.#streams.delete(stream.id)) return;
    if (this.#current === stream) this.#current = undefined;
    this.#link.out.forget(stream);
    this.#release(stream);
    if (this.#drain === "final") this.#endIfIdle();
  }

  #release({ reader, endTurn }: ServerStream): void {
    this.#service.release(reader.heldBytes);
    reader.forget();
    endTurn?.();
  }

  // ── what else the link tells ───────────────────────────────────────────────────────────────────

  windowGrew(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream) stream.sendWindow = grownWindow(stream.sendWindow, bytes);
    else this.#mustBePast(id, "WINDOW_UPDATE");
  }

  windowsChanged(bytes: number): void {
    for (const stream of this.#streams.values()) {
      stream.sendWindow = grownWindow(stream.sendWindow, bytes);
    }
  }

  settled(): void {}

  pong(): void {
    if (this.#drain !== "announced") return;
    this.#drain = "final";
    this.#link.out.goaway(this.#link.lastStream, errorCodes.none);
    this.#endIfIdle();
  }

  /** The client makes no new calls, but waits for those under way. */
  goaway(): void {}

  closed(): void {
    for (const stream of this.#streams.values()) {
      stream.isReset = true;
      // What is being handled is held until that is done.
      if (!stream.isHandled || stream.body) this.#remove(stream);
    }
    this.#closed();
  }

  /** Frames may have been under way when we ended their stream. */
  #mustBePast(id: number, name: string): void {
    if (id <= this.#link.lastStream || this.#drain === "final") return;
    throw new ConnectionError(errorCodes.protocol, `${name} on a stream that was never opened`);
  }

  #endIfIdle(): void {
    if (this.#streams.size === 0) this.#link.end("stopped");
  }
}
