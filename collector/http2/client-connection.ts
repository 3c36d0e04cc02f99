// The client's end of one connection: several unary calls at a time, as many as the server allows.

import type { Socket } from "node:net";
import { AnswerHead } from "./answer-head.ts";
import type { ClientCall } from "./client-call.ts";
import type { HeaderList } from "./header-decoder.ts";
import { Link, type Streams } from "./link.ts";
import { grownWindow } from "./outgoing.ts";
import { perAnswer } from "./patience.ts";
import { ConnectionError, errorCodes, preface, settingIds } from "./protocol.ts";

const receiveWindowBytes = 1 << 20;
const headerListBytes = 16_384;
const slabBytes = 32_768;
const usualProbeMs = 5_000;
/** Stream ids are used once; a connection that has used half of them is left for a new one. */
const lastId = 1 << 30;

export interface ConnectionEvents {
  /** Calls may be made, or more of them. */
  hasRoom(): void;
  /** No more calls may be made; those under way still come to their end. */
  closing(reason: string): void;
  closed(reason: string): void;
}

export class ClientConnection implements Streams {
  readonly #link: Link;
  readonly #events: ConnectionEvents;
  readonly #probeMs: number;
  readonly #calls = new Map<number, ClientCall>();
  #nextId = 1;
  #isLeaving = false;
  #head = new AnswerHead();
  #current: ClientCall | undefined;
  #isLastData = false;
  #probe: NodeJS.Timeout | undefined;

