// What one end of an HTTP/2 connection sends: frames, header blocks, and bodies as far as the peer's
// windows let them through.

import { noTable } from "./header-encoder.ts";
import type { Outbox, Template } from "./outbox.ts";
import type { Patience } from "./patience.ts";
import {
  ConnectionError,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameTypes,
  maxWindowBytes,
} from "./protocol.ts";
import { PeerSettings } from "./settings.ts";

/** The sending half of a stream. */
export interface Sending {
  readonly id: number;
  /** What the peer takes on this stream. Below zero when it has changed its mind. */
  sendWindow: number;
  /** What is still to be sent. */
  body: Body | undefined;
}

export interface Body {
  readonly parts: readonly Uint8Array[];
  /** Where the next byte stands. */
  part: number;
  offset: number;
  remaining: number;
  /** A header block that ends the stream; without one the last DATA does. */
  readonly trailers: Buffer | undefined;
  /** Called when all of it has been handed over. */
  readonly sent?: () => void;
}

const perFrameSent = 2;
/** What the socket may hold before bodies wait. */
const mostWaitingBytes = 1 << 20;

export class Outgoing {
  readonly peer = new PeerSettings();
  /** What the peer takes on all streams together. */
  window = defaultWindowBytes;
  readonly #box: Outbox;
  readonly #patience: Patience;
  readonly #blocked = new Set<Sending>();
  #isFirstBlock = true;

  constructor(box: Outbox, patience: Patience) {
    this.#box = box;
    this.#patience = patience;
  }

  /** Ever, and of these how many the socket has taken and sent. */
  get putBytes(): number {
    return this.#box.putBytes;
  }

  get leftBytes(): number {
    return this.#box.putBytes - this.#box.waitingBytes;
  }

  get isCongested(): boolean {
    return this.#box.waitingBytes > mostWaitingBytes;
  }

  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    this.#box.head(settings.length * 6, [frameTypes.settings, 0], 0);
    for (const [id, value] of settings) {
      this.#box.uint16(id);
      this.#box.uint32(value);
    }
  }

  acknowledgeSettings(): void {
    this.#box.head(0, [frameTypes.settings, flags.ack], 0);
  }

  /** The content means nothing to either side, but comes back. */
  ping(high = 0, low = 0, isAnswer = false): void {
    this.#box.head(8, [frameTypes.ping, isAnswer ? flags.ack : 0], 0);
    this.#box.uint32(high);
    this.#box.uint32(low);
  }

  windowUpdate(stream: number, bytes: number): void {
    this.#box.head(4, [frameTypes.windowUpdate, 0], stream);
    this.#box.uint32(bytes);
  }

  reset(stream: number, code: number): void {
    this.#box.head(4, [frameTypes.reset, 0], stream);
    this.#box.uint32(code);
  }

  goaway(lastStream: number, code: number, message = ""): void {
    const text = Buffer.from(message.slice(0, 500));
    this.#box.head(8 + text.length, [frameTypes.goaway, 0], 0);
    this.#box.uint32(lastStream);
    this.#box.uint32(code);
    this.#box.bytes(text);
  }

  headers(stream: number, block: Buffer, isLast: boolean): void {
    let at = 0;
    let rest = block;
    if (this.#isFirstBlock) rest = Buffer.concat([noTable, block]);
    this.#isFirstBlock = false;
    const most = this.peer.maxFrameBytes;
    do {
      const part = rest.subarray(at, at + most);
      const set = at + part.length === rest.length ? flags.endHeaders : 0;
      if (at > 0) this.#box.head(part.length, [frameTypes.continuation, set], stream);
      else {
        const first = set | (isLast ? flags.endStream : 0);
        this.#box.head(part.length, [frameTypes.headers, first], stream);
      }
      this.#box.bytes(part);
      at += part.length;
    } while (at < rest.length);
  }

  /** Whether frames that carry so much may leave at once, without `send`. */
  canSend(sending: Sending, bytes: number): boolean {
    return sending.sendWindow >= bytes && this.window >= bytes && !this.#isFirstBlock;
  }

  /** Only if `canSend`; `bytes` is what of it counts against the windows. */
  sendTemplate(sending: Sending, template: Template, bytes: number): void {
    sending.sendWindow -= bytes;
    this.window -= bytes;
    this.#box.template(template, sending.id);
  }

  /** The body, now or as the peer makes room for it; when all has been handed over it is undefined. */
  send(sending: Sending): void {
    if (!this.#transmit(sending)) this.#blocked.add(sending);
  }

  /** The rest of the body is not wanted. */
  forget(sending: Sending): void {
    sending.body = undefined;
    this.#blocked.delete(sending);
  }

  forgetAll(): void {
    this.#blocked.clear();
  }

  /** To be called when a stream's window has grown. */
  pump(): void {
    for (const sending of this.#blocked) {
      if (this.#transmit(sending)) this.#blocked.delete(sending);
    }
  }

  #transmit(sending: Sending): boolean {
    const { body } = sending;
    if (!body) return true;
    while (body.remaining > 0) {
      const room = Math.min(sending.sendWindow, this.window, this.peer.maxFrameBytes);
      if (room <= 0 || this.isCongested) return false;
      const length = Math.min(room, body.remaining);
      const isLast = length === body.remaining && !body.trailers;
      this.#box.head(length, [frameTypes.data, isLast ? flags.endStream : 0], sending.id);
      this.#append(body, length);
      sending.sendWindow -= length;
      this.window -= length;
      this.#patience.earn(perFrameSent); // the peer will tell us that it has taken it
    }
    sending.body = undefined;
    if (body.trailers) this.headers(sending.id, body.trailers, true);
    body.sent?.();
    return true;
  }

  #append(body: Body, length: number): void {
    let wanted = length;
    body.remaining -= length;
    while (wanted > 0) {
      const part = body.parts[body.part]!;
      const taken = Math.min(wanted, part.length - body.offset);
      this.#box.bytes(part.subarray(body.offset, body.offset + taken));
      wanted -= taken;
      body.offset += taken;
      if (body.offset === part.length) {
        body.part++;
        body.offset = 0;
      }
    }
  }
}

export function grownWindow(window: number, bytes: number): number {
  if (window + bytes > maxWindowBytes) {
    throw new ConnectionError(errorCodes.flowControl, `a window above ${maxWindowBytes} bytes`);
  }
  return window + bytes;
}
