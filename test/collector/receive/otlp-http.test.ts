import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { decodeMessage, decodeStatus, sampleBatch, sampleRequest } from "../../support/otlp.ts";
import { RawClient } from "../../support/raw-http.ts";
import { until } from "../../support/until.ts";

const protobuf = "application/x-protobuf";
const json = "application/json";
const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };

let log: MemoryLog;
let intake: Intake;
let receiver: Receiver;

let told: string[];

async function start({
  logMaxBytes = 1 << 30,
  requestMaxBytes = 1 << 20,
  requestsMaxBytes = 8 << 20,
  maxInFlight = 1000,
} = {}): Promise<void> {
  log = new MemoryLog({ maxBytes: logMaxBytes });
  intake = new Intake({ log, requestMaxBytes, requestsMaxBytes });
  told = [];
  const incidents = new Incidents({ write: (line) => told.push(line) });
  receiver = await startOtlpHttp(intake, where, { maxInFlight, incidents });
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
    const message = "resource_spans[0]: length 5, but only 1 bytes remain (at byte 1)";
    expect(decodeStatus(new Uint8Array(await response.arrayBuffer()))).toMatchObject({
      code: 3,
      message,
    });
    const inJson = await post('{"resourceSpans":1}', { type: json });
    expect(inJson.headers.get("content-type")).toBe(json);
    const said = (await inJson.json()) as { message: string };
    expect(said).toEqual({
      code: 3,
      message: expect.stringContaining("resourceSpans"),
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ description: said.message }],
        },
      ],
    });
    expect(intake.itemsOf("otlp_http", "traces", "invalid")).toBe(2);
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

  test.each(["br", "gzip, gzip", "gzip,identity", "x"])(
    "content-encoding %s: 415, and it says which are taken",
    async (encoding) => {
      for (const type of [protobuf, json]) {
        const response = await post("x", { type, headers: { "content-encoding": encoding } });
        expect(response.status).toBe(415);
        expect(response.headers.get("content-type")).toBe(type);
        expect(response.headers.get("accept-encoding")).toBe("gzip, deflate, zstd");
      }
    },
  );

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

  test("in JSON as in protobuf, and people who send neither get JSON", async () => {
    for (const type of [protobuf, json]) {
      const missing = await post("", { path: "/nowhere", type });
      expect([missing.status, missing.headers.get("content-type")]).toEqual([404, type]);
    }
    const asked = await fetch(`${receiver.url}/v1/traces`);
    expect(asked.headers.get("content-type")).toBe(json);
    expect(await asked.json()).toEqual({ code: 12, message: "GET is not taken here, POST is" });
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
    const inJson = await post(JSON.stringify(sampleRequest("traces", { items: 12 })), {
      type: json,
    });
    expect(inJson.status).toBe(503);
    const seconds = inJson.headers.get("retry-after");
    expect(await inJson.json()).toMatchObject({
      code: 14,
      details: [{ retryDelay: `${seconds}s` }],
    });
    expect(intake.itemsOf("otlp_http", "traces", "refused")).toBe(24);
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

test("a body that comes slowly holds what has come of it, and nothing for what was announced", async () => {
  const { bytes } = sampleBatch("traces", { items: 200 });
  const client = await RawClient.connect(Number(new URL(receiver.url).port));
  const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${protobuf}\r\n`;
  client.send(`${head}content-length: ${bytes.length}\r\n\r\n`);
  client.send(bytes.subarray(0, 50_000));
  await until("it has come", () => intake.heldBytes === 50_000);
  client.send(bytes.subarray(50_000));
  expect((await client.answer()).status).toBe(200);
  client.socket.destroy();
});

describe("past what may be in flight", () => {
  test("memory that other requests hold: 503, and room again when they are gone", async () => {
    await stop();
    await start({ requestsMaxBytes: 100_000 });
    const { bytes } = sampleBatch("traces", { items: 200 });
    expect(intake.hold(50_000)).toBeUndefined();
    const response = await post(bytes);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    intake.release(50_000);
    expect((await post(bytes)).status).toBe(200);
  });

  test("one request more than there may be: 429 with Retry-After, in both encodings", async () => {
    await stop();
    await start({ maxInFlight: 1 });
    const { bytes } = sampleBatch("traces", { items: 1 });
    const client = await RawClient.connect(Number(new URL(receiver.url).port));
    const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${protobuf}\r\n`;
    client.send(`${head}content-length: 2\r\n\r\n\0`);
    await until("it is there", () => intake.heldBytes === 1);
    for (const type of [protobuf, json]) {
      const response = await post(type === json ? "{}" : bytes, { type });
      expect(response.status).toBe(429);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(response.headers.get("content-type")).toBe(type);
    }
    client.socket.destroy();
    await until("it is gone", async () => (await post(bytes)).status === 200);
  });
});

test("what was taken in part only is said with 200, in both encodings", async () => {
  const partial = { rejected: 3, message: "3 spans have no trace id" };
  intake.take = () => Promise.resolve({ kind: "accepted", partial });
  const inJson = await post("{}", { type: json, path: "/v1/metrics" });
  expect(inJson.status).toBe(200);
  expect(await inJson.json()).toEqual({
    partialSuccess: { rejectedDataPoints: "3", errorMessage: partial.message },
  });
  const response = await post(sampleBatch("traces").bytes);
  expect(response.status).toBe(200);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(decodeMessage("ExportTraceServiceResponse", bytes)).toEqual({
    partialSuccess: { rejectedSpans: "3", errorMessage: partial.message },
  });
});

test("a bug of ours is 500, told to whoever runs it, and to nobody else what it was", async () => {
  intake.take = () => Promise.reject(new Error("the secret of the bug"));
  for (const type of [protobuf, json]) {
    const response = await post(type === json ? "{}" : "", { type });
    expect(response.status).toBe(500);
    expect(response.headers.get("content-type")).toBe(type);
    expect(await response.text()).not.toContain("secret");
  }
  expect(told.join("\n")).toContain("the secret of the bug");
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
