import { createServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { grpcCodes, headersOfStatus } from "../../../collector/http2/grpc-status.ts";
import type { Header } from "../../../collector/http2/header-encoder.ts";
import { grpcSender } from "../../../collector/output/otlp/grpc-sender.ts";
import type { Sender, SenderSettings } from "../../../collector/output/otlp/http-sender.ts";
import { retryDelayMs } from "../../../collector/output/otlp/retry-info.ts";
import type { Delivery, Outcome } from "../../../collector/output/output.ts";
import { encodeStatus } from "../../../collector/receive/rpc-status.ts";
import {
  data,
  headers,
  message,
  RawPeer,
  type Seen,
  settings,
  windowUpdate,
} from "../../support/http2.ts";
import { listenLocally } from "../../support/listen.ts";
import { encodeResponse, sampleBatch } from "../../support/otlp.ts";
import { spoiled } from "../../support/memory.ts";
import { until } from "../../support/until.ts";

const never = new AbortController().signal;
const okHead: readonly Header[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

/** Answers every call with these frames, for its stream. */
let answer: (stream: number) => readonly Buffer[];
let peers: RawPeer[];
/** Of a stream it takes 100 bytes, and no more. */
let noWindow: boolean;
let url: string;
const server = createServer((socket) => {
  const peer = new RawPeer(socket, { isServer: true });
  peer.send(settings(...(noWindow ? ([[4, 100]] as const) : [])), windowUpdate(0, 1 << 30));
  peers.push(peer);
  let answered = 0;
  socket.on("data", () => {
    const ended = peer.seen.filter(({ type, flags }) => type === 0 && flags === 1);
    for (; answered < ended.length; answered++) peer.send(...answer(ended[answered]!.stream));
  });
});
let sender: Sender;

function open(more: Partial<SenderSettings> = {}): void {
  sender?.close();
  const usual = { endpoint: url, headers: {}, compression: "none", timeoutMs: 5_000 } as const;
  sender = grpcSender({ ...usual, memory: spoiled(), ...more });
}

beforeEach(async () => {
  peers = [];
  noWindow = false;
  answer = (stream) => answerWith(stream, Buffer.alloc(0));
  url = `grpc://127.0.0.1:${await listenLocally(server)}`;
  open();
});
afterEach(async () => {
  sender.close();
  await new Promise((resolve) => server.close(resolve));
});

const answerWith = (stream: number, body: Uint8Array): readonly Buffer[] => [
  headers(stream, okHead),
  data(stream, message(body)),
  headers(stream, [["grpc-status", "0"]], 0x5),
];

const delivery: Delivery = (() => {
  const batches = [3, 4].map((items) => sampleBatch("traces", { items, seed: items }));
  const entries = batches.map((batch, position) => ({ position, atMs: 0, batch }));
  const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  return { signal: "traces", entries, items: 7, bytes };
})();
const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));

const send = (): Promise<Outcome> => sender.send(delivery, never);

/** What the server has been sent. */
async function request(): Promise<{ headers: Seen["headers"]; body: Buffer }> {
  const peer = await until("a connection", () => peers[0]);
  const head = await peer.see("headers", ({ headers }) => headers !== undefined);
  const frames = peer.seen.filter(({ type }) => type === 0);
  return { headers: head.headers, body: Buffer.concat(frames.map(({ payload }) => payload)) };
}

describe("the request", () => {
  test("the batches of a delivery are one message, its headers those of gRPC", async () => {
    expect(await send()).toEqual({ kind: "delivered" });
    const { headers: given, body } = await request();
    expect(body.equals(message(sent))).toBe(true);
    expect(given).toEqual({
      ":method": "POST",
      ":scheme": "http",
      ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      ":authority": new URL(url).host,
      te: "trailers",
      "content-type": "application/grpc",
      "user-agent": expect.stringMatching(/^sonde\/\d/),
      "grpc-timeout": "5000m",
      "grpc-accept-encoding": "identity,gzip",
    });
  });

  test("headers of the settings, in lower case; the protocol's own stay as they are", async () => {
    open({
      headers: { "X-Tenant": "shop", Authorization: "Bearer a", TE: "x", "grpc-timeout": "1S" },
    });
    await send();
    expect((await request()).headers).toMatchObject({
      "x-tenant": "shop",
      authorization: "Bearer a",
      te: "trailers",
      "grpc-timeout": "5000m",
    });
  });

  test("gzip", async () => {
    open({ compression: "gzip" });
    expect(await send()).toEqual({ kind: "delivered" });
    const { headers: given, body } = await request();
    expect(given).toMatchObject({ "grpc-encoding": "gzip" });
    expect(body[0]).toBe(1);
    expect(gunzipSync(body.subarray(5)).equals(sent)).toBe(true);
  });

  test("many at a time on one connection", async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, send));
    expect(outcomes).toEqual(outcomes.map(() => ({ kind: "delivered" })));
    expect(peers.length).toBe(1);
  });
});

