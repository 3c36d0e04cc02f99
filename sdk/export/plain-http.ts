// Requests over HTTP/1.1 without TLS, on one socket that is kept. Not by node:http: what it makes for us has other
// properties than what it makes for the app, and V8 has no fast code in Node for as many kinds of objects. That
// was a fifth of all that we added to a request of a bare server, and as much to one of express with a call.

import type { Socket, TcpNetConnectOpts } from "node:net";
import { HttpAnswerReader } from "../../collector/wire/http-answer.ts";
import { messageOf } from "../tell.ts";
import { answerOf, mostText } from "./answer.ts";
import type { Answer } from "./sender.ts";

// Not imported, as node:http is not: and taken before anything is instrumented.
const { connect } = process.getBuiltinModule("node:net");

export type Headers = Readonly<Record<string, string>>;

interface Where {
  readonly url: string;
  readonly headers: Headers;
  /** Without anything coming or going; 0 waits for ever. */
  readonly timeoutMs: number;
}

const nameOfHeader = /^[\w!#$%&'*+.^`|~-]+$/;
const valueOfHeader = /^[\t\x20-\x7e\x80-\xff]*$/;
/** What these say would have to be done. */
const unusual =
  /^(?:connection|content-encoding|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

/** Whether a socket is enough, and the headers are such that node:http would send them. */
export function isPlain({ url, headers }: Omit<Where, "timeoutMs">): boolean {
  return (
    url.startsWith("http:") &&
    Object.entries(headers).every(
      ([name, value]) =>
        nameOfHeader.test(name) && !unusual.test(name) && valueOfHeader.test(value),
    )
  );
}

/** Requests to one address, one after the other. */
export class PlainHttp {
  readonly #peer: TcpNetConnectOpts;
  /** Up to what tells of the body. */
  readonly #head: string;
  readonly #timeoutMs: number;
  #line: Line | undefined;

  constructor({ url, headers, timeoutMs }: Where) {
    const { host, port, pathname, search, username, password } = new URL(url);
    const name = host.replace(/:\d+$/, "");
    this.#peer = { host: name.replaceAll(/[[\]]/g, ""), port: port === "" ? 80 : Number(port) };
    this.#timeoutMs = timeoutMs;
    const all: Record<string, string> = { host, ...headers };
    const isNamed = Object.keys(headers).some((one) => one.toLowerCase() === "authorization");
    if (username + password !== "" && !isNamed) {
      const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      all["authorization"] = `Basic ${Buffer.from(user).toString("base64")}`;
    }
    all["connection"] = "keep-alive";
    this.#head = `POST ${pathname}${search} HTTP/1.1\r\n${linesOf(all)}`;
  }

  /** An idle connection that the server closed just now says nothing about the server: then once more. */
  async post(body: Uint8Array, more: Headers, handOver: () => void): Promise<Answer> {
    const rest = linesOf({ "content-length": String(body.length), ...more });
    const message = { head: `${this.#head}${rest}\r\n`, body, handOver };
    for (;;) {
      if (this.#line?.isUsable !== true) {
        this.#line?.close();
        this.#line = new Line(this.#peer, this.#timeoutMs);
      }
      const answer = await this.#line.post(message);
      if (answer !== "closed before") return answer;
    }
  }
}

/** As a connection that was idle ends when the server has closed it just now. */
export function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}

function linesOf(headers: Headers): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

interface Message {
  readonly head: string;
  readonly body: Uint8Array;
  /** Called once the operating system has all of it. */
  readonly handOver: () => void;
}

/** What is said of a request that another connection may be tried for: this one had been used before. */
type Said = Answer | "closed before";

/** Answers are short; of longer ones the beginning is enough. */
const readBytes = 4096;
/** Before the time at which the server says that it closes a connection that nobody uses. */
const marginMs = 1000;
const hungUp = "socket hang up"; // as node:http says it

/** One connection. */
class Line {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  #reader: HttpAnswerReader | undefined;
  #resolve: (said: Said) => void = () => {};
  #uses = 0;
  #staleAtMs = Infinity;
  #error: NodeJS.ErrnoException | undefined;

  constructor(peer: TcpNetConnectOpts, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    const socket = connect({
      ...peer,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 1000,
      // One small buffer for all; else each read has one of 64 KiB made for it.
      onread: {
        buffer: new Uint8Array(readBytes),
        callback: (size, bytes) => {
          this.#take(bytes.subarray(0, size));
          return true;
        },
      },
    });
    this.#socket = socket;
    socket.unref();
    socket.on("connect", () => socket.unref()); // it may have tried several addresses
    socket.on("timeout", () => socket.destroy(new Error("no answer in time")));
    socket.on("error", (error) => (this.#error = error));
    socket.on("close", () => this.#end());
  }

  get isUsable(): boolean {
    return !this.#socket.destroyed && performance.now() < this.#staleAtMs;
  }

  post({ head, body, handOver }: Message): Promise<Said> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      this.#reader = new HttpAnswerReader(mostText);
      this.#resolve = resolve;
      this.#uses++;
      socket.setTimeout(this.#timeoutMs);
      socket.cork();
      socket.write(head, "latin1");
      socket.write(body, (error) => {
        if (!error) handOver();
      });
      socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array): void {
    const reader = this.#reader;
    if (reader === undefined) {
      this.close(); // nobody has asked
      return;
    }
    try {
      reader.take(bytes);
    } catch (error) {
      this.#socket.destroy(error as Error); // the reader's
      return;
    }
    if (reader.isDone) this.#settle(reader);
  }

  #settle(reader: HttpAnswerReader): void {
    const socket = this.#socket;
    this.#reader = undefined;
    // One that answers before it has read all is not going to read the rest.
    if (!reader.isKept || socket.writableLength > 0) this.close();
    else socket.setTimeout(0);
    this.#staleAtMs = performance.now() + reader.keptMs - marginMs;
    this.#resolve(answerIn(reader));
  }

  #end(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    // Of an answer that is not whole the status is enough where all is well.
    if (reader.end() || (reader.status >= 200 && reader.status < 300)) {
      this.#resolve(answerIn(reader));
    } else if (this.#uses > 1 && (this.#error === undefined || isReset(this.#error))) {
      this.#resolve("closed before");
    } else {
      const detail = this.#error === undefined ? hungUp : messageOf(this.#error);
      this.#resolve({ kind: "failed", detail });
    }
  }
}

function answerIn({ status, message, headers, body }: HttpAnswerReader): Answer {
  const retryAfter = headers.get("retry-after");
  return answerOf({ status, message, retryAfter, text: body.toString("latin1") });
}
