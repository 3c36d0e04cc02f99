// What goes over a bare socket and what goes through node:http is the same to a receiver, and its answers are
// the same to the sender.

import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HttpTransport } from "../../../sdk/export/http.ts";
import type { Target } from "../../../sdk/export/http.ts";
import { isPlain } from "../../../sdk/export/plain-http.ts";
import { until } from "../../support/until.ts";

let server: Server;
let sockets: Socket[];
/** The requests as they came, and what is answered to each of them, by its number. */
let received: string[];
let answer: (number: number, socket: Socket) => string | undefined;

beforeEach(async () => {
  sockets = [];
  received = [];
  answer = () => ok;
  server = createServer((socket) => {
    sockets.push(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const headEnd = text.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (headEnd < 4 || text.length < headEnd + length) return;
      received.push(text);
      text = "";
      const said = answer(received.length, socket);
      if (said !== undefined) socket.write(said, "latin1");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const half = (status: string): string => `HTTP/1.1 ${status}\r\ncontent-length: 5\r\n\r\nhal`;
const body = Buffer.from("a body");

const portOf = (listening: Server): number => (listening.address() as AddressInfo).port; // on TCP

function transport(more: Partial<Target> = {}): HttpTransport {
  return new HttpTransport({
    url: `http://127.0.0.1:${portOf(server)}/v1/traces?x=y`,
    headers: {},
    compression: "none",
    timeoutMs: 5000,
    tls: {},
    ...more,
  });
}

const ways: Readonly<Record<string, Record<string, string>>> = {
  "on a socket": {},
  "through node:http": { connection: "keep-alive" },
};

test("a socket is used unless headers say how, or node:http would not send them", () => {
  const url = "http://localhost:4318/v1/traces";
  expect(isPlain({ url, headers: { "x-tenant": "ä 1" } })).toBe(true);
  expect(isPlain({ url: "https://localhost", headers: {} })).toBe(false);
  for (const headers of [
    { Host: "x" },
    { connection: "close" },
    { x: "a\r\nb: c" },
    { "x y": "" },
  ]) {
    expect(isPlain({ url, headers })).toBe(false);
  }
});

test("a request on a socket is the one that node:http would send", async () => {
  const headers = { "content-type": "x/y", "User-Agent": "sonde" };
  const url = `http://user:p%40ss@127.0.0.1:${portOf(server)}/v1/a%20b?x=y`;
  await transport({ url, headers }).post(body);
  await transport({ url, headers: { ...headers, connection: "keep-alive" } }).post(body);
  const [bare, nodes] = received.map((text) => {
    const [first, ...lines] = text.toLowerCase().split("\r\n");
    return [first, ...lines.toSorted()];
  });
  expect(bare).toEqual(nodes);
  expect(received[0]).toContain(Buffer.from("user:p@ss").toString("base64"));
});

test("an answer before the whole request is taken, and the connection is given up", async () => {
  server.removeAllListeners("connection").once("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("readable", () => {
      socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    });
  });
  expect(await transport().post(Buffer.alloc(64 * 1024 * 1024))).toEqual({
    kind: "refused",
    detail: "413 Too Large",
  });
  await until("it is closed", () => {
    sockets[0]?.resume();
    return sockets[0]?.destroyed === true;
  });
});

test("bytes that nobody has asked for are the end of a connection", async () => {
  const used = transport();
  await used.post(body);
  sockets[0]!.write("HTTP/1.1 408 Request Timeout\r\n\r\n");
  await until("it is closed", () => sockets[0]!.destroyed);
  expect(await used.post(body)).toEqual({ kind: "delivered" });
  expect(sockets).toHaveLength(2);
});

for (const [name, headers] of Object.entries(ways)) {
  describe(name, () => {
    test("one connection is used again and again", async () => {
      const used = transport({ headers });
      for (let index = 0; index < 3; index++) {
        expect(await used.post(body)).toEqual({ kind: "delivered" });
      }
      expect([received.length, sockets.length]).toEqual([3, 1]);
    });

    test("but not one that the server will close, or has closed", async () => {
      const used = transport({ headers });
      answer = () => ok.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
      await used.post(body);
      answer = () => ok.replace("\r\n\r\n", "\r\nkeep-alive: timeout=1\r\n\r\n");
      await used.post(body);
      expect(sockets).toHaveLength(2);
      await used.post(body);
      expect(sockets).toHaveLength(3);
      answer = (_, socket) => void socket.end(ok);
      await used.post(body);
      await until("it is closed", () => sockets.every((one) => one.destroyed));
      await used.post(body);
      expect([received.length, sockets.length]).toEqual([5, 5]);
    });

    test("an idle connection that breaks under the request is no failure, a new one is", async () => {
      const used = transport({ headers });
      await used.post(body);
      answer = (number, socket) => {
        if (number === 3) return ok;
        socket.resetAndDestroy();
        return undefined;
      };
      expect(await used.post(body)).toEqual({ kind: "delivered" });
      expect([received.length, sockets.length]).toEqual([3, 2]);
      answer = (_, socket) => void socket.resetAndDestroy();
      expect(await transport({ headers }).post(body)).toMatchObject({ kind: "failed" });
      expect(received).toHaveLength(4);
      answer = (_, socket) => void socket.end();
      expect(await transport({ headers }).post(body)).toEqual({
        kind: "failed",
        detail: "socket hang up",
      });
    });

    test("an answer tells what becomes of the request", async () => {
      const used = transport({ headers });
      const replies = [
        "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\n\x08\x03\x12\x05words",
        "HTTP/1.1 301 Moved\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Slower\r\ncontent-length: 0\r\n\r\n",
      ];
      answer = (number) => replies[number - 1];
      const said = [];
      for (const _ of replies) said.push(await used.post(body));
      expect(said).toEqual([
        { kind: "delivered" },
        { kind: "delivered" },
        { kind: "refused", detail: "400 Bad Request words" },
        { kind: "refused", detail: "301 Moved" },
        { kind: "failed", detail: "503 Busy", afterMs: 7000 },
        { kind: "failed", detail: "429 Slower" },
      ]);
      expect(sockets).toHaveLength(1);
    });

    test("an answer that breaks off counts if it is a good one", async () => {
      answer = (_, socket) => void socket.end(half("200 OK"));
      expect(await transport({ headers }).post(body)).toEqual({ kind: "delivered" });
      answer = (_, socket) => void socket.end(half("500 Oh"));
      expect(await transport({ headers }).post(body)).toMatchObject({ kind: "failed" });
    });

    test("no answer in time is a failure, and so is what is no answer", async () => {
      answer = () => undefined;
      expect(await transport({ headers, timeoutMs: 50 }).post(body)).toEqual({
        kind: "failed",
        detail: "no answer in time",
      });
      answer = () => "SSH-2.0\r\n\r\n";
      expect(await transport({ headers }).post(body)).toMatchObject({ kind: "failed" });
      await until("the connection is given up", () => sockets.every((one) => one.destroyed));
    });

    test("where nobody listens is a failure that says so", async () => {
      const used = transport({ headers });
      server.close();
      const said = await used.post(body);
      expect(said).toMatchObject({ kind: "failed" });
      expect(JSON.stringify(said)).toContain("ECONNREFUSED");
    });

    test("it says when the operating system has all of it", async () => {
      const used = transport({ headers });
      answer = () => undefined;
      let isHandedOver = false;
      const said = used.post(body, () => (isHandedOver = true));
      expect(isHandedOver).toBe(false);
      await until("it is handed over", () => isHandedOver);
      await until("it has come", () => received.length === 1);
      sockets[0]!.write(ok);
      expect(await said).toEqual({ kind: "delivered" });
    });
  });
}
