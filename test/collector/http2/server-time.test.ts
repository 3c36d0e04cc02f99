import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorCodes, frameTypes, preface } from "../../../collector/http2/protocol.ts";
import {
  data,
  frame,
  headers,
  message,
  ping,
  RawPeer,
  settings,
  windowUpdate,
} from "../../support/http2.ts";
import { until } from "../../support/until.ts";
import { call, echo, peer, post, serving, start, stop } from "./serving.ts";

beforeEach(() => start());
afterEach(stop);

describe("time", () => {
  const quick = { tickMs: 10 };

  test("a client that says nothing, or begins and stops, is closed", async () => {
    await start({ ...quick, firstSettingsMs: 100 });
    const silent = await RawPeer.connect(echo.url);
    const slow = await RawPeer.connect(echo.url);
    slow.send(preface.subarray(0, 10));
    await until("closed", () => silent.isClosed && slow.isClosed);
    await serving.isServed();
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
    await serving.isServed();
  });

  test("an answer that is not taken: the stream is reset, others go on", async () => {
    await start({ ...quick, answerMs: 100 }, [4, 0]);
    peer.send(call(1));
    const cut = await peer.see("a reset", ({ type }) => type === frameTypes.reset);
    expect([cut.stream, cut.payload.readUInt32BE(0)]).toEqual([1, errorCodes.cancel]);
    peer.send(settings([4, 65_535]));
    await serving.isServed();
  });

  test("a window that opens by and by: the answer comes in pieces", async () => {
    await start({}, [4, 0]);
    peer.send(call(1));
    await peer.see("headers", ({ type, stream }) => type === frameTypes.headers && stream === 1);
    for (let bytes = 0; bytes < 10; bytes++) peer.send(windowUpdate(1, 1));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(serving.echoed(1)).toBe("hello");
    expect(peer.seen.filter(({ type }) => type === frameTypes.data).length).toBe(10);
  });

  test("a window that settings take away again", async () => {
    await start({}, [4, 3]);
    peer.send(call(1));
    await peer.see("three bytes", ({ type }) => type === frameTypes.data);
    peer.send(settings([4, 0]), windowUpdate(1, 3), settings([4, 7]));
    expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
    expect(serving.echoed(1)).toBe("hello");
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
