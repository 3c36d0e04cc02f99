// One connection: what its client sends becomes requests for the application, and the answers go back.
//
// Pieces are lent: what is kept of one beyond the event that brought it is copied (sockets/lent-reads.ts).
// A body that lies in one piece is handed on without a copy. A connection that waits for a request holds
// no buffer.

import type { Socket } from "node:net";
import { Answers, type Due } from "./answers.ts";
import type { Body } from "./application.ts";
import { Chunks } from "./chunks.ts";
import { Gathered } from "../memory/gathered.ts";
import { type EndTurn, largeFromBytes } from "../memory/turns.ts";
import { damaged, endOfHead, type Head, incomplete, maxHeadBytes, parseHead } from "./head.ts";
import { KnownHead } from "./known-head.ts";
import { maxDiscardedBytes } from "./limits.ts";
import { replies, Reply, replyTo } from "./reply.ts";
import type { Shared } from "./shared.ts";

/** A request whose body is being read. */
interface Reading {
  readonly due: Due;
  /** Undefined when the rest is read only to be thrown away. */
  body: Body | undefined;
  /** Undefined when it comes in chunks. */
  readonly length: number | undefined;
  readonly chunks: Chunks | undefined;
  gathered: Gathered | undefined;
  /** Of a large body. */
  endTurn: EndTurn | undefined;
  /** Until then nothing is read. */
  isWaiting: boolean;
  received: number;
  paceSinceMs: number;
  paceFrom: number;
}

/** Of a body whose length is not known. */
const assumedBytes = 8 << 20;

/** After this an idle connection forgets the head that it knows. */
const rememberMs = 5_000;

const nothing = Buffer.alloc(0);

