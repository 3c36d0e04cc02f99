// One HTTP/2 connection, as far as both of its ends are alike (RFC 9113): frames in and out, headers,
// settings, pings, the connection's windows, and what ends it. What streams mean is its owner's business.

import type { Duplex } from "node:stream";
import { type Frame, FrameReader, type FrameSink } from "./frame-reader.ts";
import { HeaderBlock } from "./header-block.ts";
import { HeaderDecoder, type HeaderList, type HeaderSink } from "./header-decoder.ts";
import { Outbox } from "./outbox.ts";
import { grownWindow, Outgoing } from "./outgoing.ts";
import { Patience } from "./patience.ts";
import {
  ConnectionError,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameTypes,
  maxFrameBytes,
  maxWindowBytes,
} from "./protocol.ts";

/** What the owner of a link is told. */
export interface Streams extends HeaderSink {
  headersBegin(): void;
  /** All of a block has gone to `header`. */
  headersEnd(stream: number, isLast: boolean, list: HeaderList): void;
  dataBegins(stream: number, length: number, isLast: boolean): void;
  data(chunk: Buffer, start: number, end: number): void;
  dataEnds(): void;
  reset(stream: number, code: number): void;
  /** The peer takes so many bytes more on this stream. */
  windowGrew(stream: number, bytes: number): void;
  /** The same on every stream, or less if negative. */
  windowsChanged(bytes: number): void;
  /** The peer's settings have come for the first time. */
  settled(): void;
  pong(): void;
  goaway(lastStream: number, code: number, message: string): void;
  /** Nothing more will come; called once. */
  closed(reason: string): void;
}

export interface LinkOptions {
  /** What we tell the peer of ourselves. */
  readonly settings: readonly (readonly [id: number, value: number])[];
  /** What the peer may send on all streams together before we say that we have taken it. */
  readonly receiveWindowBytes: number;
  readonly maxHeaderListBytes: number;
  /** Of the pieces in which small frames are gathered. */
  readonly slabBytes: number;
}

/** For the peer to read why the connection ends. */
const lastWordsMs = 1_000;

export class Link implements FrameSink {
  readonly patience = new Patience();
  readonly out: Outgoing;
  /** The last stream of the peer's that was taken, for it to know. */
  lastStream = 0;
  lastReceivedMs = performance.now();
  readonly #socket: Duplex;
  readonly #streams: Streams;
  readonly #outbox: Outbox;
  readonly #reader: FrameReader;
  readonly #block: HeaderBlock;
  readonly #decoder: HeaderDecoder;
  readonly #settings: LinkOptions["settings"];
  readonly #receiveWindowBytes: number;
  /** Since the peer was last told that it may go on. */
  #takenBytes = 0;
  #isSettled = false;
  #isEnding = false;
  #isClosed = false;
  #framesRead = 0;

