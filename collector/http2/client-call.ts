// One unary call of a client: what is sent, what has been answered, and the time it may take.

import { gunzipSync } from "node:zlib";
import { AnswerHead } from "./answer-head.ts";
import { type GrpcStatus, grpcCodes } from "./grpc-status.ts";
import { type MessageAdmission, MessageReader, prefixBytes } from "./message-reader.ts";
import type { Body, Outgoing, Sending } from "./outgoing.ts";

export interface GrpcRequest {
  /** A whole header block. */
  readonly head: Buffer;
  /** One behind the other they are the message. They are sent as they are, and not copied if large. */
  readonly parts: readonly Uint8Array[];
  readonly isCompressed: boolean;
  /** For all of the call, the connection included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type GrpcAnswer =
  /** `message` is empty unless the status is OK. */
  | {
      readonly kind: "answered";
      readonly status: GrpcStatus;
      readonly message: Uint8Array;
      /** Whether all parts have left, so that their memory may be used again. */
      readonly isSent: boolean;
    }
  | {
      readonly kind: "failed";
      readonly reason: "unreachable" | "timeout" | "bad_answer";
      readonly detail: string;
    };

/** What an answer may take; none of those that we ask for need a tenth of it. */
const longestAnswerBytes = 64 << 10;
const nothing = Buffer.alloc(0);

export class ClientCall implements Sending, MessageAdmission {
  readonly request: GrpcRequest;
  readonly startedMs = performance.now();
  /** 0 until it has a stream. */
  id = 0;
  sendWindow = 0;
  body: Body | undefined;
  /** The headers have come, so what comes next is trailers. */
  hasHead = false;
  head = new AnswerHead();
  readonly reader = new MessageReader();
  #out: Outgoing | undefined;
  /** How many bytes had been put out when the last one of this had been. */
  #sentAt = Infinity;
  readonly #settle: (answer: GrpcAnswer) => void;
  readonly #late: NodeJS.Timeout;
  readonly #aborted: () => void;

  /** `cut` is called when its time is over, or it was aborted: it has been answered then. */
  constructor(
    request: GrpcRequest,
    settle: (answer: GrpcAnswer) => void,
    cut: (call: ClientCall, why: "late" | "aborted") => void,
  ) {
    this.request = request;
    this.#settle = settle;
    const { timeoutMs, signal } = request;
    this.#late = setTimeout(() => {
      this.fail("timeout", `no answer within ${timeoutMs} ms`);
      cut(this, "late");
    }, timeoutMs);
    this.#aborted = (): void => {
      this.fail("unreachable", "given up");
      cut(this, "aborted");
    };
    signal.addEventListener("abort", this.#aborted, { once: true });
  }

  /** It has a stream now; the body begins. */
  open(id: number, out: Outgoing): void {
    const { parts, isCompressed } = this.request;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const prefix = Buffer.alloc(prefixBytes);
    prefix[0] = isCompressed ? 1 : 0;
    prefix.writeUInt32BE(length, 1);
    this.id = id;
    this.sendWindow = out.peer.initialWindowBytes;
    this.#out = out;
    this.body = {
      parts: [prefix, ...parts],
      part: 0,
      offset: 0,
      remaining: prefixBytes + length,
      trailers: undefined,
      sent: () => (this.#sentAt = out.putBytes),
    };
  }

  hold(bytes: number): GrpcStatus | undefined {
    if (bytes <= longestAnswerBytes) return undefined;
    return { code: grpcCodes.unknown, message: `an answer of ${bytes} bytes` };
  }

  /** By what the server has said. */
  finish(): void {
    const status = this.head.grpcStatus;
    const message = status.code === grpcCodes.ok ? this.#message() : nothing;
    const isSent = (this.#out?.leftBytes ?? 0) >= this.#sentAt;
    this.#end({ kind: "answered", status, message, isSent });
  }

  fail(reason: "unreachable" | "timeout" | "bad_answer", detail: string): void {
    this.#end({ kind: "failed", reason, detail });
  }

  #end(answer: GrpcAnswer): void {
    clearTimeout(this.#late);
    this.request.signal.removeEventListener("abort", this.#aborted);
    this.#settle(answer);
  }

  /** What cannot be unpacked says nothing; the status is what counts. */
  #message(): Uint8Array {
    const { message = nothing, isCompressed } = this.reader;
    if (!isCompressed || message.length === 0) return message;
    try {
      return gunzipSync(message, { maxOutputLength: longestAnswerBytes });
    } catch {
      return nothing;
    }
  }
}
