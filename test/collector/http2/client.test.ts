import * as grpc from "@grpc/grpc-js";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { GrpcClient, type GrpcClientOptions } from "../../../collector/http2/client.ts";
import type { GrpcAnswer, GrpcRequest } from "../../../collector/http2/client-call.ts";
import { encodeHeaders, type Header } from "../../../collector/http2/header-encoder.ts";
import { errorCodes, frameTypes } from "../../../collector/http2/protocol.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { startEcho } from "../../support/grpc-echo.ts";
import {
  data,
  frame,
  headers,
  message,
  ping,
  RawPeer,
  reset,
  type Setting,
  settings,
  uint32,
  windowUpdate,
} from "../../support/http2.ts";
import { until } from "../../support/until.ts";

const never = new AbortController().signal;
const head = encodeHeaders([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/echo"],
  [":authority", "localhost"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
]);

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).toReversed()) close();
});

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port; // a TCP server's address is never a string
}

function clientTo(port: number, more: Partial<GrpcClientOptions> = {}): GrpcClient {
  const client = new GrpcClient({ host: "127.0.0.1", port, probeMs: 200, ...more });
  closing.push(() => client.close());
  return client;
}

const call = (client: GrpcClient, more: Partial<GrpcRequest> = {}): Promise<GrpcAnswer> =>
  client.call({
    head,
    parts: [Buffer.from("hello")],
    isCompressed: false,
    timeoutMs: 5_000,
    signal: never,
    ...more,
  });

/** A server whose every connection is in the test's hands, and a client to it. */
async function scripted(
  ...ours: Setting[]
): Promise<{ client: GrpcClient; peers: RawPeer[]; peer: () => Promise<RawPeer> }> {
  const peers: RawPeer[] = [];
  const server = createServer((socket) => {
    const peer = new RawPeer(socket, { isServer: true });
    peer.send(settings(...ours));
    peers.push(peer);
    closing.push(() => socket.destroy());
  });
  const client = clientTo(await listening(server));
  return { client, peers, peer: () => until("a connection", () => peers.at(-1)) };
}

const isHeaders = (stream: number) => (seen: { type: number; stream: number }) =>
  seen.type === frameTypes.headers && seen.stream === stream;
