import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { GrpcAnswer } from "../../../collector/http2/client-call.ts";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import { errorCodes, frameTypes } from "../../../collector/http2/protocol.ts";
import {
  data,
  frame,
  headers,
  message,
  RawPeer,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "../../support/http2.ts";
import { until } from "../../support/until.ts";
import {
  call,
  clientTo,
  closeAll,
  closing,
  isHeaders,
  isOk,
  listening,
  ok,
  okHead,
  scripted,
} from "./calling.ts";

afterEach(closeAll);

describe("how a call may end", () => {
  const ending = async (frames: readonly Buffer[]): Promise<GrpcAnswer> => {
    const { client, peer } = await scripted();
    const answer = call(client);
    const server = await peer();
    await server.see("the call", isHeaders(1));
    server.send(...frames);
    return await answer;
  };
  const status = (code: number, text: string) => ({
    kind: "answered",
    status: { code, message: text },
  });
  const trailersOnly = (...list: Header[]): Buffer => headers(1, [...okHead, ...list], 0x5);
  const framed = (bytes: Uint8Array, isCompressed = false): Buffer[] => [
    headers(1, okHead),
    data(1, message(bytes, { isCompressed })),
    headers(1, [["grpc-status", "0"]], 0x5),
  ];

  test.each<[string, readonly Buffer[], object]>([
    ["OK", [ok(1)], { ...isOk, message: Buffer.from("fine") }],
    ["OK in gzip", framed(gzipSync("fine"), true), { ...isOk, message: Buffer.from("fine") }],
    [
      "OK in what is not gzip",
      framed(Buffer.from("fine"), true),
      { ...isOk, message: Buffer.alloc(0) },
    ],
    [
      "OK in a bomb",
      framed(gzipSync(Buffer.alloc(1 << 20)), true),
      { ...isOk, message: Buffer.alloc(0) },
    ],
    ["OK at the limit", framed(Buffer.alloc(1 << 16).subarray(0, 16_000)), isOk],
    [
      "trailers alone",
      [trailersOnly(["grpc-status", "14"], ["grpc-message", "later%21"])],
      status(14, "later!"),
    ],
    ["after an interim answer", [headers(1, [[":status", "103"]]), ok(1)], isOk],
    ["a status that is no number", [trailersOnly(["grpc-status", "x"])], status(2, "")],
    [
      "a proxy's page",
      [headers(1, [[":status", "503"]]), data(1, Buffer.alloc(9_000, 60), true)],
      status(14, "HTTP 503 without gRPC"),
    ],
    [
      "a proxy that asks who we are",
      [headers(1, [[":status", "401"]], 0x5)],
      status(16, "HTTP 401 without gRPC"),
    ],
    [
      "a proxy that finds it too large",
      [headers(1, [[":status", "413"]], 0x5)],
      status(8, "HTTP 413 without gRPC"),
    ],
    [
      "no status at all",
      [headers(1, okHead), data(1, message(Buffer.from("x")), true)],
      status(2, "HTTP 200 without gRPC"),
    ],
    ["broken off", [reset(1, errorCodes.internal)], { kind: "failed", reason: "unreachable" }],
    ["refused", [reset(1, errorCodes.refusedStream)], { kind: "failed", reason: "unreachable" }],
    [
      "an answer above the limit",
      [headers(1, okHead), data(1, message(Buffer.alloc(1), { length: 65_537 }))],
      { kind: "failed", reason: "bad_answer" },
    ],
    [
      "two messages",
      [
        headers(1, okHead),
        data(1, Buffer.concat([message(Buffer.from("a")), message(Buffer.from("b"))])),
      ],
      { kind: "failed", reason: "bad_answer" },
    ],
    [
      "malformed headers",
      [headers(1, [["Not-Lower", "1"]])],
      { kind: "failed", reason: "bad_answer" },
    ],
    [
      "headers in the middle",
      [headers(1, okHead), headers(1, okHead)],
      { kind: "failed", reason: "bad_answer" },
    ],
    ["garbage", [Buffer.alloc(100, 0x2e)], { kind: "failed", reason: "unreachable" }],
    [
      "headers that cannot be read",
      [frame(1, 4, 1, Buffer.from([0xff]))],
      { kind: "failed", reason: "unreachable" },
    ],
    [
      "headers without end",
      [frame(1, 0, 1, Buffer.alloc(9_000)), frame(9, 0, 1, Buffer.alloc(9_000))],
      { kind: "failed", reason: "unreachable" },
    ],
    ["a push", [frame(5, 4, 1, uint32(2))], { kind: "failed", reason: "unreachable" }],
    ["an answer to nothing", [ok(3)], { kind: "failed", reason: "unreachable" }],
  ])("%s", async (_, frames, expected) => {
    expect(await ending(frames)).toMatchObject(expected);
  });

  test("an answer before all was sent: the rest is not sent", async () => {
    const { client, peer } = await scripted([4, 10]);
    const answer = call(client, { parts: [Buffer.alloc(1_000)] });
    const server = await peer();
    await server.see("some", ({ type }) => type === frameTypes.data);
    server.send(headers(1, [...okHead, ["grpc-status", "8"]], 0x5), windowUpdate(1, 5_000));
    expect(await answer).toMatchObject({ status: { code: 8 } });
    await server.see("a reset", ({ type }) => type === frameTypes.reset);
    const next = call(client, { parts: [Buffer.alloc(1)] });
    await server.see("the next", isHeaders(3));
    expect(server.seen.filter(({ stream, type }) => stream === 1 && type === 0).length).toBe(1);
    server.send(ok(3));
    expect(await next).toMatchObject(isOk);
  });

  test("too late: the call is cancelled, the connection goes on", async () => {
    const { client, peer, peers } = await scripted();
    const late = await call(client, { timeoutMs: 100 });
    expect(late).toEqual({ kind: "failed", reason: "timeout", detail: "no answer within 100 ms" });
    const server = await peer();
    const cut = await server.see("a reset", ({ type }) => type === frameTypes.reset);
    expect([cut.stream, cut.payload.readUInt32BE(0)]).toEqual([1, errorCodes.cancel]);
    const next = call(client);
    await server.see("the next", isHeaders(3));
    server.send(ok(1), ok(3)); // the first comes too late, which is no fault
    expect(await next).toMatchObject(isOk);
    expect(peers.length).toBe(1);
  });

  test("given up: at once, wherever it is", async () => {
    const { client, peer } = await scripted([3, 1]);
    const abort = new AbortController();
    const [begun, waiting] = [1, 2].map(() => call(client, { signal: abort.signal }));
    const server = await peer();
    await server.see("the first", isHeaders(1));
    abort.abort();
    const givenUp = { kind: "failed", reason: "unreachable", detail: "given up" };
    expect(await Promise.all([begun, waiting, call(client, { signal: abort.signal })])).toEqual([
      givenUp,
      givenUp,
      givenUp,
    ]);
    await server.see("a reset", ({ type }) => type === frameTypes.reset);
    const next = call(client);
    await server.see("the next", isHeaders(3));
    server.send(ok(3));
    expect(await next).toMatchObject(isOk);
  });
});

describe("connections", () => {
  test("nobody there: said at once, and found when it is there", async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const client = clientTo(port);
    expect(await call(client)).toMatchObject({ reason: "unreachable", detail: /ECONNREFUSED/ });
    const echo = createServer((socket) => {
      const peer = new RawPeer(socket, { isServer: true });
      peer.send(settings());
      void peer.see("the call", isHeaders(1)).then(() => peer.send(ok(1)));
      closing.push(() => socket.destroy());
    });
    await listening(echo, port);
    expect(await call(client)).toMatchObject(isOk);
  });

  test.each<[string, (peer: RawPeer) => void]>([
    ["HTTP/1", (peer) => peer.send(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))],
    ["nothing, and closes", (peer) => peer.socket.end()],
    ["nothing, and resets", (peer) => peer.socket.resetAndDestroy()],
  ])("a server that speaks %s: unreachable", async (_, speak) => {
    const server = createServer((socket) => speak(new RawPeer(socket)));
    const client = clientTo(await listening(server));
    expect(await call(client)).toMatchObject({ kind: "failed", reason: "unreachable" });
  });

  test("one that breaks off takes its calls with it; the next call makes another", async () => {
    const { client, peer, peers } = await scripted();
    const lost = [call(client), call(client)];
    const first = await peer();
    await first.see("both", isHeaders(3));
    first.socket.destroy();
    expect(await Promise.all(lost)).toMatchObject([
      { kind: "failed", reason: "unreachable" },
      { kind: "failed", reason: "unreachable" },
    ]);
    const next = call(client);
    const second = await until("another", () => peers[1]);
    await second.see("the call", isHeaders(1));
    second.send(ok(1));
    expect(await next).toMatchObject(isOk);
  });

  test("GOAWAY: what was taken is answered, what was not is to be sent again, on another", async () => {
    const { client, peer, peers } = await scripted();
    const [taken, not] = [call(client), call(client)];
    const first = await peer();
    await first.see("both", isHeaders(3));
    first.send(frame(7, 0, 0, Buffer.concat([uint32(1, 0), Buffer.from("rest")])));
    expect(await not).toEqual({
      kind: "failed",
      reason: "unreachable",
      detail: "the server closes the connection: rest",
    });
    const next = call(client);
    const second = await until("another", () => peers[1]);
    await second.see("the call", isHeaders(1));
    second.send(ok(1, "second"));
    first.send(ok(1, "first"));
    expect(await taken).toMatchObject({ message: Buffer.from("first") });
    expect(await next).toMatchObject({ message: Buffer.from("second") });
    await until("the first is closed", () => first.isClosed);
  });

  test("a server that sends everybody away is not asked again and again", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      const peer = new RawPeer(socket, { isServer: true });
      peer.send(settings([3, 0]), frame(7, 0, 0, uint32(0, 0)));
    });
    const client = clientTo(await listening(server));
    expect(await call(client)).toMatchObject({ kind: "failed", reason: "unreachable" });
    expect(connections).toBe(1);
  });

  test("a server that has gone without a word is left when it answers no ping", async () => {
    const { client, peer, peers } = await scripted();
    // On a slow machine the first calls may be over before there is a connection.
    await until("a ping", async () => {
      expect(await call(client, { timeoutMs: 50 })).toMatchObject({ reason: "timeout" });
      return peers[0]?.seen.some(({ type }) => type === frameTypes.ping);
    });
    const first = await peer();
    await until("it is left", () => first.isClosed);
    const next = call(client);
    const second = await until("another", () => peers[1]);
    await second.see("the call", isHeaders(1));
    second.send(ok(1));
    expect(await next).toMatchObject(isOk);
  });

  test("a server with a large upload to take may move its windows as often as it likes", async () => {
    const { client, peer } = await scripted([4, 100]);
    const answer = call(client, { parts: [Buffer.alloc(400_000)], timeoutMs: 60_000 });
    const server = await peer();
    let given = 0;
    let size = 0;
    server.socket.on("data", () => {
      const seen = server.seen.filter(({ type }) => type === frameTypes.data);
      for (; given < seen.length; given++) {
        size += seen[given]!.payload.length;
        server.send(windowUpdate(0, 100), windowUpdate(1, 100));
      }
    });
    server.send(windowUpdate(0, 100), windowUpdate(1, 100));
    await until("all has come", () => size === 400_005 || server.isClosed);
    server.send(ok(1));
    expect(await answer).toMatchObject(isOk);
  });

  test("closing fails what is under way and what comes", async () => {
    const { client, peer } = await scripted();
    const answer = call(client);
    const server = await peer();
    await server.see("the call", isHeaders(1));
    client.close();
    expect(await answer).toMatchObject({ kind: "failed", reason: "unreachable" });
    expect(await call(client)).toMatchObject({ kind: "failed", reason: "unreachable" });
    await until("closed", () => server.isClosed);
  });
});