  constructor(socket: Duplex, streams: Streams, options: LinkOptions) {
    this.#socket = socket;
    this.#streams = streams;
    this.#outbox = new Outbox(socket, options.slabBytes);
    this.out = new Outgoing(this.#outbox, this.patience);
    this.#reader = new FrameReader(this, maxFrameBytes);
    this.#block = new HeaderBlock(options.maxHeaderListBytes);
    this.#decoder = new HeaderDecoder(options.maxHeaderListBytes);
    this.#settings = options.settings;
    this.#receiveWindowBytes = options.receiveWindowBytes;
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.end("the peer has closed the connection"));
    socket.on("error", (error: Error) => this.end(describe(error)));
    socket.on("close", () => this.end("the connection broke off"));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether part of a frame or of a header block has come, and how many frames had come before. */
  get unfinishedAt(): number | undefined {
    return this.#reader.isInFrame || this.#block.expects !== 0 ? this.#framesRead : undefined;
  }

  /** Our side of the beginning; a client's preface goes before it. */
  start(before?: Uint8Array): void {
    if (before) this.#outbox.bytes(before);
    this.out.settings(this.#settings);
    const more = this.#receiveWindowBytes - defaultWindowBytes;
    if (more > 0) this.out.windowUpdate(0, more);
  }

  /** What the peer has sent. It never throws: what is wrong with it ends the connection. */
  read(chunk: Buffer, from = 0): void {
    if (this.#isEnding) return;
    this.lastReceivedMs = performance.now();
    try {
      this.#reader.read(chunk, from);
    } catch (error) {
      this.fail(error);
    }
  }

  #drained(): void {
    this.#socket.resume();
    this.out.pump();
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────

  dataBegins(stream: number, length: number, isLast: boolean): void {
    this.#framesRead++;
    if (!this.#isSettled) throw notSettings();
    if (this.#block.expects !== 0) throw interrupted();
    if (stream === 0) throw onNoStream("DATA");
    if (length === 0 && !isLast) this.patience.spend();
    this.#takenBytes += length;
    this.#streams.dataBegins(stream, length, isLast);
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#streams.data(chunk, start, end);
  }

  /**
   * What is not kept is given back as well: only the account of what requests hold bounds memory. A peer
   * that does not wait for it gains nothing, so nobody looks.
   */
  dataEnds(): void {
    this.#streams.dataEnds();
    if (this.#takenBytes * 2 < this.#receiveWindowBytes) return;
    this.out.windowUpdate(0, this.#takenBytes);
    this.#takenBytes = 0;
  }

  frame(frame: Frame): void {
    this.#framesRead++;
    const { type, stream } = frame;
    if (!this.#isSettled && type !== frameTypes.settings) throw notSettings();
    const { expects } = this.#block;
    if (expects !== 0 && (type !== frameTypes.continuation || stream !== expects)) {
      throw interrupted();
    }
    switch (type) {
      case frameTypes.headers:
        if (stream === 0) throw onNoStream("HEADERS");
        if (this.#block.begin(frame)) this.#headers(stream);
        return;
      case frameTypes.continuation:
        if (expects === 0)
          throw new ConnectionError(errorCodes.protocol, "CONTINUATION of nothing");
        if (this.#block.continue(frame)) this.#headers(stream);
        return;
      case frameTypes.settings:
        this.#readSettings(frame);
        return;
      case frameTypes.ping:
        this.#ping(frame);
        return;
      case frameTypes.windowUpdate:
        this.#windowUpdate(frame);
        return;
      case frameTypes.reset:
        if (stream === 0) throw onNoStream("RST_STREAM");
        lengthIs(frame, 4, "RST_STREAM");
        this.#streams.reset(stream, frame.bytes.readUInt32BE(frame.start));
        return;
      case frameTypes.goaway:
        this.#goaway(frame);
        return;
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocol, "PUSH_PROMISE that nobody allowed");
      default: // PRIORITY, and what is not known yet
        this.patience.spend();
    }
  }

  #headers(stream: number): void {
    const { bytes, start, end, isLast } = this.#block;
    this.#streams.headersBegin();
    const list = this.#decoder.decode(bytes, [start, end], this.#streams);
    this.#streams.headersEnd(stream, isLast, list);
  }

  #readSettings(frame: Frame): void {
    const { stream, flags: set, bytes, start, end } = frame;
    if (stream !== 0) throw onAStream("SETTINGS");
    if (set & flags.ack) {
      lengthIs(frame, 0, "SETTINGS with ACK");
      this.patience.spend();
      return;
    }
    this.patience.spend(this.#isSettled ? 4 : 0);
    const { peer } = this.out;
    const before = peer.initialWindowBytes;
    peer.read(bytes, start, end);
    this.out.acknowledgeSettings();
    const grown = peer.initialWindowBytes - before;
    if (grown !== 0) this.#streams.windowsChanged(grown);
    if (!this.#isSettled) {
      this.#isSettled = true;
      this.#streams.settled();
    }
    this.out.pump();
  }

  #ping(frame: Frame): void {
    if (frame.stream !== 0) throw onAStream("PING");
    lengthIs(frame, 8, "PING");
    this.patience.spend();
    if (frame.flags & flags.ack) {
      this.#streams.pong();
      return;
    }
    const { bytes, start } = frame;
    this.out.ping(bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4), true);
  }

  #windowUpdate(frame: Frame): void {
    lengthIs(frame, 4, "WINDOW_UPDATE");
    this.patience.spend();
    const bytes = frame.bytes.readUInt32BE(frame.start) & maxWindowBytes;
    if (bytes === 0) throw new ConnectionError(errorCodes.protocol, "WINDOW_UPDATE by 0 bytes");
    if (frame.stream === 0) this.out.window = grownWindow(this.out.window, bytes);
    else this.#streams.windowGrew(frame.stream, bytes);
    this.out.pump();
  }

  #goaway(frame: Frame): void {
    const { bytes, start, end, stream } = frame;
    if (stream !== 0) throw onAStream("GOAWAY");
    if (end - start < 8) throw new ConnectionError(errorCodes.frameSize, "GOAWAY is cut off");
    const lastStream = bytes.readUInt32BE(start) & maxWindowBytes;
    const message = bytes.toString("utf8", start + 8, Math.min(end, start + 508));
    this.#streams.goaway(lastStream, bytes.readUInt32BE(start + 4), message);
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** Tells the peer what it did wrong, or that we are at fault, and ends the connection. */
  fail(error: unknown): void {
    const { message } = error as Error;
    const code = error instanceof ConnectionError ? error.code : errorCodes.internal;
    if (!this.#isEnding) this.out.goaway(this.lastStream, code, message);
    this.end(message);
  }

  /** What is written still goes out. */
  end(reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#outbox.flush();
    const socket = this.#socket;
    socket.end();
    // What comes meanwhile is read and dropped: to close at once would reset the connection, and the
    // peer could lose what we wrote last.
    socket.resume();
    const cut = setTimeout(() => socket.destroy(), lastWordsMs);
    socket.on("close", () => clearTimeout(cut));
    if (socket.destroyed) clearTimeout(cut);
    this.#close(reason);
  }

  destroy(reason: string): void {
    this.#isEnding = true;
    this.#socket.destroy();
    this.#close(reason);
  }

  #close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.out.forgetAll();
    this.#streams.closed(reason);
  }
}

/** Several addresses tried: Node gives an AggregateError without a message of its own. */
function describe(error: NodeJS.ErrnoException): string {
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error;
  return first?.message || error.code || "connection failed";
}

function lengthIs({ start, end }: Frame, length: number, name: string): void {
  if (end - start === length) return;
  const what = `${name} of ${end - start} bytes, it has ${length}`;
  throw new ConnectionError(errorCodes.frameSize, what);
}

const notSettings = (): ConnectionError =>
  new ConnectionError(errorCodes.protocol, "the first frame is not SETTINGS");
const interrupted = (): ConnectionError =>
  new ConnectionError(errorCodes.protocol, "a header block is interrupted");
const onNoStream = (name: string): ConnectionError =>
  new ConnectionError(errorCodes.protocol, `${name} without a stream`);
const onAStream = (name: string): ConnectionError =>
  new ConnectionError(errorCodes.protocol, `${name} on a stream`);
