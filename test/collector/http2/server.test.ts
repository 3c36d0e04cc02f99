import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import { errorCodes, frameTypes, preface } from "../../../collector/http2/protocol.ts";
import type { ServerLimits } from "../../../collector/http2/server-limits.ts";
import { type Echo, startEcho } from "../../support/grpc-echo.ts";
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
import { Http2Peer } from "../../support/http2-client.ts";
import { until } from "../../support/until.ts";

const post: readonly Header[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/echo"],
  [":authority", "x"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];
const replaced = (name: string, value: string): readonly Header[] =>
  post.map(([known, old]) => [known, known === name ? value : old]);

let echo: Echo;
let peer: RawPeer;

async function start(limits: Partial<ServerLimits> = {}, ...ours: Setting[]): Promise<void> {
  await echo?.close();
  echo = await startEcho(limits);
  peer = await RawPeer.client(echo.url, ...ours);
}

beforeEach(() => start());
afterEach(async () => {
  peer.socket.destroy();
  await echo.close();
  await until("nothing is held", () => echo.service.heldBytes === 0);
  expect(echo.server.connections).toBe(0);
});

const call = (stream: number, text = "hello"): Buffer =>
  Buffer.concat([headers(stream, post), data(stream, message(Buffer.from(text)), true)]);

/** What the peer was answered with on this stream. */
function echoed(stream: number): string {
  const frames = peer.seen.filter((seen) => seen.stream === stream && seen.type === 0);
  return Buffer.concat(frames.map(({ payload }) => payload)).toString("utf8", 5);
}

async function isServed(stream = 999): Promise<void> {
  peer.send(call(stream, `call ${stream}`));
  expect(await peer.answer(stream)).toMatchObject({ "grpc-status": "0" });
  expect(echoed(stream)).toBe(`call ${stream}`);
}

describe("calls", () => {
  test("an answer is headers, the message, and trailers", async () => {
    peer.send(call(1));
    expect(await peer.answer(1)).toEqual({
      ":status": "200",
      "content-type": "application/grpc",
      "grpc-status": "0",
    });
    expect(echoed(1)).toBe("hello");
  });

  test("an empty message, alone and among others", async () => {
    peer.send(call(1, ""), call(3, "x"), call(5, ""), call(7, ""));
    for (const stream of [1, 3, 5, 7]) {
      expect(await peer.answer(stream)).toMatchObject({ ":status": "200", "grpc-status": "0" });
    }
    expect([1, 3, 5, 7].map(echoed)).toEqual(["", "x", "", ""]);
  });

  test("however a request is cut into frames and the frames into chunks, it is the same", async () => {
    let stream = 1;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 }),
        async (content, frameSizes, chunkSizes) => {
          stream += 2;
          const framed = message(content);
          const frames = [headers(stream, post)];
          for (const piece of pieces(framed, frameSizes)) frames.push(data(stream, piece));
          frames.push(data(stream, Buffer.alloc(0), true));
          for (const chunk of pieces(Buffer.concat(frames), chunkSizes)) peer.socket.write(chunk);
          expect(await peer.answer(stream)).toMatchObject({ "grpc-status": "0" });
          const answered = peer.seen.filter((seen) => seen.stream === stream && seen.type === 0);
          const bytes = Buffer.concat(answered.map(({ payload }) => payload));
          expect(bytes.equals(framed)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("padding, priority and trailers of a request are passed over", async () => {
    const block = headers(1, post).subarray(9);
    const padded = Buffer.concat([Buffer.from([3]), uint32(0), Buffer.from([16]), block]);
    peer.send(
      frame(frameTypes.headers, 0x4 | 0x8 | 0x20, 1, Buffer.concat([padded, Buffer.alloc(3)])),
      frame(
        frameTypes.data,
        0x8,
        1,
        Buffer.concat([Buffer.from([2]), message(Buffer.from("hi")), Buffer.alloc(2)]),
      ),
      headers(1, [["x-checksum", "1"]], 0x5),
    );
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(echoed(1)).toBe("hi");
  });

  test("headers in several frames", async () => {
    const block = headers(1, post).subarray(9);
    peer.send(
      frame(frameTypes.headers, 0, 1, block.subarray(0, 5)),
      frame(frameTypes.continuation, 0, 1, block.subarray(5, 20)),
      frame(frameTypes.continuation, 0x4, 1, block.subarray(20)),
      data(1, message(Buffer.from("hi")), true),
    );
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
  });

  test.each([
    ["GET", replaced(":method", "GET"), { ":status": "405" }],
    ["another type", replaced("content-type", "application/json"), { ":status": "415" }],
    ["gRPC in JSON", replaced("content-type", "application/grpc+json"), { ":status": "415" }],
    ["gRPC on the web", replaced("content-type", "application/grpc-web"), { ":status": "415" }],
    ["another path", replaced(":path", "/other"), { ":status": "200", "grpc-status": "12" }],
  ])("%s is refused, and the next is served", async (_, list, expected) => {
    peer.send(headers(1, list));
    expect(await peer.answer(1)).toMatchObject(expected);
    await isServed();
  });

  test.each(["application/grpc+proto", "application/grpc;charset=utf-8"])("%s", async (type) => {
    peer.send(headers(1, replaced("content-type", type)), data(1, message(Buffer.from("x")), true));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
  });

  test.each([
    ["no message", [headers(1, post, 0x5)], "12"],
    [
      "half a message",
      [headers(1, post), data(1, message(Buffer.from("abc"), { length: 4 }), true)],
      "12",
    ],
    ["half a prefix", [headers(1, post), data(1, Buffer.alloc(3), true)], "12"],
    [
      "two messages",
      [
        headers(1, post),
        data(1, Buffer.concat([message(Buffer.from("a")), message(Buffer.from("b"))]), true),
      ],
      "12",
    ],
    [
      "a second message behind",
      [headers(1, post), data(1, message(Buffer.from("a"))), data(1, Buffer.from([0]))],
      "12",
    ],
    ["no message at all but text", [headers(1, post), data(1, Buffer.from("hello"), true)], "13"],
    ["a service that fails", [call(1, "throw")], "13"],
  ])("%s: gRPC status", async (_, frames, status) => {
    peer.send(...frames);
    expect(await peer.answer(1)).toMatchObject({ ":status": "200", "grpc-status": status });
    await isServed();
  });

  test("a message above the limit is refused at its prefix; what still comes is dropped", async () => {
    const connectionWindowBytes = 100_000;
    await start({ connectionWindowBytes, streamWindowBytes: 70_000 });
    echo.service.maxBytes = 60_000;
    peer.send(headers(1, post), data(1, message(Buffer.from("x"), { length: 60_001 })));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "8" });
    await peer.see("RST_STREAM without a fault", ({ type, stream, payload }) => {
      return type === frameTypes.reset && stream === 1 && payload.readUInt32BE(0) === 0;
    });
    // Dropped, but given back: several times what the connection's window holds.
    let given = 65_535 - 6; // nobody has told us of more than that yet
    for (let sent = 0; sent < 300_000; sent += 10_000) {
      const granted = (): number =>
        peer.seen
          .filter(({ type, stream }) => type === frameTypes.windowUpdate && stream === 0)
          .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
      await until("the window has room", () => given + granted() >= sent + 10_000);
      peer.send(data(1, Buffer.alloc(10_000)));
    }
    await isServed();
    expect(echo.service.calls).toBe(1);
  });

  test("a large message comes through small windows, in both directions", async () => {
    await start({ streamWindowBytes: 65_535, connectionWindowBytes: 65_535 });
    peer.socket.destroy();
    const client = new Http2Peer(echo.url, { initialWindowSize: 500 });
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const answer = await client.call("/echo", message(content));
    expect(answer.trailers["grpc-status"]).toBe("0");
    expect(answer.body.subarray(5).equals(content)).toBe(true);
    await client.close();
  });
});

describe("more than it takes", () => {
  test("calls above the limit are refused, those that were given up count", async () => {
    let open = (): void => {};
    await start({ maxStreams: 4 });
    echo.service.gate = new Promise<void>((resolve) => (open = resolve));
    for (const stream of [1, 3, 5, 7]) peer.send(call(stream));
    await until("all are in the service", () => echo.service.calls === 4);
    peer.send(reset(1), reset(3), call(9));
    const refused = await peer.see("a refusal", ({ type }) => type === frameTypes.reset);
    expect([refused.stream, refused.payload.readUInt32BE(0)]).toEqual([
      9,
      errorCodes.refusedStream,
    ]);
    expect(echo.service.calls).toBe(4);
    open();
    expect(await peer.answer(5)).toMatchObject({ "grpc-status": "0" });
    await isServed();
    expect(peer.seen.some(({ stream }) => stream === 1 || stream === 3)).toBe(false);
  });

  test("connections above the limit are closed", async () => {
    await start({ maxConnections: 2 });
    await isServed();
    const second = await RawPeer.client(echo.url);
    const third = await RawPeer.client(echo.url);
    await until("the third is closed", () => third.isClosed);
    second.socket.destroy();
    await until("there is room again", () => echo.server.connections === 1);
    const fourth = await RawPeer.client(echo.url);
    await fourth.see("SETTINGS", ({ type }) => type === frameTypes.settings);
    fourth.socket.destroy();
  });

  test("headers above the limit: RESOURCE_EXHAUSTED, and the next is served", async () => {
    const own = post.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    const room = 16_384 - own - "x-large".length - 32;
    const withValue = (length: number): readonly Header[] => [
      ...post,
      ["x-large", "v".repeat(length)],
    ];
    peer.send(headers(1, withValue(room)), data(1, message(Buffer.from("x")), true));
    expect(await peer.answer(1)).toMatchObject({ ":status": "200", "grpc-status": "0" });
    peer.send(headers(3, withValue(room + 1)), data(3, message(Buffer.from("x")), true));
    expect(await peer.answer(3)).toMatchObject({ ":status": "200", "grpc-status": "8" });
    await isServed();
  });

  test("a header block above the limit ends the connection", async () => {
    const block = headers(1, [...post, ["x-large", "v".repeat(16_384)]]).subarray(9);
    peer.send(
      frame(frameTypes.headers, 0, 1, block.subarray(0, 9_000)),
      frame(frameTypes.continuation, 0x4, 1, block.subarray(9_000)),
    );
    expect((await peer.goaway()).code).toBe(errorCodes.enhanceYourCalm);
  });

  test("a client that does not read its answers is not read from, and gets them all later", async () => {
    const window = 0x7fff_ffff;
    await start({}, [4, window]);
    peer.send(windowUpdate(0, window - 65_535));
    peer.socket.pause();
    const text = "x".repeat(60_000);
    for (let stream = 1; stream < 400; stream += 2) {
      const framed = message(Buffer.from(text));
      peer.send(
        headers(stream, post),
        ...pieces(framed, [16_000]).map((part) => data(stream, part)),
      );
      peer.send(data(stream, Buffer.alloc(0), true));
    }
    await until("some wait", () => echo.service.calls > 10);
    peer.socket.resume();
    for (let stream = 1; stream < 400; stream += 2) await peer.answer(stream);
    expect(echo.service.calls).toBe(200);
  });
});

describe("floods end the connection, and what is short of one does not", () => {
  const calm = errorCodes.enhanceYourCalm;
  const many = (count: number, make: (index: number) => Buffer): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
  const opened = (index: number): Buffer =>
    Buffer.concat([headers(index * 2 + 1, post), reset(index * 2 + 1)]);

  test.each([
    ["rapid reset", 450, 600, opened],
    ["pings", 900, 1_200, ping],
    ["answers to pings that nobody sent", 900, 1_200, () => frame(6, 1, 0, Buffer.alloc(8))],
    ["settings", 200, 300, () => settings([4, 65_535])],
    ["acknowledged settings", 900, 1_200, () => frame(4, 1, 0, Buffer.alloc(0))],
    ["priorities", 900, 1_200, () => frame(2, 0, 1, Buffer.alloc(5))],
    ["frames of a kind unknown", 900, 1_200, () => frame(99, 0, 1, Buffer.alloc(5))],
    ["window updates", 900, 1_200, () => windowUpdate(0, 1)],
  ])("%s", async (_, few, tooMany, make) => {
    peer.send(many(few, make));
    await isServed(10_001);
    await start();
    peer.send(many(tooMany, make));
    expect((await peer.goaway()).code).toBe(calm);
    await until("closed", () => peer.isClosed);
  });

  test("empty DATA", async () => {
    peer.send(
      headers(1, post),
      many(900, () => data(1, Buffer.alloc(0))),
    );
    await isServed();
    peer.send(many(1_200, () => data(1, Buffer.alloc(0))));
    expect((await peer.goaway()).code).toBe(calm);
  });

  test("CONTINUATION without end, full or empty", async () => {
    for (const payload of [Buffer.alloc(4_000), Buffer.alloc(0)]) {
      await start();
      peer.send(frame(frameTypes.headers, 0, 1, Buffer.from([0x83])));
      peer.send(many(20, () => frame(frameTypes.continuation, 0, 1, payload)));
      expect((await peer.goaway()).code).toBe(calm);
    }
  });

  test("pings are no flood where calls are answered between them", async () => {
    for (let round = 0; round < 8; round++) {
      peer.send(many(150, (index) => Buffer.concat([ping(), call(round * 300 + index * 2 + 1)])));
      await peer.answer(round * 300 + 299);
    }
    expect(peer.isClosed).toBe(false);
  });
});

describe("what breaks the rules ends the connection", () => {
  const { protocol, flowControl, frameSize, compression, streamClosed } = errorCodes;
  const window = 0x7fff_ffff;

  test.each<[string, number, readonly Buffer[]]>([
    ["a window above the limit", flowControl, [windowUpdate(0, window)]],
    ["a stream's window above it", flowControl, [headers(1, post), windowUpdate(1, window)]],
    [
      "a window that settings raise above it",
      flowControl,
      [headers(1, post), windowUpdate(1, window - 65_535), settings([4, 65_536])],
    ],
    ["settings with a window above it", flowControl, [settings([4, 2 ** 31])]],
    ["a window raised by nothing", protocol, [windowUpdate(0, 0)]],
    ["settings with too small frames", protocol, [settings([5, 16_383])]],
    ["settings with too large frames", protocol, [settings([5, 1 << 24])]],
    ["settings that push by half", protocol, [settings([2, 2])]],
    ["settings that are cut off", frameSize, [frame(4, 0, 0, Buffer.alloc(5))]],
    ["settings that are acknowledged with more", frameSize, [frame(4, 1, 0, Buffer.alloc(6))]],
    ["settings of a stream", protocol, [frame(4, 0, 1, Buffer.alloc(0))]],
    ["a ping of another size", frameSize, [frame(6, 0, 0, Buffer.alloc(7))]],
    ["a ping of a stream", protocol, [frame(6, 0, 1, Buffer.alloc(8))]],
    ["a window update of another size", frameSize, [frame(8, 0, 0, Buffer.alloc(3))]],
    ["a reset of another size", frameSize, [headers(1, post), frame(3, 0, 1, Buffer.alloc(3))]],
    ["a reset of no stream", protocol, [reset(0)]],
    ["a reset of what never was", protocol, [reset(1)]],
    ["a window of what never was", protocol, [windowUpdate(1, 1)]],
    ["DATA of what never was", protocol, [data(1, Buffer.alloc(5))]],
    ["DATA of no stream", protocol, [data(0, Buffer.alloc(5))]],
    ["headers of no stream", protocol, [headers(0, post)]],
    ["headers of a server's stream", protocol, [headers(2, post)]],
    ["headers with nothing but padding", protocol, [frame(1, 0xc, 1, Buffer.from([9]))]],
    ["headers in the middle of a request", protocol, [headers(1, post), headers(1, post)]],
    ["a push from a client", protocol, [frame(5, 4, 1, Buffer.alloc(4))]],
    ["headers that are interrupted", protocol, [frame(1, 0, 1, Buffer.from([0x83])), ping()]],
    [
      "headers that DATA interrupts",
      protocol,
      [headers(1, post), frame(1, 0, 3, Buffer.from([0x83])), data(1, Buffer.alloc(1))],
    ],
    [
      "headers that another stream continues",
      protocol,
      [frame(1, 0, 1, Buffer.from([0x83])), frame(9, 4, 3, Buffer.alloc(0))],
    ],
    ["CONTINUATION of nothing", protocol, [frame(9, 4, 1, Buffer.alloc(0))]],
    ["headers that cannot be read", compression, [frame(1, 4, 1, Buffer.from([0xff]))]],
    ["a frame above the limit", frameSize, [frame(0, 0, 1, Buffer.alloc(16_385))]],
    ["a goaway that is cut off", frameSize, [frame(7, 0, 0, Buffer.alloc(7))]],
  ])("%s", async (_, code, frames) => {
    peer.send(...frames);
    expect((await peer.goaway()).code).toBe(code);
    await until("closed", () => peer.isClosed);
  });

  test("DATA behind the end of a request", async () => {
    let open = (): void => {};
    echo.service.gate = new Promise<void>((resolve) => (open = resolve));
    peer.send(call(1), data(1, Buffer.alloc(1)));
    expect((await peer.goaway()).code).toBe(streamClosed);
    open();
  });

  test.each([
    ["no path", post.filter(([name]) => name !== ":path")],
    ["no method", post.filter(([name]) => name !== ":method")],
    ["two paths", [[":path", "/echo"], ...post]],
    ["an unknown pseudo-header", [[":protocol", "websocket"], ...post]],
    ["a pseudo-header behind others", [...post.slice(1), post[0]!]],
    ["an upper case name", [...post, ["X-Up", "1"]]],
    ["connection headers", [...post, ["connection", "close"]]],
  ] as [string, Header[]][])("%s: the stream alone", async (_, list) => {
    peer.send(headers(1, list));
    const { stream, payload } = await peer.see("a reset", ({ type }) => type === frameTypes.reset);
    expect([stream, payload.readUInt32BE(0)]).toEqual([1, protocol]);
    await isServed();
  });

  test("another first frame than SETTINGS", async () => {
    const other = await RawPeer.connect(echo.url);
    other.send(preface, ping());
    expect(await other.goaway()).toMatchObject({
      code: protocol,
      message: "the first frame is not SETTINGS",
    });
  });

  test("HTTP/1: closed with a hint", async () => {
    const other = await RawPeer.connect(echo.url);
    other.send(Buffer.from("POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n"));
    await until("closed", () => other.isClosed);
    expect(other.text).toContain("HTTP/1.1 400 Bad Request");
    expect(other.text).toContain("OTLP/HTTP has a port of its own");
  });

  test("garbage of any kind: closed, and the server serves others", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.boolean(),
        async (bytes, begins) => {
          const other = await RawPeer.connect(echo.url);
          if (begins) other.send(preface, settings());
          other.send(bytes);
          other.socket.end();
          await until("closed", () => other.isClosed);
        },
      ),
      { numRuns: 40 },
    );
    await isServed();
  });
});