const okHead: readonly Header[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const ok = (stream: number, text = "fine"): Buffer =>
  Buffer.concat([
    headers(stream, okHead),
    data(stream, message(Buffer.from(text))),
    headers(stream, [["grpc-status", "0"]], 0x5),
  ]);
const isOk = { kind: "answered", status: { code: 0 } };

describe("foreign servers", () => {
  test("Node's HTTP/2: many at a time, large messages, small windows, small answers", async () => {
    const server = createHttp2Server({
      settings: { initialWindowSize: 20_000, maxConcurrentStreams: 7 },
    });
    let most = 0;
    let now = 0;
    server.on("stream", (stream) => {
      most = Math.max(most, ++now);
      let size = -5;
      stream.on("data", (part: Buffer) => (size += part.length));
      stream.on("end", () => {
        now--;
        stream.respond(Object.fromEntries(okHead), { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(message(Buffer.from(String(size))));
      });
    });
    const client = clientTo(await listening(server));
    const sizes = Array.from({ length: 60 }, (_, index) => index * 7_919);
    const answers = await Promise.all(
      sizes.map((size) => call(client, { parts: [Buffer.alloc(size), Buffer.alloc(3)] })),
    );
    expect(answers).toMatchObject(sizes.map(() => isOk));
    const said = answers.map((answer) => answer.kind === "answered" && String(answer.message));
    expect(said).toEqual(sizes.map((size) => String(size + 3)));
    expect(most).toBe(7);
  });

  test("grpc-js, and its words and details", async () => {
    const server = new grpc.Server({ "grpc.max_receive_message_length": 64 << 20 });
    const asIs = (bytes: Buffer): Buffer => bytes;
    const method = {
      path: "/echo",
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    } as const;
    server.addService(
      { echo: method },
      {
        echo: ({ request }: { request: Buffer }, reply: grpc.sendUnaryData<Buffer>) => {
          if (request.length < 100_000) {
            reply(null, request);
            return;
          }
          const metadata = new grpc.Metadata();
          metadata.set("grpc-status-details-bin", Buffer.from([1, 2, 3]));
          reply({ code: grpc.status.ABORTED, details: "größer als 1 %", metadata });
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    closing.push(() => server.forceShutdown());
    const client = clientTo(port);
    expect(await call(client)).toMatchObject({ ...isOk, message: Buffer.from("hello") });
    const parts = Array.from({ length: 3_000 }, (_, index) => Buffer.alloc(index, index));
    expect(await call(client, { parts })).toEqual({
      kind: "answered",
      status: { code: 10, message: "größer als 1 %", details: Buffer.from([1, 2, 3]) },
      message: Buffer.alloc(0),
    });
  });

  test("our own: a message in many parts arrives as it was", async () => {
    const echo = await startEcho();
    closing.push(() => void echo.close());
    const client = clientTo(Number(new URL(echo.url).port));
    const parts = [1, 5_000, 3, 20_000, 0, 4_096, 4_097].map((size) =>
      Buffer.alloc(size, size % 251),
    );
    const answer = await call(client, { parts });
    expect(answer).toMatchObject({ ...isOk, message: Buffer.concat(parts) });
  });
});

describe("TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-tls-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const authority = makeAuthority(folder, "authority");
  const { cert, key } = authority.issue("server");
  const ca = readFileSync(authority.cert);

  async function secured(protocols: string[]): Promise<number> {
    const pair = { cert: readFileSync(cert), key: readFileSync(key) };
    const echo = await startEcho();
    closing.push(() => void echo.close());
    const server = createTlsServer({ ...pair, ALPNProtocols: protocols });
    server.on("secureConnection", (socket) => echo.server.accept(socket));
    return await listening(server);
  }

  test("a large message, to a server that proves who it is", async () => {
    const client = clientTo(await secured(["h2"]), { tls: () => ({ ca }) });
    const parts = [Buffer.alloc(300_000, 7)];
    expect(await call(client, { parts: [Buffer.alloc(60_000, 7)] })).toMatchObject(isOk);
    expect(await call(client, { parts })).toMatchObject({ reason: "bad_answer" }); // too large for us
  });

  test.each<[string, () => object, RegExp]>([
    ["that nobody vouches for", () => ({}), /unable to|self.signed|verify/i],
    ["with another name", () => ({ ca, servername: "other" }), /altnames/i],
  ])("a server %s: unreachable, in words that help", async (_, tls, words) => {
    const client = clientTo(await secured(["h2"]), { tls });
    const answer = await call(client);
    expect(answer).toMatchObject({ kind: "failed", reason: "unreachable" });
    expect(answer.kind === "failed" && answer.detail).toMatch(words);
  });

  test("a server that speaks HTTP/1 only", async () => {
    const client = clientTo(await secured(["http/1.1"]), { tls: () => ({ ca }) });
    expect(await call(client)).toMatchObject({ kind: "failed", reason: "unreachable" });
  });
});

describe("what the server asks for is kept to", () => {
  test("nothing is sent before its settings, and no more calls than it takes", async () => {
    const { client, peer } = await scripted([3, 2]);
    const answers = [call(client), call(client), call(client)];
    const server = await peer();
    await server.see("two calls", isHeaders(3));
    server.send(ping());
    await server.see("an answer to the ping", ({ type, flags }) => type === 6 && flags === 1);
    expect(server.seen.some(isHeaders(5))).toBe(false);
    server.send(ok(1));
    await server.see("the third", isHeaders(5));
    server.send(ok(3), ok(5));
    expect(await Promise.all(answers)).toMatchObject([isOk, isOk, isOk]);
  });

  test("its windows, byte by byte, and its frame size", async () => {
    const { client, peer } = await scripted([4, 3], [5, 20_000]);
    const answer = call(client, { parts: [Buffer.alloc(20_000, 1)] });
    const server = await peer();
    const sizes = (): number[] =>
      server.seen
        .filter(({ type }) => type === frameTypes.data)
        .map(({ payload }) => payload.length);
    await until("three bytes", () => sizes().length === 1);
    server.send(windowUpdate(1, 1));
    await until("one more", () => sizes().length === 2);
    server.send(windowUpdate(1, 40_000));
    await until("all", () => sizes().reduce((sum, size) => sum + size, 0) === 20_005);
    expect(sizes()).toEqual([3, 1, 20_000, 1]);
    expect(server.seen.at(-1)?.flags).toBe(1);
    server.send(ok(1));
    expect(await answer).toMatchObject(isOk);
  });

  test("the connection's window is shared, and one stream does not block another", async () => {
    const { client, peer } = await scripted([4, 70_000]);
    const large = call(client, { parts: [Buffer.alloc(65_529)] }); // one byte of the window is left
    const small = call(client, { parts: [Buffer.from("x")] });
    const server = await peer();
    const sizeOf = (stream: number): number =>
      server.seen
        .filter((seen) => seen.type === frameTypes.data && seen.stream === stream)
        .reduce((sum, { payload }) => sum + payload.length, 0);
    await until("the window is used up", () => sizeOf(1) + sizeOf(3) === 65_535);
    expect(sizeOf(3)).toBe(1);
    server.send(windowUpdate(0, 100));
    await until("all has come", () => sizeOf(3) === 6);
    server.send(ok(1), ok(3));
    expect(await Promise.all([large, small])).toMatchObject([isOk, isOk]);
  });
});

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
    await new Promise<void>((resolve) => echo.listen(port, "127.0.0.1", resolve));
    closing.push(() => echo.close());
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
    for (let tries = 0; tries < 2; tries++) {
      expect(await call(client, { timeoutMs: 50 })).toMatchObject({ reason: "timeout" });
    }
    const first = await peer();
    await first.see("a ping", ({ type }) => type === frameTypes.ping);
    await until("it is left", () => first.isClosed);
    const next = call(client);
    const second = await until("another", () => peers[1]);
    await second.see("the call", isHeaders(1));
    second.send(ok(1));
    expect(await next).toMatchObject(isOk);
  });

  test("a server with a large upload to take may move its windows as often as it likes", async () => {
    const { client, peer } = await scripted([4, 100]);
    const answer = call(client, { parts: [Buffer.alloc(400_000)] });
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
