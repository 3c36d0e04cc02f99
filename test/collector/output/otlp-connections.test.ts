// How the OTLP output uses connections: it keeps them, takes no more than it is allowed, and is not
// caught out by a server that closes one which was idle.

import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { open } from "../../../collector/output/otlp/otlp.ts";
import { settings } from "../../../collector/output/otlp/settings.ts";
import type { Output } from "../../../collector/output/output.ts";
import { deliveryOf, outputContext } from "../../contract/output.ts";
import { listenLocally } from "../../support/listen.ts";
import { until } from "../../support/until.ts";

/** Answers each request by what `answer` makes of it; sees every connection. */
interface Server {
  readonly url: string;
  readonly connections: Socket[];
  requests: number;
  answer: (socket: Socket) => void;
  /** In place of all else. */
  accepts: ((socket: Socket) => void) | undefined;
  close(): Promise<void>;
}

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const never = new AbortController().signal;

let server: Server | undefined;
let output: Output | undefined;
afterEach(async () => {
  await output?.close();
  await server?.close();
  output = server = undefined;
});

async function start(given: Record<string, unknown> = {}): Promise<[Server, Output]> {
  const listening = createServer((socket) => {
    made.connections.push(socket);
    socket.on("error", () => {});
    if (made.accepts) {
      made.accepts(socket);
      return;
    }
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (end < 0 || text.length < end + 4 + length) return;
      text = "";
      made.requests++;
      made.answer(socket);
    });
  });
  const port = await listenLocally(listening);
  const made: Server = {
    url: `http://127.0.0.1:${port}`,
    connections: [],
    requests: 0,
    answer: (socket) => socket.write(ok),
    accepts: undefined,
    close: () =>
      new Promise((resolve) => {
        listening.close(() => resolve());
        for (const socket of made.connections) socket.destroy();
      }),
  };
  server = made;
  output = await open(settings.parse({ endpoint: made.url, ...given }), outputContext());
  return [made, output];
}

test("one delivery after the other goes over one connection", async () => {
  const [server, output] = await start();
  for (let index = 0; index < 5; index++) {
    expect(await output.deliver(deliveryOf("traces", [2]), never)).toEqual({ kind: "delivered" });
  }
  expect(server.connections.length).toBe(1);
});

test("as many connections as deliveries on their way, and these are kept", async () => {
  const [server, output] = await start({ max_in_flight: 3 });
  for (let round = 0; round < 3; round++) {
    const outcomes = [1, 2, 3].map(() => output.deliver(deliveryOf("traces", [2]), never));
    await Promise.all(outcomes);
  }
  expect(server.connections.length).toBe(3);
});

test("an idle connection that the server resets when it is used again: sent anew at once", async () => {
  const [server, output] = await start();
  await output.deliver(deliveryOf("traces", [2]), never);
  server.answer = (socket) => {
    server.answer = (next) => next.write(ok);
    socket.resetAndDestroy();
  };
  expect(await output.deliver(deliveryOf("traces", [2]), never)).toEqual({ kind: "delivered" });
  expect(server.connections.length).toBe(2);
});

test("that is done once: a server that resets every time is unreachable", async () => {
  const [server, output] = await start();
  await output.deliver(deliveryOf("traces", [2]), never);
  server.answer = (socket) => socket.resetAndDestroy();
  const before = server.requests;
  expect(await output.deliver(deliveryOf("traces", [2]), never)).toMatchObject({
    kind: "retry",
    reason: "unreachable",
  });
  expect(server.requests - before).toBe(2);
});

test("a first request that is reset is not sent anew by itself", async () => {
  const [server, output] = await start();
  server.answer = (socket) => socket.resetAndDestroy();
  expect(await output.deliver(deliveryOf("traces", [2]), never)).toMatchObject({ kind: "retry" });
  expect(server.requests).toBe(1);
});

test("all idle connections are given up with the stale one", async () => {
  const [server, output] = await start({ max_in_flight: 3 });
  await Promise.all([1, 2, 3].map(() => output.deliver(deliveryOf("traces", [2]), never)));
  server.answer = (socket) => {
    server.answer = (next) => next.write(ok);
    socket.resetAndDestroy();
  };
  expect(await output.deliver(deliveryOf("traces", [2]), never)).toEqual({ kind: "delivered" });
  expect(server.connections.length).toBe(4);
  await until("the others are closed", () => {
    const open = server.connections.filter(({ destroyed }) => !destroyed);
    return open.length === 1;
  });
});

test.each([
  ["garbage", "\0\x01 this is no HTTP\r\n\r\n", "bad_answer"],
  ["another protocol", "220 smtp.example.com ESMTP\r\n", "bad_answer"],
  ["endless headers", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`, "bad_answer"],
  [
    "a switch of protocol",
    "HTTP/1.1 101 ok\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "bad_answer",
  ],
  ["a closed connection", "", "unreachable"],
])("%s for an answer: retry, %s", async (_what, text, reason) => {
  const [server, output] = await start({ timeout_ms: 3_000 });
  server.answer = (socket) => socket.end(text);
  const outcome = await output.deliver(deliveryOf("traces", [2]), never);
  expect(outcome).toMatchObject({ kind: "retry", reason });
});

test("an answer before the whole request was read is the answer", async () => {
  const [server, output] = await start();
  const large = deliveryOf("traces", [5000]);
  server.answer = () => {};
  const delivered = output.deliver(large, never);
  const socket = await until("a connection", () => server.connections[0]);
  socket.pause();
  socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
  expect(await delivered).toMatchObject({ kind: "rejected", reason: "too_large", items: 5000 });
});

test("nothing of a request is sent any more once its memory may be used again", async () => {
  const [server, output] = await start();
  const delivery = deliveryOf(
    "traces",
    Array.from({ length: 800 }, () => 30),
  );
  const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));
  const came: Buffer[] = [];
  server.accepts = (socket) => {
    socket.once("readable", () => socket.write(ok));
  };
  expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
  const [socket] = server.connections;
  socket!.on("data", (bytes: Buffer) => came.push(bytes));
  await until("it is closed", () => socket!.destroyed);
  const all = Buffer.concat(came);
  const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
  expect(body.length).toBeGreaterThan(0);
  expect(body.length).toBeLessThan(sent.length);
  expect(body.equals(sent.subarray(0, body.length))).toBe(true);
});