describe("time", () => {
  const quick = { tickMs: 10 };

  test("a client that says nothing, or begins and stops, is closed", async () => {
    await start({ ...quick, firstSettingsMs: 100 });
    const silent = await RawPeer.connect(echo.url);
    const slow = await RawPeer.connect(echo.url);
    slow.send(preface.subarray(0, 10));
    await until("closed", () => silent.isClosed && slow.isClosed);
    await isServed();
  });

  test("a frame and a header block that do not end", async () => {
    await start({ ...quick, frameMs: 100 });
    peer.send(ping().subarray(0, 12));
    const other = await RawPeer.client(echo.url);
    other.send(frame(frameTypes.headers, 0, 1, Buffer.from([0x83])));
    await until("closed", () => peer.isClosed && other.isClosed);
  });

  test("a message that does not come: DEADLINE_EXCEEDED, and its memory is given back", async () => {
    await start({ ...quick, messageMs: 100 });
    peer.send(headers(1, post), data(1, message(Buffer.from("x"), { length: 1_000_000 })));
    await until("it is held", () => echo.service.heldBytes === 1_000_000);
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "4" });
    expect(echo.service.heldBytes).toBe(0);
    await isServed();
  });

  test("an answer that is not taken: the stream is reset, others go on", async () => {
    await start({ ...quick, answerMs: 100 }, [4, 0]);
    peer.send(call(1));
    const cut = await peer.see("a reset", ({ type }) => type === frameTypes.reset);
    expect([cut.stream, cut.payload.readUInt32BE(0)]).toEqual([1, errorCodes.cancel]);
    peer.send(settings([4, 65_535]));
    await isServed();
  });

  test("a window that opens by and by: the answer comes in pieces", async () => {
    await start({}, [4, 0]);
    peer.send(call(1));
    await peer.see("headers", ({ type, stream }) => type === frameTypes.headers && stream === 1);
    for (let bytes = 0; bytes < 10; bytes++) peer.send(windowUpdate(1, 1));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(echoed(1)).toBe("hello");
    expect(peer.seen.filter(({ type }) => type === frameTypes.data).length).toBe(10);
  });

  test("a window that settings take away again", async () => {
    await start({}, [4, 3]);
    peer.send(call(1));
    await peer.see("three bytes", ({ type }) => type === frameTypes.data);
    peer.send(settings([4, 0]), windowUpdate(1, 3), settings([4, 7]));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(echoed(1)).toBe("hello");
  });

  test("who does not answer a ping is gone; who does stays", async () => {
    await start({ ...quick, keepaliveMs: 50, pongMs: 100 });
    const lively = await RawPeer.client(echo.url);
    let answered = 0;
    const answering = setInterval(() => {
      const pings = lively.seen.filter(
        ({ type, flags }) => type === frameTypes.ping && flags === 0,
      );
      for (; answered < pings.length; answered++) lively.send(frame(6, 1, 0, Buffer.alloc(8)));
    }, 5);
    await until("the silent one is closed", () => peer.isClosed);
    await until("the other was asked often", () => answered > 3);
    clearInterval(answering);
    expect(lively.isClosed).toBe(false);
    lively.socket.destroy();
  });

  test("a connection without calls is told to come again", async () => {
    await start({ ...quick, idleMs: 100 });
    peer.send(call(1));
    expect(await peer.goaway()).toMatchObject({ code: 0 });
    await peer.see("a ping", ({ type }) => type === frameTypes.ping);
    peer.send(frame(6, 1, 0, Buffer.alloc(8)));
    await until("closed", () => peer.isClosed);
    expect(echo.service.calls).toBe(1);
  });
});

