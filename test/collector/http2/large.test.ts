// Large messages, which come in by turns: a client is told that it may go on when its turn has come.

import { afterEach, beforeEach, expect, test } from "vitest";
import { frameTypes } from "../../../collector/http2/protocol.ts";
import { usualServerLimits } from "../../../collector/http2/server-limits.ts";
import { Turns } from "../../../collector/memory/turns.ts";
import { type Echo, startEcho } from "../../support/grpc-echo.ts";
import { data, headers, message, ping, RawPeer, reset, windowUpdate } from "../../support/http2.ts";
import { until } from "../../support/until.ts";
import { pieces, post } from "./serving.ts";

const { streamWindowBytes } = usualServerLimits;
const size = streamWindowBytes + 200_000;
const framed = message(Buffer.alloc(size, "x"));
const sent = streamWindowBytes;

let echo: Echo;
let peer: RawPeer;
const others: RawPeer[] = [];

async function start(longestWaitMs: number): Promise<void> {
  echo = await startEcho({}, new Turns({ mostBytes: size, longestWaitMs }));
  peer = await connected();
}

/** It takes answers of any size. */
async function connected(): Promise<RawPeer> {
  const connected = await RawPeer.client(echo.url, [4, size * 2]);
  connected.send(windowUpdate(0, 1 << 30));
  return connected;
}

beforeEach(() => start(60_000));
afterEach(async () => {
  for (const { socket } of [peer, ...others.splice(0)]) socket.destroy();
  await echo.close();
  await until("nothing is held", () => echo.service.heldBytes === 0);
});

/** As much as the window lets through. */
function begin(to: RawPeer, stream: number): void {
  to.send(headers(stream, post));
  for (const piece of pieces(framed.subarray(0, sent), [16_384])) to.send(data(stream, piece));
}

function finish(to: RawPeer, stream: number): void {
  const rest = pieces(framed.subarray(sent), [16_384]);
  rest.forEach((piece, index) => to.send(data(stream, piece, index === rest.length - 1)));
}

const goesOn = (to: RawPeer, stream: number) =>
  to.see(
    `${stream} goes on`,
    (seen) => seen.type === frameTypes.windowUpdate && seen.stream === stream,
  );

/** All that was sent before has been looked at. */
async function pong(to: RawPeer): Promise<void> {
  const pongs = () => to.seen.filter(({ type, flags }) => type === frameTypes.ping && flags === 1);
  const before = pongs().length;
  to.send(ping());
  await until("the answer to a ping", () => pongs().length > before);
}

const toldOf = (to: RawPeer): readonly number[] => [
  ...new Set(
    to.seen
      .filter(({ type, stream }) => type === frameTypes.windowUpdate && stream > 0)
      .map(({ stream }) => stream),
  ),
];

test("the second goes on when the first has been answered", async () => {
  begin(peer, 1);
  begin(peer, 3);
  await pong(peer);
  expect(toldOf(peer)).toEqual([1]);
  finish(peer, 1);
  expect(await peer.answer(1)).toMatchObject({ "grpc-status": "0" });
  await goesOn(peer, 3);
  finish(peer, 3);
  expect(await peer.answer(3)).toMatchObject({ "grpc-status": "0" });
});

test("a connection that breaks off gives the turns of its streams to others", async () => {
  begin(peer, 1);
  begin(peer, 3);
  await pong(peer);
  const other = await connected();
  others.push(other);
  begin(other, 1);
  await pong(other);
  expect(toldOf(other)).toEqual([]);
  peer.socket.destroy();
  await goesOn(other, 1);
  finish(other, 1);
  expect(await other.answer(1)).toMatchObject({ "grpc-status": "0" });
});

test("a stream that is reset while it waits is passed over", async () => {
  begin(peer, 1);
  begin(peer, 3);
  begin(peer, 5);
  peer.send(reset(3));
  await pong(peer);
  finish(peer, 1);
  await goesOn(peer, 5);
  expect(toldOf(peer)).toEqual([1, 5]);
  finish(peer, 5);
  expect(await peer.answer(5)).toMatchObject({ "grpc-status": "0" });
});

test("who has waited for too long goes on, however slow the other is", async () => {
  await echo.close();
  await start(100);
  begin(peer, 1);
  begin(peer, 3);
  await goesOn(peer, 3);
  finish(peer, 3);
  expect(await peer.answer(3)).toMatchObject({ "grpc-status": "0" });
});

test("small messages do not wait", async () => {
  begin(peer, 1);
  for (let stream = 3; stream < 23; stream += 2) {
    const small = message(Buffer.alloc(streamWindowBytes / 2 - 6, "y"));
    const parts = pieces(small, [16_384]);
    peer.send(headers(stream, post));
    parts.forEach((piece, index) => peer.send(data(stream, piece, index === parts.length - 1)));
    expect(await peer.answer(stream)).toMatchObject({ "grpc-status": "0" });
  }
});