describe("the memory of a request that is put together", () => {
  test("may be used again once the server has it and has answered", async () => {
    const memory = spoiled();
    open({ memory });
    expect(await send()).toEqual({ kind: "delivered" });
    expect(memory.unusedBytes).toBeGreaterThan(0);
    expect((await request()).body.equals(message(sent))).toBe(true);
  });

  test("is left alone when the server has answered before it has all of it, or not in time", async () => {
    const memory = spoiled();
    open({ memory, timeoutMs: 300 });
    noWindow = true;
    const early = send();
    const peer = await until("a connection", () => peers[0]);
    await peer.see("headers", ({ headers }) => headers !== undefined);
    peer.send(...answerWith(1, Buffer.alloc(0)));
    expect(await early).toEqual({ kind: "delivered" });
    expect(await send()).toMatchObject({ kind: "retry", reason: "timeout" });
    expect(memory.unusedBytes).toBe(0);
  });
});

describe("the outcome", () => {
  const refusing = (code: number, retryAfterS?: number): void => {
    const status = {
      code,
      message: "because",
      ...(retryAfterS === undefined ? {} : { retryAfterS }),
    };
    const list = headersOfStatus({ ...status, details: encodeStatus(status) });
    answer = (stream) => [headers(stream, [...okHead, ...list], 0x5)];
  };

  const names = Object.entries(grpcCodes).filter(([name]) => name !== "ok");

  test.each([
    ["cancelled", "retry", "server_error"],
    ["unknown", "retry", "server_error"],
    ["invalidArgument", "rejected", "bad_data"],
    ["deadlineExceeded", "retry", "timeout"],
    ["notFound", "retry", "not_found"],
    ["alreadyExists", "rejected", "bad_data"],
    ["permissionDenied", "retry", "unauthorized"],
    ["resourceExhausted", "rejected", "too_large"],
    ["failedPrecondition", "rejected", "bad_data"],
    ["aborted", "retry", "server_error"],
    ["outOfRange", "retry", "server_error"],
    ["unimplemented", "retry", "not_found"],
    ["internal", "retry", "server_error"],
    ["unavailable", "retry", "unreachable"],
    ["dataLoss", "retry", "server_error"],
    ["unauthenticated", "retry", "unauthorized"],
  ] as const)("%s: %s, %s", async (name, kind, reason) => {
    refusing(grpcCodes[name]);
    const label = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    const detail = `gRPC ${label}: because`;
    expect(await send()).toEqual({
      kind,
      reason,
      detail,
      ...(kind === "rejected" ? { items: 7 } : {}),
    });
    expect(names.map(([known]) => known)).toContain(name);
  });

  test.each(["unavailable", "resourceExhausted"] as const)(
    "%s with RetryInfo: busy, for as long as it says",
    async (name) => {
      refusing(grpcCodes[name], 7);
      expect(await send()).toMatchObject({ kind: "retry", reason: "busy", afterMs: 7_000 });
    },
  );

  test("a status that nobody knows: retry", async () => {
    refusing(77);
    expect(await send()).toMatchObject({ reason: "server_error", detail: "gRPC 77: because" });
  });

  test("partial success", async () => {
    const partialSuccess = { rejectedSpans: "2", errorMessage: "too old" };
    answer = (stream) => answerWith(stream, encodeResponse("traces", { partialSuccess }));
    expect(await send()).toEqual({
      kind: "rejected",
      reason: "partial_success",
      detail: "too old",
      items: 2,
    });
  });

  test("no answer in time, and given up", async () => {
    open({ timeoutMs: 50 });
    answer = () => [];
    expect(await send()).toMatchObject({ kind: "retry", reason: "timeout" });
    open();
    const abort = new AbortController();
    const outcome = sender.send(delivery, abort.signal);
    abort.abort();
    expect(await outcome).toMatchObject({ kind: "retry", reason: "unreachable" });
  });
});

describe("RetryInfo", () => {
  const status = (retryAfterS?: number): Uint8Array =>
    encodeStatus({ code: 14, message: "x", ...(retryAfterS === undefined ? {} : { retryAfterS }) });
  const field = (number: number, bytes: Uint8Array | string): Buffer =>
    Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), Buffer.from(bytes)]);
  const any = (type: string, value: Buffer): Buffer =>
    field(3, Buffer.concat([field(1, type), field(2, value)]));
  const retryInfo = "type.googleapis.com/google.rpc.RetryInfo";
  const delay = (...duration: number[]): Buffer => field(1, Buffer.from(duration));

  test.each([
    ["in seconds", status(3), 3_000],
    ["an absurd one is cut", status(99_999), 300_000],
    ["of nothing", any(retryInfo, Buffer.alloc(0)), 0],
    ["in nanoseconds", any(retryInfo, delay(0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01)), 1_500],
    ["below zero", any(retryInfo, delay(0x08, ...Array.from({ length: 9 }, () => 0xff), 1)), 0],
    [
      "behind another detail",
      Buffer.concat([any("x/google.rpc.Help", Buffer.alloc(3)), any(retryInfo, delay(0x08, 2))]),
      2_000,
    ],
  ])("%s", (_, bytes, ms) => {
    expect(retryDelayMs(bytes)).toBe(ms);
  });

  test.each([
    ["absent", status()],
    ["in a status that is garbage", Buffer.from([0x1a, 0x05, 0x0a])],
    ["that is garbage itself", any(retryInfo, Buffer.from([0x0a, 0x09]))],
    ["of another type", any("type.googleapis.com/google.rpc.Help", delay(0x08, 2))],
  ])("%s: it does not say", (_, bytes) => {
    expect(retryDelayMs(bytes)).toBeUndefined();
  });
});
