// Takes the chunked transfer coding off a body, however the bytes are cut into pieces. Extensions and
// trailers are read over, but not any byte that another reader could take for something else.
//
//   5;extension CRLF hello CRLF … 0 CRLF trailer: ignored CRLF CRLF

import { isTokenByte } from "./head.ts";

/** Of a line with a size, and of all trailers together. */
const maxLineBytes = 4096;
const maxSizeDigits = 8;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const semicolon = 0x3b;

type State = "size" | "extension" | "data" | "behind data" | "trailer name" | "trailer value";

export class Chunks {
  /** Set once the last byte of the body was read. */
  isDone = false;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  /** Of a trailer. */
  #name = "";
  #wasCarriageReturn = false;
  /** The last one of a line. */
  #byte = 0;

  /**
   * Reads from `from` on and hands pieces of the body to `take`, which says whether it wants more. The
   * index behind what was read, or -1 for what is not chunked at all.
   */
  read(bytes: Buffer, from: number, take: (piece: Buffer) => boolean): number {
    let at = from;
    while (at < bytes.length && !this.isDone) {
      if (this.#state === "data") {
        const piece = bytes.subarray(at, at + this.#size);
        at += piece.length;
        this.#size -= piece.length;
        if (this.#size === 0) this.#state = "behind data";
        if (!take(piece)) return at;
      } else if (!this.#step(bytes[at++]!)) return -1;
    }
    return at;
  }

  /** A byte of a line; false at one that must not stand there. */
  #step(byte: number): boolean {
    if (this.#wasCarriageReturn) {
      this.#wasCarriageReturn = false;
      return byte === lineFeed && this.#endLine();
    }
    const before = this.#byte;
    this.#byte = byte;
    if (byte === carriageReturn) {
      this.#wasCarriageReturn = true;
      return this.#state !== "extension" || before !== semicolon;
    }
    if (++this.#lineBytes > maxLineBytes) return false;
    switch (this.#state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        // A name stands behind each semicolon.
        return isTokenByte(byte) || (isExtensionByte(byte) && before !== semicolon);
      case "trailer name":
        return this.#nameByte(byte);
      case "trailer value":
        return byte >= 0x20 ? byte !== 0x7f : byte === 0x09;
      default:
        return false; // behind data there is a line end and nothing else
    }
  }

  #sizeByte(byte: number): boolean {
    if (byte === semicolon) {
      this.#state = "extension";
      return this.#digits > 0;
    }
    const digit = hexDigit(byte);
    this.#size = this.#size * 16 + digit;
    return digit >= 0 && ++this.#digits <= maxSizeDigits;
  }

  #nameByte(byte: number): boolean {
    if (byte === 0x3a) {
      this.#state = "trailer value";
      return this.#name !== "" && !isFraming.test(this.#name);
    }
    this.#name += String.fromCharCode(byte);
    return isTokenByte(byte);
  }

  #endLine(): boolean {
    const { state, isSound } = this.#behindLine();
    this.#state = state;
    return isSound;
  }

  #behindLine(): { state: State; isSound: boolean } {
    switch (this.#state) {
      case "behind data":
        this.#digits = 0;
        this.#size = 0;
        this.#lineBytes = 0;
        return { state: "size", isSound: true };
      case "size":
      case "extension":
        this.#lineBytes = 0;
        return { state: this.#size > 0 ? "data" : "trailer name", isSound: this.#digits > 0 };
      case "trailer name": // an empty line, or one without a colon
        this.isDone = this.#name === "";
        return { state: "trailer name", isSound: this.isDone };
      default:
        this.#name = "";
        return { state: "trailer name", isSound: true };
    }
  }
}

/** Behind the body nothing can say how long it is. */
const isFraming = /^(content-length|transfer-encoding)$/i;

/** = ; and the quotes of a value. */
const isExtensionByte = (byte: number): boolean =>
  byte === 0x3d || byte === semicolon || byte === 0x22;

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