describe("stopping", () => {
  const pong = (): Buffer => frame(frameTypes.ping, 1, 0, Buffer.alloc(8));
  const goaways = (): number[] =>
    peer.seen
      .filter(({ type }) => type === frameTypes.goaway)
      .map(({ payload }) => payload.readUInt32BE(0));

  test("calls under way are answered, those on their way taken, later ones are not", async () => {
    let open = (): void => {};
    echo.service.gate = new Promise<void>((resolve) => (open = resolve));
    peer.send(call(1));
    await until("it is in the service", () => echo.service.calls === 1);
    const stopped = echo.server.stop(new AbortController().signal);
    expect((await peer.goaway()).lastStream).toBe(0x7fff_ffff);
    peer.send(call(3), pong());
    await until("the last word", () => goaways().length === 2);
    expect(goaways()[1]).toBe(3);
    peer.send(call(5));
    open();
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(await peer.answer(3)).toMatchObject({ "grpc-status": "0" });
    await stopped;
    await until("closed", () => peer.isClosed);
    expect(echo.service.calls).toBe(2);
  });

  test("at the deadline the rest is cut", async () => {
    let open = (): void => {};
    echo.service.gate = new Promise<void>((resolve) => (open = resolve));
    peer.send(call(1));
    await until("it is in the service", () => echo.service.calls === 1);
    const deadline = new AbortController();
    const stopped = echo.server.stop(deadline.signal);
    await peer.goaway();
    deadline.abort();
    await stopped;
    await until("closed", () => peer.isClosed);
    expect(echo.service.heldBytes).toBe(5);
    open();
  });
});

function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + sizes[turn % sizes.length]!;
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}
