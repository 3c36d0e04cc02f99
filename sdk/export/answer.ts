// What a receiver says over HTTP/1.1, read from a socket as it comes. Only what a sender of telemetry needs of
// an answer is kept: its status, when to try again, and the beginning of its body.

import type { Answer } from "./sender.ts";

export interface Answered {
  readonly status: number;
  readonly message: string;
  readonly retryAfter: string | undefined;
  /** The first characters of the body. */
  readonly text: string;
}

export function answerOf({ status, message, retryAfter, text }: Answered): Answer {
  if (status < 300) return { kind: "delivered" };
  const detail = `${status} ${message} ${wordsIn(text)}`.trimEnd();
  if (![429, 502, 503, 504].includes(status)) return { kind: "refused", detail };
  const afterMs = Number(retryAfter) * 1000;
  return afterMs > 0
    ? { kind: "failed", detail, afterMs: Math.min(afterMs, 60_000) }
    : { kind: "failed", detail };
}

/** It may be protobuf: what a person can read of that stands between bytes that are no text. */
function wordsIn(answer: string): string {
  return answer
    .slice(0, mostText)
    .replaceAll(/[^ -~]+/g, " ")
    .trim();
}

/** The body matters only where the target refuses, and then its beginning is enough. */
export const mostText = 200;
/** Of a head, as Node has it, and of a line between chunks. */
const mostHead = 16 * 1024;
const mostLine = 1024;

/** What comes next of an answer. */
type Place = "head" | "body" | "rest" | "size" | "chunk" | "chunk end" | "trailers" | "done";

export class AnswerReader implements Answered {
  status = 0;
  message = "";
  retryAfter: string | undefined;
  text = "";
  /** Whether the connection may be used again, and for how long the server keeps it if it says so. */
  isKept = false;
  keptMs = Infinity;
  #place: Place = "head";
  /** Of a line or a head that is not whole yet. */
  #begun = "";
  /** Of a body or a chunk. */
  #left = 0;

  get isDone(): boolean {
    return this.#place === "done";
  }

  /** Throws at what is no answer. The bytes may change afterwards. */
  take(bytes: Uint8Array): void {
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    while (text !== "") text = this.#step(text);
  }

  /** The connection is closed; false where something of the answer is missing. */
  end(): boolean {
    if (this.#place === "rest") this.#place = "done";
    return this.isDone;
  }

  /** Gives what it has not read. */
  #step(text: string): string {
    switch (this.#place) {
      case "head":
        return this.#untilEmptyLine(text, (head) => this.#readHead(head));
      case "body":
        return this.#read(text, "done");
      case "chunk":
        return this.#read(text, "chunk end");
      case "rest":
        this.#keep(text);
        return "";
      case "size":
        return this.#line(text, (line) => this.#readSize(line));
      case "chunk end":
        return this.#line(text, () => void (this.#place = "size"));
      case "trailers":
        return this.#line(text, (line) => {
          if (line === "") this.#place = "done";
        });
      case "done":
        this.isKept = false; // nobody has asked for more
        return "";
      default:
        return this.#place satisfies never;
    }
  }

  #read(text: string, next: Place): string {
    const part = text.slice(0, this.#left);
    this.#keep(part);
    this.#left -= part.length;
    if (this.#left === 0) this.#place = next;
    return text.slice(part.length);
  }

  #keep(text: string): void {
    if (this.text.length < mostText) this.text += text.slice(0, mostText);
  }

  #line(text: string, read: (line: string) => void): string {
    const end = text.indexOf("\n");
    this.#begun += end === -1 ? text : text.slice(0, end);
    if (this.#begun.length > mostLine) throw new Error("its answer has too long a line");
    if (end === -1) return "";
    const line = this.#begun.endsWith("\r") ? this.#begun.slice(0, -1) : this.#begun;
    this.#begun = "";
    read(line);
    return text.slice(end + 1);
  }

  #untilEmptyLine(text: string, read: (head: string) => void): string {
    const before = this.#begun.length;
    const all = this.#begun + text;
    const end = all.indexOf("\r\n\r\n");
    if ((end === -1 ? all.length : end) > mostHead)
      throw new Error("its answer has too long a head");
    if (end === -1) {
      this.#begun = all;
      return "";
    }
    this.#begun = "";
    read(all.slice(0, end));
    return text.slice(end + 4 - before);
  }

  #readHead(head: string): void {
    const [first = "", ...lines] = head.split("\r\n");
    const [, minor, status, message = ""] = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(first) ?? [];
    if (status === undefined) throw new Error("it does not answer in HTTP/1.1");
    this.status = Number(status);
    this.message = message;
    if (this.status === 101) throw new Error("it answers in another protocol");
    if (this.status < 200) return; // the answer follows
    const headers = headersIn(lines);
    this.retryAfter = headers.get("retry-after");
    this.isKept = minor === "1" && !/\bclose\b/i.test(headers.get("connection") ?? "");
    const kept = /\btimeout=(\d+)/i.exec(headers.get("keep-alive") ?? "")?.[1];
    if (kept !== undefined) this.keptMs = Number(kept) * 1000;
    this.#place = this.#placeOfBody(headers);
  }

  #placeOfBody(headers: ReadonlyMap<string, string>): Place {
    if (this.status === 204 || this.status === 304) return "done";
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined && /\bchunked$/i.test(coding)) return "size";
    const length = headers.get("content-length");
    if (coding !== undefined || length === undefined) {
      this.isKept = false; // its end is that of the body
      return "rest";
    }
    if (!/^\d{1,15}$/.test(length)) throw new Error("its answer has no length");
    this.#left = Number(length);
    return this.#left === 0 ? "done" : "body";
  }

  #readSize(line: string): void {
    const size = /^[\da-f]{1,12}(?=$|[ \t;])/i.exec(line)?.[0];
    if (size === undefined) throw new Error("its answer has a chunk without a size");
    this.#left = Number.parseInt(size, 16);
    this.#place = this.#left === 0 ? "trailers" : "chunk";
  }
}

/** By their names in small letters; of several all values, as one list. */
function headersIn(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new Error("its answer has a line that is no header");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}