export class Connection {
  hasSpoken = false;
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #answers: Answers;
  #reading: Reading | undefined;
  /** The beginning of a head, or requests that have to wait until answers have gone out. */
  #unread: Buffer | undefined;
  #isPaused = false;
  /** Whatever comes is thrown away. */
  #isDeaf = false;
  #isClosing = false;
  #known: KnownHead | undefined;
  /** When the present phase began: connecting, a request, idling, closing. */
  #sinceMs: number;
  #unsentBytes = 0;
  #unsentSinceMs = 0;

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket;
    this.#shared = shared;
    this.#sinceMs = shared.nowMs;
    this.#answers = new Answers(socket, shared, () => this.#sent());
    socket.allowHalfOpen = true; // who has sent all that it wants to may still wait for the answer
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("drain", () => this.#resume());
    socket.on("end", () => this.#ended());
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#drop());
  }

  /** Since when it has waited for a request; undefined while there is one. */
  get idleSinceMs(): number | undefined {
    const isIdle = !this.#reading && !this.#unread && !this.#isDeaf && this.#answers.count === 0;
    return isIdle ? this.#sinceMs : undefined;
  }

  /** Takes no further request, and closes once what is due has been answered. */
  retire(): void {
    if (this.#reading) this.#answers.isLast = true;
    else this.#deafen();
  }

  /** Says `reply` as the last thing: to what it has sent, or to its having come at all. */
  giveUp(reply: Reply): void {
    const due = this.#reading?.due ?? this.#answers.add(undefined);
    const isAnswered = due.reply !== undefined;
    this.#deafen();
    if (!isAnswered) this.#answers.answer(due, reply);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // ── bytes ──────────────────────────────────────────────────────────────────────────────────────

  #take(received: Buffer): void {
    if (this.#isDeaf) return;
    this.hasSpoken = true;
    if (!this.#unread) {
      this.#read(received, 0);
      return;
    }
    const seen = this.#isPaused ? 0 : this.#unread.length;
    const chunk = Buffer.concat([this.#unread, received]);
    this.#keep(undefined);
    this.#read(chunk, seen);
  }

  /** The first `seen` bytes are known to hold no whole head. */
  #read(chunk: Buffer, seen: number): void {
    let at = 0;
    while (at < chunk.length && !this.#isDeaf) {
      if (this.#reading) at = this.#readBody(this.#reading, chunk, at);
      else if (this.#isFull) {
        this.#isPaused = true;
        this.#socket.pause();
        this.#keep(copyOf(chunk.subarray(at)));
        return;
      } else at = this.#readHead(chunk, at, seen);
    }
  }

  get #isFull(): boolean {
    const { maxPipelined, maxUnsentBytes } = this.#shared.limits;
    return this.#answers.count >= maxPipelined || this.#socket.writableLength > maxUnsentBytes;
  }

  #resume(): void {
    if (!this.#isPaused || this.#isFull) return;
    this.#isPaused = false;
    const chunk = this.#unread ?? nothing;
    this.#keep(undefined);
    this.#read(chunk, 0);
    if (!this.#isPaused) this.#socket.resume();
  }

  #keep(bytes: Buffer | undefined): void {
    const shared = this.#shared;
    shared.unreadBytes += (bytes?.length ?? 0) - (this.#unread?.length ?? 0);
    this.#unread = bytes;
    if (bytes && shared.unreadBytes > shared.limits.maxUnreadBytes) this.giveUp(replies.crowded);
  }

  // ── heads ──────────────────────────────────────────────────────────────────────────────────────

  /** The index of what comes behind it. */
  #readHead(chunk: Buffer, at: number, seen: number): number {
    let start = at;
    // Some clients send an empty line behind a body.
    while (chunk[start] === 0x0d && chunk[start + 1] === 0x0a) start += 2;
    if (start === chunk.length) return start;
    const known = this.#known;
    const behind = known?.find(chunk, start) ?? 0;
    if (known && behind > 0) {
      this.#begin(known.head, known.length);
      return behind;
    }
    if (seen === 0) this.#sinceMs = this.#shared.nowMs;
    // One byte back, because a carriage return at the end could not be judged yet.
    const end = endOfHead(chunk, start, Math.max(start, seen - 1));
    const size = (end === incomplete ? chunk.length : end) - start;
    if (end === damaged) this.giveUp(replies.noHead);
    else if (size > maxHeadBytes) this.giveUp(replies.largeHead);
    else if (end === incomplete) this.#keep(copyOf(chunk.subarray(start)));
    else {
      this.#parse(chunk, start, end);
      return end;
    }
    return chunk.length;
  }

  #parse(chunk: Buffer, start: number, end: number): void {
    const text = chunk.toString("latin1", start, end);
    const head = parseHead(text);
    if ("why" in head) {
      this.giveUp(replyTo(head));
      return;
    }
    this.#known = KnownHead.of(head, chunk.subarray(start, end), text);
    this.#begin(head, head.length);
  }

  #begin(head: Head, length: number | undefined): void {
    const due = this.#answers.add(head);
    const begun = this.#shared.application.begin(head, length);
    const isRefused = begun instanceof Reply;
    const { nowMs } = this.#shared;
    this.#sinceMs = nowMs;
    const reading: Reading = {
      due,
      body: isRefused ? undefined : begun,
      length,
      chunks: length === undefined ? new Chunks() : undefined,
      gathered: undefined,
      endTurn: undefined,
      isWaiting: false,
      received: 0,
      paceSinceMs: nowMs,
      paceFrom: 0,
    };
    this.#reading = reading;
    if (isRefused) this.#refuse(reading, begun);
    else if (length === 0) this.#endBody(reading, nothing);
    else if (head.expectsContinue) this.#answers.invite(due);
  }

  // ── bodies ─────────────────────────────────────────────────────────────────────────────────────

  #readBody(reading: Reading, chunk: Buffer, at: number): number {
    const { chunks, length, received } = reading;
    if (chunks) return this.#readChunks(reading, chunks, { chunk, at });
    const missing = length! - received; // either it has a length or it comes in chunks
    const isAll = at === 0 && chunk.length <= missing;
    const piece = isAll ? chunk : chunk.subarray(at, at + missing);
    this.#gather(reading, piece);
    if (this.#reading === reading && reading.received === length) this.#endBody(reading, piece);
    return at + piece.length;
  }

  #readChunks(reading: Reading, chunks: Chunks, { chunk, at }: From): number {
    const behind = chunks.read(chunk, at, (piece) => this.#gather(reading, piece));
    if (behind < 0) {
      this.giveUp(replies.badChunks);
      return chunk.length;
    }
    if (chunks.isDone) this.#endBody(reading, nothing);
    return behind;
  }

  /** False when no more of it is to be read. */
  #gather(reading: Reading, piece: Buffer): boolean {
    reading.received += piece.length;
    const { body, length } = reading;
    if (!body) return true;
    const refusal = body.hold(piece.length);
    if (refusal) this.#refuse(reading, refusal);
    else if (piece.length !== length) {
      reading.gathered ??= new Gathered(this.#shared.gathering.memory, length);
      reading.gathered.add(piece);
      const isLarge = reading.received >= largeFromBytes && reading.received !== length;
      if (isLarge && !reading.endTurn) this.#waitForTurn(reading);
    }
    return !this.#isDeaf;
  }

  #waitForTurn(reading: Reading): void {
    let hasBegun = false;
    const bytes = reading.length ?? assumedBytes;
    reading.endTurn = this.#shared.gathering.turns.take(bytes, () => {
      hasBegun = true;
      this.#readOn(reading);
    });
    if (hasBegun) return;
    reading.isWaiting = true;
    this.#socket.pause();
  }

  #readOn(reading: Reading): void {
    if (!reading.isWaiting) return;
    reading.isWaiting = false;
    reading.paceSinceMs = this.#shared.nowMs;
    reading.paceFrom = reading.received;
    this.#socket.resume();
  }

  /** Its memory and its turn are for others now. */
  #letGo(reading: Reading): void {
    reading.gathered?.release();
    reading.gathered = undefined;
    reading.endTurn?.();
    this.#readOn(reading);
  }

  /** The rest of the body is read to be thrown away; if that could be much, the connection goes instead. */
  #refuse(reading: Reading, reply: Reply): void {
    const { due, length = Infinity, received } = reading;
    reading.body = undefined;
    this.#letGo(reading);
    // Who has asked whether to send a body may send it or not: what comes next could be either.
    const isHesitant = due.head?.expectsContinue === true && received === 0;
    const isLast = due.head?.isKeptAlive === false;
    if (length === 0 || received === length) this.#endReading(reading);
    else if (isHesitant || isLast || length - received > maxDiscardedBytes) this.#deafen();
    this.#answers.answer(due, reply);
  }

  /** `piece` is the body if it came in one. */
  #endBody(reading: Reading, piece: Buffer): void {
    const { due, body, gathered } = reading;
    this.#endReading(reading);
    const answer = (reply: Reply): void => {
      this.#letGo(reading);
      this.#answers.answer(due, reply);
    };
    body?.end(gathered?.finish() ?? piece).then(answer, () => answer(replies.failed));
  }

  #endReading({ due }: Reading): void {
    this.#reading = undefined;
    if (due.head?.isKeptAlive === false || this.#answers.isLast) this.#deafen();
    this.#sinceMs = this.#shared.nowMs;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** Some answers have been written. */
  #sent(): void {
    if (this.#answers.count === 0) {
      if (this.#isDeaf) this.#close();
      else if (!this.#reading) this.#sinceMs = this.#shared.nowMs;
    }
    this.#resume();
  }

  /** The client has sent all that it will, and may wait for what it is due. */
  #ended(): void {
    if (this.#reading?.body) this.giveUp(replies.cutOff);
    else this.#deafen();
  }

  /** Throws away whatever still comes; what is due is the last that is answered. */
  #deafen(): void {
    this.#isDeaf = true;
    this.#answers.isLast = true;
    this.#drop();
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#socket.resume(); // to see the client close
    }
    if (this.#answers.count === 0) this.#close();
  }

  #drop(): void {
    this.#reading?.body?.abandon();
    if (this.#reading) this.#letGo(this.#reading);
    this.#reading = undefined;
    this.#keep(undefined);
  }

  /** Says that nothing more will come, and leaves the client a while to read what it was answered. */
  #close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#sinceMs = this.#shared.nowMs;
    this.#socket.end();
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────

  /** Called every tick. */
  check(): void {
    const { nowMs, limits } = this.#shared;
    const forMs = nowMs - this.#sinceMs;
    const isAllSent = this.#socket.writableLength === 0;
    if (this.#isStalled(nowMs)) this.destroy();
    else if (this.#isClosing && isAllSent && forMs > limits.lingerMs) this.destroy();
    else if (this.#isDeaf || this.#isPaused) return;
    else if (this.#reading) {
      if (forMs > limits.requestMs || this.#isSlow(this.#reading)) this.giveUp(replies.tooSlow);
    } else if (this.#unread) {
      if (forMs > limits.headMs) this.giveUp(replies.tooSlow);
    } else if (this.#answers.count === 0) {
      if (forMs > (this.hasSpoken ? limits.idleMs : limits.headMs)) this.#deafen();
      else if (forMs > rememberMs) this.#known = undefined;
    }
  }

  /** Whether the client does not read what it is answered. */
  #isStalled(nowMs: number): boolean {
    const unsent = this.#socket.writableLength;
    if (unsent === 0 || unsent !== this.#unsentBytes) this.#unsentSinceMs = nowMs;
    this.#unsentBytes = unsent;
    return nowMs - this.#unsentSinceMs > this.#shared.limits.stallMs;
  }

  #isSlow(reading: Reading): boolean {
    const { nowMs, limits } = this.#shared;
    if (reading.isWaiting || nowMs - reading.paceSinceMs <= limits.paceMs) return false;
    const bytes = reading.received - reading.paceFrom;
    reading.paceSinceMs = nowMs;
    reading.paceFrom = reading.received;
    return bytes < limits.minPaceBytes;
  }
}

interface From {
  readonly chunk: Buffer;
  readonly at: number;
}

/** Without the rest of the piece that it came in. */
function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
