// Large requests, which come in by turns.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Http1Server } from "../../../collector/http1/server.ts";
import { largeFromBytes, Turns } from "../../../collector/memory/turns.ts";
import { RawClient } from "../../support/raw-http.ts";
import { until } from "../../support/until.ts";
import { type Echo, startEcho } from "./echo.ts";

let echo: Echo;
let server: Http1Server;
const size = 2_000_000;
const head = `POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`;
const chunkedHead = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const part = Buffer.alloc(size / 2, "x");
/** What may be here of a request beyond where it became large: what one read brings. */
const readBytes = 64 << 10;

async function start(longestWaitMs: number): Promise<void> {
  [echo, server] = await startEcho({}, new Turns({ mostBytes: size, longestWaitMs }));
}

/** The first has its turn, with half of its body here. */
async function half(): Promise<RawClient> {
  const first = await RawClient.connect(server.port);
  first.send(head);
  first.send(part);
  await until("half of it is here", () => echo.heldBytes === part.length);
  return first;
}

async function waiting(text = head): Promise<RawClient> {
  const before = echo.heldBytes;
  const client = await RawClient.connect(server.port);
  client.send(text);
  client.send(part);
  client.send(part);
  await until("it is large", () => echo.heldBytes >= before + largeFromBytes);
  return client;
}

async function smallOnes(count: number): Promise<void> {
  const client = await RawClient.connect(server.port);
  for (let done = 0; done < count;) {
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nsmall");
    await client.answer(++done);
  }
}

beforeEach(() => start(60_000));
afterEach(async () => {
  await server.stop(AbortSignal.abort());
  expect(echo.heldBytes).toBe(0);
});

test("one waits on the network until the other has been answered; small ones do not wait", async () => {
  const first = await half();
  const second = await waiting();
  await smallOnes(20);
  expect(echo.heldBytes).toBeLessThan(part.length + largeFromBytes + readBytes);
  first.send(part);
  expect((await first.answer()).body).toBe(String(size));
  expect((await second.answer()).body).toBe(String(size));
  const large = echo.asked.filter(({ body }) => body.length === size);
  expect(large.map(({ body }) => /^x+$/.test(body))).toEqual([true, true]);
});

test("one that comes in chunks waits, too", async () => {
  const first = await half();
  const second = await waiting(`${chunkedHead}${size.toString(16)}\r\n`);
  second.send("\r\n0\r\n\r\n");
  await smallOnes(20);
  expect(echo.heldBytes).toBeLessThan(part.length + largeFromBytes + readBytes);
  first.send(part);
  expect((await second.answer()).body).toBe(String(size));
});

test("a connection goes on after a turn, and takes another", async () => {
  const first = await half();
  const second = await waiting();
  first.send(part);
  await second.answer();
  second.send(head);
  second.send(part);
  second.send(part);
  expect((await second.answer(2)).body).toBe(String(size));
});

test("one whose client has gone gives its turn to the next", async () => {
  const first = await half();
  const second = await waiting();
  first.socket.destroy();
  expect((await second.answer()).body).toBe(String(size));
  expect(echo.abandoned).toBe(1);
});

test("one whose client goes while it waits is forgotten", async () => {
  const first = await half();
  const second = await waiting();
  second.socket.destroy();
  first.send(part);
  await first.answer();
  await until("nothing is held", () => echo.heldBytes === 0);
  (await half()).socket.destroy();
});

test("who has waited for too long goes on, however slow the other is", async () => {
  await server.stop(AbortSignal.abort());
  await start(100);
  await half();
  const second = await waiting();
  expect((await second.answer()).body).toBe(String(size));
});
