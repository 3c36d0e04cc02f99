import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import { errorCodes, frameTypes } from "../../../collector/http2/protocol.ts";
import { Http2Peer } from "../../support/http2-client.ts";
import {
  data,
  frame,
  headers,
  message,
  RawPeer,
  reset,
  uint32,
  windowUpdate,
} from "../../support/http2.ts";
import { until } from "../../support/until.ts";
import { call, echo, peer, pieces, post, serving, start, stop } from "./serving.ts";

beforeEach(() => start());
afterEach(stop);

const replaced = (name: string, value: string): readonly Header[] =>
  post.map(([known, old]) => [known, known === name ? value : old]);

describe("calls", () => {
  test("an answer is headers, the message, and trailers", async () => {
    peer.send(call(1));
    expect(await peer.answer(1)).toEqual({
      ":status": "200",
      "content-type": "application/grpc",
      "grpc-status": "0",
    });
    expect(serving.echoed(1)).toBe("hello");
  });

  test("an empty message, alone and among others", async () => {
    peer.send(call(1, ""), call(3, "x"), call(5, ""), call(7, ""));
    for (const stream of [1, 3, 5, 7]) {
      expect(await peer.answer(stream)).toMatchObject({ ":status": "200", "grpc-status": "0" });
    }
    expect([1, 3, 5, 7].map((stream) => serving.echoed(stream))).toEqual(["", "x", "", ""]);
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
    expect(serving.echoed(1)).toBe("hi");
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
    await serving.isServed();
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
    await serving.isServed();
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
    await serving.isServed();
    expect(echo.service.calls).toBe(1);
  });

  test("a large message comes through small windows, in both directions", async () => {
    await start({ streamWindowBytes: 65_535, connectionWindowBytes: 65_535 });
    peer.socket.destroy();
    const client = new Http2Peer(echo.url, { initialWindowSize: 500, headerTableSize: 0 });
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
    await serving.isServed();
    expect(peer.seen.some(({ stream }) => stream === 1 || stream === 3)).toBe(false);
  });

  test("connections above the limit are closed", async () => {
    await start({ maxConnections: 2 });
    await serving.isServed();
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
    await serving.isServed();
  });

  test("a header block above the limit ends the connection", async () => {
    const block = headers(1, [...post, ["x-large", "v".repeat(16_384)]]).subarray(9);
    peer.send(
      frame(frameTypes.headers, 0, 1, block.subarray(0, 9_000)),
      frame(frameTypes.continuation, 0x4, 1, block.subarray(9_000)),
    );
    expect((await peer.goaway()).code).toBe(errorCodes.enhanceYourCalm);
  });

  test("who asks without reading the answers is not read from", async () => {
    peer.socket.pause();
    const refused = headers(1, replaced(":path", "/other"), 0x5);
    let stream = 1;
    let waiting = 0;
    let unchanged = 0;
    await until("it is stuck", () => {
      if (stream < 600_000) {
        const calls = Buffer.concat(Array.from({ length: 20_000 }, () => refused));
        for (let at = 0; at < calls.length; at += refused.length, stream += 2) {
          calls.writeUInt32BE(stream, at + 5);
        }
        peer.send(calls);
      }
      unchanged = peer.socket.writableLength === waiting ? unchanged + 1 : 0;
      waiting = peer.socket.writableLength;
      return stream > 600_000 && waiting > 0 && unchanged > 20;
    });
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
