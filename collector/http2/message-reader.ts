// Gathers the one message of a unary call from the pieces of its DATA.
//
//   ┌────────────────┬────────────┬─────────┐
//   │ compressed? u8 │ length u32 │ message │
//   └────────────────┴────────────┴─────────┘
//
// Whoever answers for the memory is asked when the length is known, before anything is kept.

import { Gathered } from "../memory/gathered.ts";
import { Memory } from "../memory/memory.ts";
import { type GrpcStatus, grpcCodes } from "./grpc-status.ts";

export const prefixBytes = 5;

export interface MessageAdmission {
  /** Why a message of this size is not taken. */
  hold(bytes: number): GrpcStatus | undefined;
}

const nothing: Buffer = Buffer.alloc(0);

export class MessageReader {
  readonly #memory: Memory | undefined;
  isCompressed = false;
  /** What the admission was asked for, and has granted. */
  heldBytes = 0;
  #isBadFlag = false;
  #prefixRead = 0;
  #length = 0;
  #received = 0;
  #gathered: Gathered | undefined;

  /** The message is gathered in `memory`, in its own if not given. */
  constructor(memory?: Memory) {
    this.#memory = memory;
  }

  /** When all of it has come; valid until it is forgotten. */
  get message(): Buffer | undefined {
    return this.#prefixRead === prefixBytes && this.#received === this.#length
      ? (this.#gathered?.finish() ?? nothing)
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
    this.#gathered?.release();
    this.#gathered = undefined;
  }

  #prefix(byte: number): void {
    if (this.#prefixRead === 0) {
      this.isCompressed = byte === 1;
      this.#isBadFlag = byte > 1;
    } else this.#length = this.#length * 256 + byte;
    this.#prefixRead++;
  }

  #body(chunk: Buffer, at: number, end: number): void {
    this.#gathered ??= new Gathered(this.#memory ?? new Memory(), this.#length);
    this.#gathered.add(chunk, at, end);
    this.#received += end - at;
  }
}

/** The code that gRPC has for it. */
const tooMany: GrpcStatus = {
  code: grpcCodes.unimplemented,
  message: "more than one message; a call has exactly one",
};
