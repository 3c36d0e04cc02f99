import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, Sender } from "../../sdk/export/sender.ts";
import { HttpTransport } from "../../sdk/export/http.ts";
import type { Target } from "../../sdk/export/http.ts";
import { listenLocally } from "../support/listen.ts";
import { encodeRequest, sampleRequest } from "../support/otlp.ts";
import { until } from "../support/until.ts";
import { batchOf, named } from "./support/batch.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

let sink: Sink;
beforeEach(async () => void (sink = await startSink()));
afterEach(() => sink.close());

const body = encodeRequest("traces", sampleRequest("traces"));

function target(options: Partial<Target> = {}): HttpTransport {
  return new HttpTransport({
    url: `${sink.url}/v1/traces`,
    headers: { "content-type": "application/x-protobuf" },
    compression: "none",
    timeoutMs: 5000,
    tls: {},
    ...options,
  });
}

test("requests arrive with headers, compressed if asked", async () => {
  const sender = new Sender();
  sender.open(target({ compression: "gzip", headers: { authorization: "x" } }))(body, 1);
  await sender.flush();
  expect(sink.spans.length).toBeGreaterThan(0);
  expect(sink.requests[0]?.headers).toMatchObject({
    authorization: "x",
    "content-encoding": "gzip",
  });
  expect(sender.takeUnsent()).toEqual([]);
});

test("what waits is bounded, and there is room again once it is delivered", async () => {
  const sender = new Sender(body.length * 2);
  const send = sender.open(target());
  expect([send(body, 1), send(body, 1), send(body, 1)]).toEqual([true, true, false]);
  await sender.flush();
  expect(sink.requests).toHaveLength(2);
  expect(send(body, 1)).toBe(true);
  await sender.flush();
  expect(sink.requests).toHaveLength(3);
});

test("no more items wait than were asked for", async () => {
  const sender = new Sender();
  const send = sender.open(target(), 5);
  expect([send(body, 3), send(body, 3), send(body, 2)]).toEqual([true, false, true]);
  await sender.flush();
  expect(sink.requests).toHaveLength(2);
  expect(send(body, 5)).toBe(true);
  await sender.flush();
});

test("a flush waits for one attempt of a target that fails and for no more", async () => {
  sink.status = 503;
  const sender = new Sender();
  sender.open(target())(body, 1);
  await sender.flush();
  expect(sink.requests).toHaveLength(1);
  sink.status = 200;
  await sender.flush();
  expect(sink.spans.length).toBeGreaterThan(0);
});

test("a connection that the server closed while idle is no failure", async () => {
  const sender = new Sender();
  const send = sender.open(target());
  send(body, 1);
  await sender.flush();
  sink.dropConnections();
  send(body, 1);
  await sender.flush();
  expect(sink.requests).toHaveLength(2);
});

test("what is not with the operating system yet can be taken for a last send", async () => {
  const sender = new Sender();
  const send = sender.open(target());
  send(body, 1);
  send(body, 1);
  expect(sender.takeUnsent()).toHaveLength(2);
  await until("a request comes", () => sink.requests.length > 0);
  await sender.flush();
  expect(sink.requests).toHaveLength(1);
});

test("it says when it has read a request for the last time", async () => {
  const sender = new Sender();
  const send = sender.open(target());
  const done: number[] = [];
  sink.status = 503;
  send(body, 1, () => done.push(1));
  send(body, 1, () => done.push(2));
  await sender.flush();
  expect(done).toEqual([]); // it will be sent again
  sink.status = 200;
  await sender.flush();
  expect(done).toEqual([1, 2]);
  sink.status = 400; // refused, and that is that
  send(body, 1, () => done.push(3));
  await sender.flush();
  expect(done).toEqual([1, 2, 3]);
});

test("one that was taken for a last send is read by somebody else", async () => {
  const sender = new Sender();
  let isDone = false;
  sender.open(target())(body, 1, () => (isDone = true));
  expect(sender.takeUnsent()).toHaveLength(1);
  await until("the request comes", () => sink.requests.length > 0);
  await sender.flush();
  expect(isDone).toBe(false);
});

test("nor is one done with that was answered before it was read", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    socket.pause();
  });
  const port = await listenLocally(server);
  const sender = new Sender(1 << 26);
  let isDone = false;
  const url = `http://127.0.0.1:${port}/v1/traces`;
  sender.open(target({ url }))(new Uint8Array(1 << 25), 1, () => (isDone = true));
  await sender.flush();
  expect(isDone).toBe(false);
  server.close();
});

test("that one is read only after its answer says nothing of the next", async () => {
  const reads: (() => void)[] = [];
  const answers: ((answer: Answer) => void)[] = [];
  const sender = new Sender();
  const send = sender.open({
    url: sink.url,
    post: (_body, handOver) => {
      reads.push(handOver);
      return new Promise((resolve) => answers.push(resolve));
    },
    unsent: (sent) => ({ target: { url: sink.url, headers: {}, tls: {} }, body: sent }),
  });
  send(body, 1);
  send(body, 1);
  answers[0]!({ kind: "delivered" });
  await until("the next is under way", () => answers.length === 2);
  reads[0]!();
  expect(sender.takeUnsent()).toHaveLength(1);
});

test("requests in memory that is used again and again arrive as they were written", async () => {
  const sender = new Sender();
  const { batch, section } = batchOf(10, [sender.open(target())]);
  const names: string[] = [];
  for (let at = 0; at < 600; at++) {
    const name = `${at} `.repeat(1500);
    names.push(name);
    batch.add(section, named, name);
    if (at % 25 === 0) await setImmediate();
    if (at % 200 === 150) sink.status = 503;
    if (at % 200 === 199) {
      sink.status = 200;
      await sender.flush();
    }
  }
  batch.flush();
  await sender.flush();
  expect(sink.spans.map(({ name }) => name)).toEqual(names);
});

test("nothing is taken for a target that did not answer", async () => {
  const sender = new Sender();
  sink.status = 503;
  sender.open(target())(body, 1);
  await sender.flush();
  expect(sender.takeUnsent()).toEqual([]);
});
