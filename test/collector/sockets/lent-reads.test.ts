import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { LentReads } from "../../../collector/sockets/lent-reads.ts";
import { listenLocally } from "../../support/listen.ts";
import { until } from "../../support/until.ts";

let server: Server;
const clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** What each connection has brought, in the order in which they came. */
async function start(onSocket: (socket: Socket, index: number) => void): Promise<() => Socket> {
  const reads = new LentReads();
  let count = 0;
  server = createServer({ allowHalfOpen: true }, (given) => onSocket(reads.take(given), count++));
  const port = await listenLocally(server);
  return () => {
    const client = connect(port, "127.0.0.1");
    clients.push(client);
    return client;
  };
}

test("every connection is read into the same memory, and each gets its own bytes", async () => {
  const received: string[] = [];
  const memory = new Set<ArrayBufferLike>();
  const open = await start((socket, index) => {
    received[index] = "";
    socket.on("data", (lent: Buffer) => {
      memory.add(lent.buffer);
      received[index] += lent.toString();
      lent.fill(0);
    });
  });
  const senders = Array.from({ length: 10 }, () => open());
  await Promise.all(senders.map((sender) => once(sender, "connect")));
  const texts = senders.map((_, index) => String.fromCharCode(97 + index).repeat(200_000));
  senders.forEach((sender, index) => sender.write(texts[index]!));
  const all = (): boolean => received.join("").length === 2_000_000;
  await until("everything has come", all);
  expect(new Set(received)).toEqual(new Set(texts));
  expect(memory.size).toBe(1);
});

test("so are those that a client opens", async () => {
  const memory = new Set<ArrayBufferLike>();
  server = createServer((socket) => socket.end(String(socket.remotePort! % 10).repeat(200_000)));
  const port = await listenLocally(server);
  const reads = new LentReads();
  const sockets = Array.from({ length: 10 }, () => reads.connect({ port, host: "127.0.0.1" }));
  clients.push(...sockets);
  const received = await Promise.all(
    sockets.map(async (socket) => {
      let text = "";
      socket.on("data", (lent: Buffer) => {
        memory.add(lent.buffer);
        text += lent.toString();
        lent.fill(0);
      });
      await once(socket, "connect");
      const digit = String(socket.localPort! % 10);
      await once(socket, "end");
      return text === digit.repeat(200_000);
    }),
  );
  expect(received).toEqual(sockets.map(() => true));
  expect(memory.size).toBe(1);
});

test("it can be answered, paused and gone on with", async () => {
  let taken: Socket | undefined;
  let bytes = 0;
  const open = await start((socket) => {
    taken = socket;
    socket.on("data", (lent: Buffer) => {
      bytes += lent.length;
      socket.pause();
    });
  });
  const client = open();
  client.write(Buffer.alloc(1_000_000));
  await until("the first piece", () => bytes > 0);
  expect(bytes).toBeLessThanOrEqual(65_536);
  await until("all has come", () => {
    taken?.resume();
    return bytes === 1_000_000;
  });
  taken?.write("thanks");
  expect(String(await once(client, "data"))).toBe("thanks");
});

test("who has sent all may still be answered, and the end is told", async () => {
  const ended: boolean[] = [];
  const open = await start((socket) => {
    socket.resume();
    socket.on("end", () => {
      ended.push(true);
      socket.end("goodbye");
    });
  });
  const client = open();
  client.end("hello");
  expect(String(await once(client, "data"))).toBe("goodbye");
  expect(ended).toEqual([true]);
});

test("a connection that breaks off is closed", async () => {
  let isClosed = false;
  const open = await start((socket) => {
    socket.on("data", () => {});
    socket.on("error", () => {});
    socket.on("close", () => (isClosed = true));
  });
  const client = open();
  await once(client, "connect");
  client.resetAndDestroy();
  await until("it is closed", () => isClosed);
});
