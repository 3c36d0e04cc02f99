// OTLP over HTTP: protobuf or JSON, gzip or not. The answer, good or bad, comes in the request's own
// encoding, as the specification wants.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gunzip } from "node:zlib";
import { authority, listen, type Listening } from "../listen.ts";
import type { Signal } from "../wire/batch.ts";
import { fromJson, JsonError } from "../wire/from-json.ts";
import type { Answer, Intake, Receiver } from "./intake.ts";
import { encodeStatus, rpcCodes, type RpcStatus, statusOf } from "./rpc-status.ts";

const paths: Readonly<Record<string, Signal>> = {
  "/v1/traces": "traces",
  "/v1/metrics": "metrics",
  "/v1/logs": "logs",
};

/** Longer than the intervals at which SDKs export, so that they do not meet a connection being closed. */
const keepAliveMs = 75_000;
const headersTimeoutMs = 20_000;
const requestTimeoutMs = 60_000;

const encodings = ["application/x-protobuf", "application/json"] as const;
type Encoding = (typeof encodings)[number];

export async function startOtlpHttp(intake: Intake, where: Listening): Promise<Receiver> {
  const server = createServer(
    {
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => {
      response.on("error", () => {}); // the client has gone; nobody is left to tell
      void serve(intake, request, response);
    },
  );
  const port = await listen(server, where);
  return {
    url: `http://${authority(where.host, port)}`,
    stop: (deadline) => stop(server, deadline),
  };
}

/** What is wrong with a request before its bytes are looked at, or what became of them. */
interface Refusal {
  readonly status: number;
  readonly rpc: RpcStatus;
}

async function serve(
  intake: Intake,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  const encoding = encodings.find((known) => known === type);
  try {
    const refusal = await handle(intake, request, encoding);
    if (refusal) refuse(response, refusal, encoding);
    else accept(response, encoding ?? "application/x-protobuf");
  } catch (error) {
    const { message } = error as Error;
    const rpc = { code: rpcCodes.internal, message: `internal error: ${message}` };
    if (!request.destroyed || request.complete) refuse(response, { status: 500, rpc }, encoding);
  }
}

async function handle(
  intake: Intake,
  request: IncomingMessage,
  encoding: Encoding | undefined,
): Promise<Refusal | undefined> {
  const path = request.url?.split("?", 1)[0] ?? "";
  const signal = Object.hasOwn(paths, path) ? paths[path] : undefined;
  if (!signal) {
    const message = `no such path; OTLP/HTTP is at POST ${Object.keys(paths).join(", ")}`;
    return { status: 404, rpc: { code: rpcCodes.notFound, message } };
  }
  if (request.method !== "POST") {
    const message = `${request.method} is not taken here, POST is`;
    return { status: 405, rpc: { code: rpcCodes.unimplemented, message } };
  }
  if (!encoding) {
    const given = JSON.stringify(request.headers["content-type"] ?? "");
    const message = `content-type ${given.slice(0, 100)}: give ${encodings.join(" or ")}`;
    return { status: 415, rpc: { code: rpcCodes.invalidArgument, message } };
  }
  const compression = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (compression !== "identity" && compression !== "gzip") {
    const message = `content-encoding ${JSON.stringify(compression).slice(0, 100)}: give gzip or none`;
    return { status: 415, rpc: { code: rpcCodes.invalidArgument, message } };
  }
  const answer = await read(intake, request, (body) =>
    takeBody(intake, body, { signal, encoding, isGzip: compression === "gzip" }),
  );
  return answer.kind === "accepted" ? undefined : refusalOf(answer);
}

function refusalOf(answer: Exclude<Answer, { kind: "accepted" }>): Refusal {
  const status = { invalid: 400, too_large: 413, unavailable: 503 }[answer.kind];
  return { status, rpc: statusOf(answer) };
}

// ── body ─────────────────────────────────────────────────────────────────────────────────────────

/** Reads the body and hands it on; what it holds in memory meanwhile is accounted for. */
async function read(
  intake: Intake,
  request: IncomingMessage,
  use: (body: Buffer) => Promise<Answer>,
): Promise<Answer> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > intake.requestMaxBytes) return tooLarge(intake);
  const hold = new Hold(intake);
  try {
    const body = hold.growTo(declared) ?? (await collect(request, hold));
    return Buffer.isBuffer(body) ? await use(body) : body;
  } finally {
    hold.release();
  }
}

