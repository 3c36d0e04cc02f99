// Its answers; what else may go wrong stands in test/contract/faults.ts, for every output that uses it.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { HttpClient } from "../../../collector/output/http-client.ts";
import { listenLocally } from "../../support/listen.ts";
import { until } from "../../support/until.ts";

let server: Server;
let client: HttpClient;

afterEach(async () => {
  client.close();
  await new Promise((resolve) => server.close(resolve));
});

const never = new AbortController().signal;

/** A server, a client that has at most `maxConnections` to it, and its address. */
async function start(maxConnections: number, listener: RequestListener): Promise<string> {
  server = createServer(listener);
  const port = await listenLocally(server);
  const limits = { timeoutMs: 10_000, longestAnswerBytes: 1_000_000 };
  client = new HttpClient({ isTls: false, maxConnections, ...limits });
  return `127.0.0.1:${port}`;
}

const post = (address: string): Parameters<HttpClient["send"]>[0] => ({
  method: "POST",
  url: new URL(address),
  headers: {},
  body: [Buffer.from("x")],
});

test("answers that come at the same time in many pieces are each whole, and stay so", async () => {
  const bytes = 300_000;
  const address = await start(4, (request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-length": bytes });
      const piece = (left: number): void => {
        if (left === 0) return void response.end();
        response.write(request.url!.slice(1).repeat(10_000));
        setImmediate(piece, left - 10_000);
      };
      piece(bytes);
    });
  });
  const letters = Array.from("abcdefghijkl");
  const answers = await Promise.all(
    letters.map((letter) => client.send(post(`http://${address}/${letter}`), never)),
  );
  const bodies = answers.map((answer) => (answer.kind === "answer" ? String(answer.body) : answer));
  expect(bodies).toEqual(letters.map((letter) => letter.repeat(bytes)));
});

test("a request says who it is for and from whom, and what it was told to", async () => {
  let came: IncomingMessage | undefined;
  const address = await start(1, (request, response) => {
    came = request;
    request.resume().on("end", () => response.end());
  });
  await client.send({ ...post(`http://u%20s:p@${address}/a%20b?c=%64`), method: "PUT" }, never);
  expect([came?.method, came?.url]).toEqual(["PUT", "/a%20b?c=%64"]);
  expect(came?.headers).toEqual({
    host: address,
    connection: "keep-alive",
    "user-agent": expect.stringMatching(/^sonde\/\d/),
    authorization: `Basic ${Buffer.from("u s:p").toString("base64")}`,
    "content-length": "1",
  });
  const headers = { Host: "elsewhere", Authorization: "Bearer t" };
  await client.send({ ...post(`http://u:p@${address}/`), headers }, never);
  expect(came?.headers).toMatchObject({ host: "elsewhere", authorization: "Bearer t" });
  const split = { ...post(`http://${address}/`), headers: { x: "a\r\nb: c" } };
  await expect(client.send(split, never)).rejects.toThrow(/x/);
});

test("of an answer that is not whole it is told why, and of what is none that it is none", async () => {
  const address = await start(1, ({ url, socket }, response) => {
    if (url === "/none") {
      socket.end("SSH-2.0-OpenSSH_9.9\r\n");
      return;
    }
    response.writeHead(200, { "content-length": url === "/long" ? 1_000_001 : 4 });
    if (url === "/broken") response.write("ab", () => socket.destroy());
    else response.end(url === "/long" ? "x".repeat(1_000_001) : "abcd");
  });
  const send = (path: string) => client.send(post(`http://${address}${path}`), never);
  expect(await send("/whole")).toMatchObject({ kind: "answer", cutBy: undefined });
  expect(await send("/long")).toMatchObject({
    kind: "answer",
    cutBy: {
      reason: "bad_answer",
      detail: "the answer is too large, at most 1000000 bytes are read",
    },
  });
  expect(await send("/broken")).toMatchObject({
    kind: "answer",
    cutBy: { reason: "unreachable", detail: "the answer broke off" },
  });
  expect(await send("/none")).toMatchObject({
    kind: "none",
    reason: "bad_answer",
    detail: "it does not answer in HTTP/1.1",
  });
});

test("who waits for a connection gets the next one, or gives up", async () => {
  const waiting: (() => void)[] = [];
  const address = await start(1, (request, response) => {
    request.resume().on("end", () => waiting.push(() => response.end()));
  });
  const first = client.send(post(`http://${address}/1`), never);
  const stop = new AbortController();
  const second = client.send(post(`http://${address}/2`), stop.signal);
  const third = client.send(post(`http://${address}/3`), never);
  await until("the first one has come", () => waiting.length === 1);
  stop.abort();
  expect(await second).toMatchObject({ kind: "none", reason: "unreachable" });
  waiting[0]!();
  expect(await first).toMatchObject({ status: 200 });
  await until("the third one has come", () => waiting.length === 2);
  waiting[1]!();
  expect(await third).toMatchObject({ status: 200 });
});

/** Calls `then` so many microtasks after something has come on a connection that is made from now on. */
function whenAnswered(microtasks: number, then: () => void): void {
  const hop = (left: number): void => (left === 0 ? then() : queueMicrotask(() => hop(left - 1)));
  const listen = (message: unknown): void => {
    unsubscribe("net.client.socket", listen);
    const { socket } = message as { socket: Socket }; // as Node documents it
    socket.once("data", () => hop(microtasks));
  };
  subscribe("net.client.socket", listen);
}

test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
  "whoever gives up about when its turn comes, %i steps after the answer, takes it from nobody",
  async (microtasks) => {
    const stop = new AbortController();
    const address = await start(1, (request, response) => {
      request.resume().on("end", () => response.end());
    });
    whenAnswered(microtasks, () => stop.abort());
    const first = client.send(post(`http://${address}/1`), never);
    const second = client.send(post(`http://${address}/2`), stop.signal);
    const third = client.send(post(`http://${address}/3`), never);
    expect(await first).toMatchObject({ status: 200 });
    expect(await second).toMatchObject({ kind: "none", reason: "unreachable" });
    expect(await third).toMatchObject({ status: 200 });
  },
);

test("a connection is not used any more when the server is about to close it", async () => {
  const ports = new Set<number | undefined>();
  let seconds = 1;
  const address = await start(1, (request, response) => {
    ports.add(request.socket.remotePort);
    response.setHeader("keep-alive", `timeout=${seconds}`);
    request.resume().on("end", () => response.end());
  });
  await client.send(post(`http://${address}/`), never);
  seconds = 60;
  for (let more = 0; more < 3; more++) await client.send(post(`http://${address}/`), never);
  expect(ports.size).toBe(2);
});
