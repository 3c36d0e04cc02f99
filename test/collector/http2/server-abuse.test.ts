import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import { errorCodes, frameTypes, preface } from "../../../collector/http2/protocol.ts";
import {
  data,
  frame,
  headers,
  ping,
  RawPeer,
  reset,
  settings,
  windowUpdate,
} from "../../support/http2.ts";
import { until } from "../../support/until.ts";
import { call, echo, peer, post, serving, start, stop } from "./serving.ts";

beforeEach(() => start());
afterEach(stop);

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
    await serving.isServed(10_001);
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
    await serving.isServed();
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
    await serving.isServed();
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
    await serving.isServed();
  });
});