/** The bytes of one request that are accounted for. */
class Hold {
  readonly #intake: Intake;
  #bytes = 0;

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  /** What to answer when there is no room for so many. */
  growTo(bytes: number): Answer | undefined {
    if (bytes > this.#intake.requestMaxBytes) return tooLarge(this.#intake);
    if (bytes <= this.#bytes) return undefined;
    const refused = this.#intake.hold(bytes - this.#bytes);
    if (!refused) this.#bytes = bytes;
    return refused;
  }

  release(): void {
    this.#intake.release(this.#bytes);
  }
}

/** By events: an async iterator costs several times as much for a small body. */
function collect(request: IncomingMessage, hold: Hold): Promise<Buffer | Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      const refused = hold.growTo(size);
      if (refused) {
        request.removeAllListeners("data").pause();
        resolve(refused);
      } else chunks.push(chunk);
    });
    request.on("end", () => {
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    });
    request.on("error", reject); // also when the client goes away in the middle
  });
}

interface Body {
  readonly signal: Signal;
  readonly encoding: Encoding;
  readonly isGzip: boolean;
}

async function takeBody(
  intake: Intake,
  body: Buffer,
  { signal, encoding, isGzip }: Body,
): Promise<Answer> {
  const plain = isGzip ? await unzip(intake, body) : body;
  if (!Buffer.isBuffer(plain)) return invalid(intake, signal, plain);
  const extra = isGzip ? plain.length : 0;
  const refused = intake.hold(extra);
  if (refused) return refused;
  try {
    const bytes = encoding === "application/json" ? fromJson(signal, plain) : plain;
    return await intake.take("otlp_http", signal, bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return invalid(intake, signal, { kind: "invalid", message: error.message });
  } finally {
    intake.release(extra);
  }
}

function invalid(intake: Intake, signal: Signal, answer: Answer): Answer {
  intake.count("otlp_http", signal, { outcome: "invalid", items: 1 });
  return answer;
}

function unzip(intake: Intake, body: Buffer): Promise<Buffer | Answer> {
  return new Promise((resolve) => {
    gunzip(body, { maxOutputLength: intake.requestMaxBytes }, (error, plain) => {
      if (!error) resolve(plain);
      else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
        resolve(tooLarge(intake));
      } else resolve({ kind: "invalid", message: `the body is not gzip: ${error.message}` });
    });
  });
}

function tooLarge({ requestMaxBytes }: Intake): Answer {
  const message = `the request is larger than request_max_bytes, ${requestMaxBytes} after decompression`;
  return { kind: "too_large", message };
}

// ── answers ──────────────────────────────────────────────────────────────────────────────────────

function accept(response: ServerResponse, encoding: Encoding): void {
  const body = encoding === "application/json" ? "{}" : "";
  response.writeHead(200, { "content-type": encoding, "content-length": body.length });
  response.end(body);
}

function refuse(
  response: ServerResponse,
  { status, rpc }: Refusal,
  encoding: Encoding | undefined,
): void {
  if (response.headersSent) return;
  const { code, message } = rpc;
  const body =
    encoding === "application/x-protobuf" ? encodeStatus(rpc) : JSON.stringify({ code, message });
  const type = encoding ?? "application/json";
  response.setHeader("content-type", type);
  response.setHeader("content-length", Buffer.byteLength(body));
  if (status === 405) response.setHeader("allow", "POST");
  if (rpc.retryAfterS !== undefined) response.setHeader("retry-after", rpc.retryAfterS);
  const { req: request } = response;
  // A body that is not wanted is not read to its end either.
  if (!request.complete) response.setHeader("connection", "close");
  response.statusCode = status;
  response.end(body, () => {
    if (!request.complete) request.destroy();
  });
}

async function stop(server: Server, deadline: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = (): void => server.closeAllConnections();
  if (deadline.aborted) cut();
  deadline.addEventListener("abort", cut, { once: true });
  await closed;
  deadline.removeEventListener("abort", cut);
}