  constructor(socket: Socket, events: ConnectionEvents, probeMs = usualProbeMs) {
    this.#events = events;
    this.#probeMs = probeMs;
    this.#link = new Link(socket, this, {
      settings: [
        [settingIds.enablePush, 0],
        [settingIds.maxHeaderListSize, headerListBytes],
      ],
      receiveWindowBytes,
      maxHeaderListBytes: headerListBytes,
      slabBytes,
    });
    socket.on("data", (chunk: Buffer) => this.#link.read(chunk));
  }

  /** The server has spoken HTTP/2. */
  get isSettled(): boolean {
    return this.#link.isSettled;
  }

  /** It has been of use: a call was made on it. */
  get wasUsed(): boolean {
    return this.#nextId > 1;
  }

  get hasRoom(): boolean {
    const { isSettled, isClosed, out } = this.#link;
    if (!isSettled || isClosed || this.#isLeaving) return false;
    return this.#calls.size < out.peer.maxConcurrentStreams;
  }

  /** To be called once there is a connection, which for TLS means after its handshake. */
  start(): void {
    this.#link.start(preface);
  }

  /** Only if `hasRoom`. */
  begin(call: ClientCall): void {
    const { out } = this.#link;
    const id = this.#nextId;
    this.#nextId += 2;
    this.#calls.set(id, call);
    call.open(id, out);
    out.headers(id, call.request.head, false);
    out.send(call);
    if (this.#nextId > lastId) this.#leave();
  }

  /** A call that has been answered otherwise: the server need not go on with it. */
  cancel(call: ClientCall, why: "late" | "aborted"): void {
    if (this.#calls.get(call.id) !== call) return;
    this.#link.out.reset(call.id, errorCodes.cancel);
    this.#remove(call);
    // Nothing at all since the call began: the server may have gone without a word.
    if (why === "late" && this.#link.lastReceivedMs < call.startedMs) this.#ask();
  }

  destroy(reason: string): void {
    this.#link.destroy(reason);
  }

  #ask(): void {
    if (this.#probe || this.#link.isClosed) return;
    this.#link.out.ping();
    this.#probe = setTimeout(() => this.destroy("the server does not answer"), this.#probeMs);
    this.#probe.unref();
  }

  /** No new calls; the connection ends when those under way have. */
  #leave(reason = "closed"): void {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#events.closing(reason);
    }
    if (this.#calls.size > 0 || this.#link.isClosed) return;
    this.#link.out.goaway(0, errorCodes.none);
    this.#link.end("closed");
  }

  #remove(call: ClientCall): void {
    this.#calls.delete(call.id);
    this.#link.out.forget(call);
    if (this.#current === call) this.#current = undefined;
    if (this.#isLeaving) this.#leave();
    else this.#events.hasRoom();
  }

  // ── answers ────────────────────────────────────────────────────────────────────────────────────

  headersBegin(): void {
    this.#alive();
    this.#head = new AnswerHead();
  }

  header(name: string, value: string): void {
    this.#head.header(name, value);
  }

  headersEnd(id: number, isLast: boolean, list: HeaderList): void {
    const call = this.#calls.get(id);
    if (!call) {
      this.#mustBePast(id, "HEADERS");
      return;
    }
    if (list !== "complete") {
      this.#failCall(call, `its headers are ${list === "too_large" ? "too large" : "malformed"}`);
      return;
    }
    if (call.hasHead && !isLast) {
      this.#failCall(call, "headers in the middle of it");
      return;
    }
    const { status } = this.#head;
    if (status >= 100 && status < 200 && !isLast) return; // the answer is still to come
    if (call.hasHead) this.#head.status = call.head.status;
    call.head = this.#head;
    call.hasHead = true;
    if (isLast) this.#finish(call);
  }

  dataBegins(id: number, _length: number, isLast: boolean): void {
    this.#alive();
    this.#isLastData = isLast;
    this.#current = this.#calls.get(id);
    if (!this.#current) this.#mustBePast(id, "DATA");
  }

  data(chunk: Buffer, start: number, end: number): void {
    const call = this.#current;
    if (!call) return;
    if (call.head.status !== 200) return; // a page of some proxy: its status says enough
    const problem = call.reader.read(chunk, start, end, call);
    if (problem) this.#failCall(call, problem.message);
  }

  dataEnds(): void {
    if (this.#current && this.#isLastData) this.#finish(this.#current);
  }

  reset(id: number, code: number): void {
    const call = this.#calls.get(id);
    if (!call) {
      this.#mustBePast(id, "RST_STREAM");
      return;
    }
    call.fail("unreachable", `the server has broken off the call, HTTP/2 error ${code}`);
    this.#remove(call);
  }

  #finish(call: ClientCall): void {
    this.#link.patience.earn(perAnswer);
    // A server may answer before it has taken all; what is left is not sent.
    if (call.body) this.#link.out.reset(call.id, errorCodes.cancel);
    call.finish();
    this.#remove(call);
  }

  #failCall(call: ClientCall, why: string): void {
    this.#link.out.reset(call.id, errorCodes.cancel);
    call.fail("bad_answer", `the answer cannot be taken: ${why}`);
    this.#remove(call);
  }

  #mustBePast(id: number, name: string): void {
    if (id % 2 === 1 && id < this.#nextId) return;
    throw new ConnectionError(errorCodes.protocol, `${name} on a stream that was never opened`);
  }

  // ── what else the link tells ───────────────────────────────────────────────────────────────────

  windowGrew(id: number, bytes: number): void {
    const call = this.#calls.get(id);
    if (call) call.sendWindow = grownWindow(call.sendWindow, bytes);
    else this.#mustBePast(id, "WINDOW_UPDATE");
  }

  windowsChanged(bytes: number): void {
    for (const call of this.#calls.values()) {
      call.sendWindow = grownWindow(call.sendWindow, bytes);
    }
  }

  settled(): void {
    this.#events.hasRoom();
  }

  pong(): void {
    this.#alive();
  }

  #alive(): void {
    clearTimeout(this.#probe);
    this.#probe = undefined;
  }

  goaway(lastStream: number, code: number, message: string): void {
    const end = code === errorCodes.none ? "" : `, HTTP/2 error ${code}`;
    const why = `the server closes the connection${message ? `: ${message}` : ""}${end}`;
    for (const call of this.#calls.values()) {
      if (call.id <= lastStream) continue;
      this.#calls.delete(call.id);
      this.#link.out.forget(call);
      call.fail("unreachable", why);
    }
    this.#leave(why);
  }

  closed(reason: string): void {
    this.#alive();
    this.#isLeaving = true;
    for (const call of this.#calls.values()) call.fail("unreachable", reason);
    this.#calls.clear();
    this.#events.closed(reason);
  }
}
