import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { decodeStatus, sampleBatch, sampleRequest } from "../../support/otlp.ts";

const protobuf = "application/x-protobuf";
const json = "application/json";
const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };

let log: MemoryLog;
let intake: Intake;
let receiver: Receiver;

async function start({ logMaxBytes = 1 << 30, requestMaxBytes = 1 << 20 } = {}): Promise<void> {
  log = new MemoryLog({ maxBytes: logMaxBytes });
  intake = new Intake({ log, requestMaxBytes, requestsMaxBytes: 8 << 20 });
  receiver = await startOtlpHttp(intake, where);
}

const stop = (): Promise<void> => receiver.stop(AbortSignal.abort());
beforeEach(() => start());
afterEach(async () => {
  await stop();
  expect(intake.heldBytes).toBe(0);
});

interface Post {
  readonly path?: string;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

const post = (
  body: Uint8Array | string,
  { path = "/v1/traces", type = protobuf, headers = {} }: Post = {},
): Promise<Response> =>
  fetch(receiver.url + path, {
    method: "POST",
    headers: { ...(type ? { "content-type": type } : {}), ...headers },
    body: body as string, // or bytes: fetch takes both
  });

describe("what it takes", () => {
  test.each(signals)("%s in protobuf, as they are", async (signal) => {
    const batch = sampleBatch(signal, { items: 12 });
    const reader = await log.reader("out");
    const response = await post(batch.bytes, { path: `/v1/${signal}` });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(protobuf);
    expect((await response.arrayBuffer()).byteLength).toBe(0);
    const slice = await reader.next({
      maxItems: 100,
      maxBytes: 1e6,
      signal: new AbortController().signal,
    });
    expect(slice?.entries[0]?.batch).toEqual({
      signal,
      items: 12,
      bytes: Buffer.from(batch.bytes),
    });
    expect(intake.itemsOf("otlp_http", signal, "accepted")).toBe(12);
  });

  test.each(signals)("%s in JSON, answered in JSON", async (signal) => {
    const body = JSON.stringify(sampleRequest(signal, { items: 5 }));
    const response = await post(body, { path: `/v1/${signal}`, type: `${json}; charset=utf-8` });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(json);
    expect(await response.text()).toBe("{}");
    expect(log.appended[signal]).toBe(5);
  });

  test("gzip, of both", async () => {
    const gzip = { "content-encoding": "gzip" };
    const { bytes } = sampleBatch("logs", { items: 3 });
    const text = JSON.stringify(sampleRequest("logs", { items: 4 }));
    const path = "/v1/logs";
    expect((await post(gzipSync(bytes), { path, headers: gzip })).status).toBe(200);
    expect((await post(gzipSync(text), { path, type: json, headers: gzip })).status).toBe(200);
    expect(log.appended.logs).toBe(7);
  });

  test("an empty request", async () => {
    expect((await post("")).status).toBe(200);
    expect((await post("{}", { type: json })).status).toBe(200);
    expect(log.appended.traces).toBe(0);
  });
});

describe("what it refuses, and nothing of it is kept", () => {
  afterEach(() => expect(log.appended).toEqual({ traces: 0, metrics: 0, logs: 0 }));

  test("garbage: 400 with the place, in the request's encoding", async () => {
    const response = await post(Buffer.from([0x0a, 0x05, 0x12]));
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe(protobuf);
    expect(decodeStatus(new Uint8Array(await response.arrayBuffer()))).toEqual({
      code: 3,
      message: "resource_spans[0]: length 5, but only 1 bytes remain (at byte 1)",
    });
    expect(intake.itemsOf("otlp_http", "traces", "invalid")).toBe(1);
  });

  test("JSON that is none, or not OTLP: 400 with the place", async () => {
    for (const body of ["{", "[]", "null", '{"resourceSpans":[{"scopeSpans":"x"}]}']) {
      const response = await post(body, { type: json });
      expect(response.status).toBe(400);
      expect(((await response.json()) as { code: number }).code).toBe(3);
    }
  });

  test("nesting that would exhaust the stack of a careless reader: 400", async () => {
    const deep = `{"resourceSpans":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect((await post(deep, { type: json })).status).toBe(400);
  });

  test("another content type, or none: 415", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", ""]) {
      const response = await post(Buffer.from("x"), { type });
      expect(response.status).toBe(415);
      expect(await response.text()).toContain("give application/x-protobuf or application/json");
    }
  });

  test("another compression: 415", async () => {
    const response = await post("x", { headers: { "content-encoding": "br" } });
    expect(response.status).toBe(415);
  });

  test("gzip that is none: 400", async () => {
    const response = await post("not gzip", { headers: { "content-encoding": "gzip" } });
    expect(response.status).toBe(400);
  });

  test("another path: 404, and it says which there are", async () => {
    for (const path of ["/", "/v1/traces/", "/v1/profiles", "/__proto__", "/constructor"]) {
      const response = await post("", { path });
      expect(response.status).toBe(404);
    }
  });

  test("another method: 405 with what is allowed", async () => {
    const response = await fetch(`${receiver.url}/v1/traces`);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test("a request above the limit, said in advance, found while reading, or after decompression: 413", async () => {
    await stop();
    await start({ requestMaxBytes: 1000 });
    expect((await post(Buffer.alloc(1001))).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(50 << 20));
    await stop();
    await start({ requestMaxBytes: 1 << 20 });
    expect((await post(bomb, { headers: { "content-encoding": "gzip" } })).status).toBe(413);
    const answer = await raw(
      `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${protobuf}\r\ntransfer-encoding: chunked\r\n\r\n` +
        `${(2 << 20).toString(16)}\r\n${"x".repeat(2 << 20)}\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("what the full log cannot take: 503 with Retry-After", async () => {
    await stop();
    await start({ logMaxBytes: 10_000 });
    await log.reader("slow");
    const { bytes } = sampleBatch("traces", { items: 12 });
    expect((await post(bytes)).status).toBe(200);
    const response = await post(bytes);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(decodeStatus(new Uint8Array(await response.arrayBuffer())).message).toContain(
      "log is full",
    );
    expect(intake.itemsOf("otlp_http", "traces", "refused")).toBe(12);
    log.appended.traces = 0; // the first one, which was taken
  });
});

test("a body exactly at the limit is taken", async () => {
  const { bytes } = sampleBatch("traces", { items: 2 });
  await stop();
  await start({ requestMaxBytes: bytes.length });
  expect((await post(bytes)).status).toBe(200);
});

test("a client that goes away in the middle leaves nothing behind", async () => {
  const socket = connect(Number(new URL(receiver.url).port), "127.0.0.1");
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${protobuf}\r\ncontent-length: 1000\r\n\r\nabc`,
  );
  await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  await new Promise((resolve) => socket.once("close", resolve));
  const { bytes } = sampleBatch("traces", { items: 1 });
  expect((await post(bytes)).status).toBe(200);
});

test("a taken port is said in words that help", async () => {
  const port = Number(new URL(receiver.url).port);
  await expect(startOtlpHttp(intake, { ...where, port })).rejects.toThrow(
    `otlp_http_port: cannot listen on 127.0.0.1:${port}, the port is taken; ` +
      "stop what listens there or set otlp_http_port to another port, 0 or off",
  );
});

function raw(request: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(receiver.url).port), "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => resolve(answer));
    socket.on("close", () => resolve(answer));
    socket.write(request);
  });
}
