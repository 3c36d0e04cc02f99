import * as grpc from "@grpc/grpc-js";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { frameTypes } from "../../../collector/http2/protocol.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { startEcho } from "../../support/grpc-echo.ts";
import { startGrpcJs } from "../../support/grpc-js.ts";
import { message, ping, windowUpdate } from "../../support/http2.ts";
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

describe("foreign servers", () => {
  test("Node's HTTP/2: many at a time, large messages, small windows, small answers", async () => {
    const server = createHttp2Server({
      settings: { initialWindowSize: 20_000, maxConcurrentStreams: 7, headerTableSize: 0 },
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
    const server = await startGrpcJs("/echo", ({ request }, reply) => {
      if (request.length < 100_000) {
        reply(null, request);
        return;
      }
      const metadata = new grpc.Metadata();
      metadata.set("grpc-status-details-bin", Buffer.from([1, 2, 3]));
      reply({ code: grpc.status.ABORTED, details: "größer als 1 %", metadata });
    });
    closing.push(() => server.stop());
    const client = clientTo(server.port);
    expect(await call(client)).toMatchObject({ ...isOk, message: Buffer.from("hello") });
    const parts = Array.from({ length: 3_000 }, (_, index) => Buffer.alloc(index, index));
    expect(await call(client, { parts })).toEqual({
      kind: "answered",
      status: { code: 10, message: "größer als 1 %", details: Buffer.from([1, 2, 3]) },
      message: Buffer.alloc(0),
      isSent: true,
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
