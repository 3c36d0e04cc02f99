// The other side of the app that is measured, as a process of its own: sends the requests, is the service
// that the app calls, and takes the telemetry. It does as little as it can, being on the other core: were
// it slower than the app, that would be waiting for it. Started by sdk.ts.

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { validate } from "../../collector/wire/validate.ts";
import { answer } from "./child.ts";

export type LoadQuestion =
  /** Where it listens. */
  | { readonly kind: "listen" }
  | SendOrder
  /** How much telemetry has come so far. */
  | { readonly kind: "count" }
  /** Whether telemetry with this text in it has come. */
  | { readonly kind: "has"; readonly text: string };

export interface SendOrder {
  readonly kind: "send";
  readonly url: string;
  readonly requests: number;
  readonly connections: number;
  /** Requests a second; as fast as they are answered unless given. */
  readonly rate?: number;
}

export interface Sent {
  /** Of paced requests. */
  readonly latenciesMs: readonly number[];
}

export interface Arrived {
  /** Whole traces of an agent that does not speak OTLP. */
  readonly spans: number;
  readonly logs: number;
}

let isListening: Promise<{ url: string }> | undefined;
/** The last bodies, for "has"; no more are needed, and memory is not to grow. */
const bodies: Buffer[] = [];
const mostBodies = 200;
const arrived = { spans: 0, logs: 0 };

answer(async (question: LoadQuestion): Promise<object> => {
  switch (question.kind) {
    case "listen":
      return await (isListening ??= listen());
    case "send":
      return await send(question);
    case "count":
      return arrived;
    case "has":
      return { has: bodies.some((body) => body.includes(question.text)) };
    default:
      return question satisfies never;
  }
});

async function listen(): Promise<{ url: string }> {
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      response.end("12");
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      take(request, Buffer.concat(chunks));
      // An empty message of OTLP; an object for those who read JSON.
      const isJson = !request.url?.startsWith("/v1/");
      response.end(isJson ? "{}" : "");
    });
  });
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }; // it listens on TCP
}

function take({ url, headers }: IncomingMessage, sent: Buffer): void {
  const body = sent[0] === 0x1f && sent[1] === 0x8b ? gunzipSync(sent) : sent;
  bodies.push(body);
  if (bodies.length > mostBodies) bodies.shift();
  if (url === "/v1/traces") arrived.spans += itemsIn("traces", body);
  else if (url === "/v1/logs") arrived.logs += itemsIn("logs", body);
  else arrived.spans += Number(headers["x-datadog-trace-count"] ?? 0);
}

function itemsIn(signal: "traces" | "logs", body: Buffer): number {
  const read = validate(signal, body);
  if (read.kind === "invalid") throw new Error(`${signal} that are no OTLP: ${read.problem.why}`);
  return read.batch.items;
}

async function send(order: SendOrder): Promise<Sent> {
  const { hostname, port } = new URL(order.url);
  const plan = new Plan(order);
  const lanes = await Promise.all(
    Array.from({ length: order.connections }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      await once(socket, "connect");
      return new Lane(plan, socket);
    }),
  );
  for (const lane of lanes) lane.start();
  await plan.done;
  return { latenciesMs: plan.latenciesMs };
}

/** What the connections have to send together. */
class Plan {
  readonly head: Buffer;
  readonly latenciesMs: number[] = [];
  readonly done: Promise<void>;
  readonly #order: SendOrder;
  readonly #beginMs = performance.now();
  #next = 0;
  #answered = 0;
  #end: () => void = () => {};
  fail: (error: Error) => void = () => {};

  constructor(order: SendOrder) {
    this.#order = order;
    const { pathname, host } = new URL(order.url);
    this.head = Buffer.from(`GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    this.done = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.fail = reject;
    });
  }

  /**
   * When the next is due: undefined when there is none any more. Of a paced request the time counts from
   * then: a slow answer delays those behind it.
   */
  take(): number | undefined {
    const { requests, rate } = this.#order;
    const number = this.#next++;
    if (number >= requests) return undefined;
    return rate === undefined ? 0 : this.#beginMs + (number * 1000) / rate;
  }

  answered(dueMs: number): void {
    if (dueMs > 0) this.latenciesMs.push(performance.now() - dueMs);
    if (++this.#answered === this.#order.requests) this.#end();
  }
}

/** One connection, which sends a request when the one before is answered. */
class Lane {
  readonly #plan: Plan;
  readonly #socket: Socket;
  #dueMs = 0;
  #text = "";
  /** Of an answer with its head: they are alike, so that most need not be read. */
  #size = 0;

  constructor(plan: Plan, socket: Socket) {
    this.#plan = plan;
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => plan.fail(new Error("the app closed the connection")));
    socket.on("error", plan.fail);
  }

  start(): void {
    const dueMs = this.#plan.take();
    if (dueMs === undefined) {
      this.#socket.removeAllListeners("close").destroy();
      return;
    }
    this.#dueMs = dueMs;
    this.#writeWhenDue();
  }

  /** A timer comes up to a millisecond late, which is more than an answer takes: the last of it is waited awake. */
  #writeWhenDue(): void {
    const waitMs = this.#dueMs === 0 ? 0 : this.#dueMs - performance.now();
    if (waitMs <= 0) this.#socket.write(this.#plan.head);
    else if (waitMs < 2) setImmediate(() => this.#writeWhenDue());
    else setTimeout(() => this.#writeWhenDue(), waitMs - 2);
  }

  #take(chunk: Buffer): void {
    if (this.#text === "" && chunk.length === this.#size && chunk[9] === 0x32 /* of 200 */) {
      this.#finish();
      return;
    }
    this.#text += chunk.toString("latin1");
    const headEnd = this.#text.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#text)?.[1];
    const size = headEnd + 4 + Number(length);
    const isWhole =
      length === undefined ? this.#text.endsWith("0\r\n\r\n") : this.#text.length >= size;
    if (!isWhole) return;
    if (!this.#text.startsWith("HTTP/1.1 200")) this.#plan.fail(new Error(this.#text));
    if (length !== undefined) this.#size = size;
    this.#text = "";
    this.#finish();
  }

  #finish(): void {
    this.#plan.answered(this.#dueMs);
    this.start();
  }
}
