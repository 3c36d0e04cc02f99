// The other side of the app that is measured, as a process of its own: sends the requests, is the service
// that the app calls, and takes the telemetry. It does as little as it can, being on the other core.
// Started by sdk-measure.ts.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { answer } from "./child.ts";

export type LoadQuestion =
  /** Where it listens. */
  | { readonly kind: "listen" }
  | SendOrder
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
  readonly p50Ms: number;
  readonly p99Ms: number;
}

let isListening: Promise<{ url: string }> | undefined;
/** The last bodies, for "has"; no more are needed, and memory is not to grow. */
const bodies: Buffer[] = [];
const mostBodies = 200;

answer(async (question: LoadQuestion) => {
  switch (question.kind) {
    case "listen":
      return await (isListening ??= listen());
    case "send":
      return await send(question);
    case "has":
      return { has: bodies.some((body) => unzipped(body).includes(question.text)) };
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
      bodies.push(Buffer.concat(chunks));
      if (bodies.length > mostBodies) bodies.shift();
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

function unzipped(body: Buffer): Buffer {
  return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
}

async function send({ url, requests, connections, rate }: SendOrder): Promise<Sent> {
  const { hostname, port, pathname, host } = new URL(url);
  const head = Buffer.from(`GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  const latencies = new Float64Array(requests);
  const begin = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    for (let number = next++; number < requests; number = next++) {
      // Of a paced request the time counts from when it was due: a slow answer delays those behind it.
      const due = rate === undefined ? performance.now() : begin + (number * 1000) / rate;
      const waitMs = due - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await exchange(socket, head);
      latencies[number] = performance.now() - due;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, lane));
  latencies.sort();
  const at = (share: number): number => latencies[Math.floor(requests * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** One request and its whole answer, of which no more is read than where it ends. */
function exchange(socket: Socket, head: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
      const isWhole =
        length === undefined
          ? text.endsWith("0\r\n\r\n")
          : text.length >= headEnd + 4 + Number(length);
      if (!isWhole) return;
      end();
      if (text.startsWith("HTTP/1.1 200")) resolve();
      else reject(new Error(text.slice(0, 200)));
    };
    const onClose = (): void => {
      end();
      reject(new Error("the app closed the connection"));
    };
    const end = (): void => {
      socket.off("data", onData).off("close", onClose).off("error", onClose);
    };
    socket.on("data", onData).on("close", onClose).on("error", onClose);
    socket.write(head);
  });
}
