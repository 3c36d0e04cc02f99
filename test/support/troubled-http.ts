// An HTTP server in trouble.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { gunzipSync } from "node:zlib";
import { uncompress } from "snappyjs";
import type { Desk, Fault, Transport } from "./troubled-server.ts";

function receive(
  desk: Desk<ServerResponse>,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  const sentBefore = incoming.socket.bytesWritten;
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("error", () => {});
  incoming.on("end", () => {
    const { method = "", url: path = "", headers } = incoming;
    const body = unpacked(Buffer.concat(chunks), headers["content-encoding"]);
    if (!desk.answer({ method, path, headers, body }, response)) response.end("{}");
  });
  desk.begins();
  response.on("close", () => desk.ends(incoming.socket.bytesWritten - sentBefore));
}

function unpacked(bytes: Buffer, encoding = ""): Buffer {
  if (encoding === "snappy") return Buffer.from(uncompress(bytes));
  return encoding === "gzip" ? gunzipSync(bytes) : bytes;
}

export const answerStatus =
  (code: number, headers: Record<string, string> = {}): Fault<ServerResponse> =>
  (response) =>
    response.writeHead(code, headers).end();

function endless(response: ServerResponse): void {
  const more = (): void => {
    if (!response.destroyed) response.write("x".repeat(64 << 10), () => setImmediate(more));
  };
  more();
}

function dripping(response: ServerResponse): void {
  const timer = setInterval(() => response.write("x"), 30);
  response.on("close", () => clearInterval(timer));
}

function breakingOff(response: ServerResponse): void {
  response.writeHead(response.statusCode, { "content-length": 100 }).write("x");
  setImmediate(() => response.socket?.resetAndDestroy());
}

const passing: Transport<ServerResponse>["passing"] = {
  "resets the connection": (response) => response.socket!.resetAndDestroy(),
  "closes the connection": (response) => response.socket!.end(),
  "answers garbage": (response) => response.socket!.end("\0garbage\r\n\r\n"),
  "answers half a status line": (response) => response.socket!.end("HTTP/1.1 20"),
  "answers 500 without end": (response) => endless(response.writeHead(500)),
  "answers 503 and resets in the middle of it": (response) => {
    response.statusCode = 503;
    breakingOff(response);
  },
  "answers 401": answerStatus(401),
  "answers 403": answerStatus(403),
  "answers 404": answerStatus(404),
  "answers 408": answerStatus(408),
  "answers 429": answerStatus(429),
  "answers 429, with a Retry-After that is none": answerStatus(429, { "retry-after": "soon" }),
  "answers 500": answerStatus(500),
  "answers 502": answerStatus(502),
  "answers 503": answerStatus(503),
  "answers 504": answerStatus(504),
};

const hanging: Transport<ServerResponse>["hanging"] = {
  "never answers": () => {},
  "answers 503 a byte at a time": (response) => dripping(response.writeHead(503)),
};

const oddThanks: Transport<ServerResponse>["oddThanks"] = {
  "answers 200 whose body is reset in the middle": breakingOff,
  "answers 200 whose body is garbage": (response) =>
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end("\xff\xff"),
  "answers 200 whose body never ends": (response) => endless(response.writeHead(200)),
  "answers 200 a byte at a time": (response) => dripping(response.writeHead(200)),
};

export const overHttp: Transport<ServerResponse> = {
  scheme: "http",
  open(desk, tls) {
    const answer = receive.bind(undefined, desk);
    return tls ? createTlsServer(tls, answer) : createServer(answer);
  },
  passing,
  hanging,
  oddThanks,
  tooLarge: (response) => void response.writeHead(413).end(),
  busy: {
    "in seconds": (response) => void response.writeHead(429, { "retry-after": "1" }).end(),
    "as a date": (response) => {
      const date = new Date(Date.now() + 2_000).toUTCString();
      response.writeHead(429, { "retry-after": date }).end();
    },
  },
  busyForEver: (response) => void response.writeHead(503, { "retry-after": "999999999999" }).end(),
  redirects: (location) => [301, 302, 307, 308].map((code) => answerStatus(code, { location })),
};
