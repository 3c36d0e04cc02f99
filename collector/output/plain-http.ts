// Exchanges over HTTP/1.1 without TLS, on sockets that are kept. Not by node:http, for which V8 keeps having to
// compile anew what it had compiled for others: requests and answers were 8 % of what a log record costs that
// goes to Elasticsearch, in requests of five thousand; now they are 1 %.

import { validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { Waiters } from "../log/waiters.ts";
import { LentReads } from "../sockets/lent-reads.ts";
import { type AnswerError, HttpAnswerReader } from "../wire/http-answer.ts";
import {
  type Answered,
  type Exchange,
  type HttpRequest,
  isReset,
  type Way,
  type WayOptions,
} from "./http-exchange.ts";

/** Connections to servers; to each of them at most so many. */
export class PlainHttp implements Way {
  readonly #options: WayOptions;
  readonly #reads = new LentReads();
  readonly #hosts = new Map<string, Host>();

  constructor(options: WayOptions) {
    this.#options = options;
  }

  async exchange(request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    const head = headOf(request);
    const host = this.#hostOf(request.url);
    const line = await host.line(signal);
    if (!line) return givenUp;
    const answer = new HttpAnswerReader(this.#options.longestAnswerBytes);
    const exchange = await line.exchange({ head, body: request.body, answer }, signal);
    host.giveBack(line);
    return exchange;
  }

  dropIdle(): void {
    for (const host of this.#hosts.values()) host.dropIdle();
  }

  close(): void {
    for (const host of this.#hosts.values()) host.close();
  }

  #hostOf({ host, hostname, port }: URL): Host {
    const known = this.#hosts.get(host);
    if (known) return known;
    const peer = { host: hostname.replaceAll(/[[\]]/g, ""), port: Number(port || 80) };
    const made = new Host(
      () => this.#reads.connect({ ...peer, ...ofAll }),
      this.#options.maxConnections,
    );
    this.#hosts.set(host, made);
    return made;
  }
}

const givenUp: Exchange = { kind: "failed", error: new Error("given up before it was sent") };

function headOf({ method, url, headers }: HttpRequest): string {
  const { pathname, search, host, username, password } = url;
  const all: Record<string, string> = { host, connection: "keep-alive" };
  if (username || password) {
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    all["authorization"] = `Basic ${Buffer.from(user).toString("base64")}`;
  }
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderValue(name, value);
    all[name.toLowerCase()] = value;
  }
  let head = `${method} ${pathname}${search} HTTP/1.1\r\n`;
  for (const name in all) head += `${name}: ${all[name]}\r\n`;
  return `${head}\r\n`;
}

const ofAll = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000 };

/** The connections to one server. */
class Host {
  readonly #connect: () => Socket;
  readonly #most: number;
  readonly #idle: Line[] = [];
  readonly #used = new Set<Line>();
  readonly #waiters = new Waiters();

  constructor(connect: () => Socket, most: number) {
    this.#connect = connect;
    this.#most = most;
  }

  /** Undefined if the signal came first. */
  async line(signal: AbortSignal): Promise<Line | undefined> {
    while (!signal.aborted && this.#used.size >= this.#most) await this.#waiters.wait(signal);
    if (signal.aborted) return undefined;
    let line = this.#idle.pop();
    while (line && !line.isUsable) {
      line.close();
      line = this.#idle.pop();
    }
    line ??= new Line(this.#connect());
    this.#used.add(line);
    return line;
  }

  giveBack(line: Line): void {
    this.#used.delete(line);
    if (line.isUsable) this.#idle.push(line);
    else line.close();
    this.#waiters.wake(); // all of them: the first one may have given up by the time it looks
  }

  dropIdle(): void {
    for (const line of this.#idle.splice(0)) line.close();
  }

  close(): void {
    this.dropIdle();
    for (const line of this.#used) line.close();
  }
}

/** Before the time at which the server says that it closes a connection that nobody uses. */
const marginMs = 1000;

interface Message {
  readonly head: string;
  readonly body: readonly Uint8Array[];
  readonly answer: HttpAnswerReader;
}

/** One connection. */
class Line {
  readonly #socket: Socket;
  #answer: HttpAnswerReader | undefined;
  #settle: (exchange: Exchange) => void = () => {};
  #error: NodeJS.ErrnoException | undefined;
  #uses = 0;
  #closesAtMs = Infinity;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => (this.#error ??= error));
    socket.on("end", () => {
      this.#end();
      socket.destroy();
    });
    socket.on("close", () => this.#end());
  }

  get isUsable(): boolean {
    return !this.#socket.destroyed && performance.now() < this.#closesAtMs;
  }

  async exchange({ head, body, answer }: Message, signal: AbortSignal): Promise<Exchange> {
    if (signal.aborted) return givenUp; // since it was waited for this connection
    const socket = this.#socket;
    const abort = (): void => void socket.destroy(new Error("given up"));
    signal.addEventListener("abort", abort);
    this.#uses++;
    this.#answer = answer;
    const exchange = await new Promise<Exchange>((resolve) => {
      this.#settle = resolve;
      socket.ref();
      socket.cork();
      socket.write(head, "latin1");
      for (const part of body) socket.write(part);
      socket.uncork();
    });
    signal.removeEventListener("abort", abort);
    this.#answer = undefined;
    // A server may answer before it has read everything; it is not sent the rest.
    if (socket.writableLength > 0) socket.destroy();
    socket.unref();
    return exchange;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    const answer = this.#answer;
    if (!answer || answer.isDone) {
      this.close(); // nobody has asked
      return;
    }
    try {
      answer.take(bytes);
    } catch (error) {
      this.#socket.destroy(error as AnswerError); // it throws nothing else
      return;
    }
    if (!answer.isDone && !answer.isCut) return;
    if (!answer.isKept || answer.isCut) this.close();
    this.#closesAtMs = performance.now() + answer.keptMs - marginMs;
    this.#settle(answered(answer));
  }

  /** Nothing more comes. */
  #end(): void {
    const answer = this.#answer;
    if (!answer) return;
    if (answer.end() || answer.status > 0) this.#settle(answered(answer));
    else {
      const error = this.#error ?? new Error("the connection was closed without an answer");
      const isStale =
        this.#uses > 1 && answer.isEmpty && (this.#error === undefined || isReset(this.#error));
      this.#settle({ kind: isStale ? "stale" : "failed", error });
    }
  }
}

function answered(answer: HttpAnswerReader): Answered {
  const { status, headers, body, isCut, isDone } = answer;
  const cut = isCut ? "too long" : isDone ? undefined : "broken off";
  return { kind: "answered", status, headers: Object.fromEntries(headers), body, cut };
}
