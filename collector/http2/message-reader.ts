// Gathers the one message of a unary call from the pieces of its DATA.
//
//   ┌────────────────┬────────────┬─────────┐
//   │ compressed? u8 │ length u32 │ message │
//   └────────────────┴────────────┴─────────┘
//
// Whoever answers for the memory is asked when the length is known, before anything is kept.

import { copiedBelowBytes } from "../wire/batch.ts";
import type { Buffers } from "../sockets/buffers.ts";
import { type GrpcStatus, grpcCodes } from "./grpc-status.ts";

export const prefixBytes = 5;

export interface MessageAdmission {
  /** Why a message of this size is not taken. */
  hold(bytes: number): GrpcStatus | undefined;
}

const nothing: Buffer = Buffer.alloc(0);

export class MessageReader {
  readonly #buffers: Buffers | undefined;
  isCompressed = false;
  /** What the admission was asked for, and has granted. */
  heldBytes = 0;
  #isBadFlag = false;
  #prefixRead = 0;
  #length = 0;
  #received = 0;
  #bytes: Buffer = nothing;

  /** `buffers` are used again, so the log must copy what it keeps of them: it does when it is small. */
  constructor(buffers?: Buffers) {
    this.#buffers = buffers;
  }

  /** When all of it has come. */
  get message(): Buffer | undefined {
    return this.#prefixRead === prefixBytes && this.#received === this.#length
      ? this.#bytes.subarray(0, this.#length)
      : undefined;
  }

  /** What is wrong with the message, or with taking it. */
  read(
    chunk: Buffer,
    start: number,
    end: number,
    admission: MessageAdmission,
  ): GrpcStatus | undefined {
    let at = start;
    if (this.#prefixRead < prefixBytes) {
      while (at < end && this.#prefixRead < prefixBytes) this.#prefix(chunk[at++]!);
      if (this.#prefixRead < prefixBytes) return undefined;
      if (this.#isBadFlag) return { code: grpcCodes.internal, message: "not a gRPC message" };
      const refused = admission.hold(this.#length);
      if (refused) return refused;
      this.heldBytes = this.#length;
    }
    if (at === end) return undefined;
    if (end - at > this.#length - this.#received) return tooMany;
    this.#body(chunk, at, end);
    return undefined;
  }

  /** Its memory is wanted for something else. */
  forget(): void {
    this.heldBytes = 0;
    if (this.#length < copiedBelowBytes) this.#buffers?.giveBack(this.#bytes);
    this.#bytes = nothing;
  }

  #prefix(byte: number): void {
    if (this.#prefixRead === 0) {
      this.isCompressed = byte === 1;
      this.#isBadFlag = byte > 1;
    } else this.#length = this.#length * 256 + byte;
    this.#prefixRead++;
  }

  #body(chunk: Buffer, at: number, end: number): void {
    if (this.#received === 0) {
      const isSmall = this.#length < copiedBelowBytes;
      const lent = isSmall ? this.#buffers?.take(this.#length) : undefined;
      this.#bytes = lent ?? Buffer.allocUnsafe(this.#length);
    }
    chunk.copy(this.#bytes, this.#received, at, end);
    this.#received += end - at;
  }
}

/** The code that gRPC has for it. */
const tooMany: GrpcStatus = {
  code: grpcCodes.unimplemented,
  message: "more than one message; a call has exactly one",
};
