import { buffer } from "node:stream/consumers";
import {
  constants,
  createZstdCompress,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import { Gathering } from "../../../collector/memory/gathering.ts";
import { spoiled } from "../../support/memory.ts";
import { sampleBatch, sampleRequest } from "../../support/otlp.ts";

const protobuf = "application/x-protobuf";
const json = "application/json";
const limit = 4 << 20;

let log: MemoryLog;
let intake: Intake;
let receiver: Receiver;
let mostHeldBytes = 0;

beforeEach(async () => {
  log = new MemoryLog({ maxBytes: 1 << 30 });
  intake = new Intake({ log, requestMaxBytes: limit, requestsMaxBytes: 3 * limit });
  mostHeldBytes = 0;
  const hold = intake.hold.bind(intake);
  intake.hold = (bytes, already) => {
    const refused = hold(bytes, already);
    mostHeldBytes = Math.max(mostHeldBytes, intake.heldBytes);
    return refused;
  };
  const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
  receiver = await startOtlpHttp(intake, where, { gathering: new Gathering(spoiled()) });
});

afterEach(async () => {
  await receiver.stop(AbortSignal.abort());
  expect(intake.heldBytes).toBe(0);
});

function post(body: Uint8Array, encoding: string, type = protobuf): Promise<Response> {
  const headers = { "content-type": type, "content-encoding": encoding };
  return fetch(`${receiver.url}/v1/traces`, { method: "POST", headers, body: Buffer.from(body) });
}

type Compress = (bytes: Uint8Array) => Buffer;
const all: [encoding: string, what: string, compress: Compress][] = [
  ["gzip", "gzip", (bytes) => gzipSync(bytes)],
  ["deflate", "zlib's format", (bytes) => deflateSync(bytes)],
  ["deflate", "the bare format", (bytes) => deflateRawSync(bytes)],
  ["zstd", "zstd", (bytes) => zstdCompressSync(bytes)],
  ["identity", "nothing", (bytes) => Buffer.from(bytes)],
];

describe.each(all)("%s, which is %s", (encoding, _, compress) => {
  test.each([1, 100, 1000])("of %i spans, in both encodings", async (items) => {
    const { bytes } = sampleBatch("traces", { items });
    const text = Buffer.from(JSON.stringify(sampleRequest("traces", { items })));
    expect((await post(compress(bytes), encoding)).status).toBe(200);
    expect((await post(compress(text), encoding, json)).status).toBe(200);
    expect(log.appended.traces).toBe(2 * items);
  });

  test("of nothing is an empty request", async () => {
    expect((await post(compress(Buffer.alloc(0)), encoding)).status).toBe(200);
    expect((await post(Buffer.alloc(0), encoding)).status).toBe(200);
  });

  test("may hold as much as the limit, and not a byte more", async () => {
    const full = await post(compress(requestOf(limit)), encoding);
    expect(full.status).toBe(200);
    const over = await post(compress(requestOf(limit + 1)), encoding);
    expect(over.status).toBe(413);
    expect(over.headers.get("content-type")).toBe(protobuf);
    expect(log.appended.traces).toBe(1);
  });
});

describe.each(all.filter(([encoding]) => encoding !== "identity"))(
  "%s, which is %s",
  (encoding, _, compress) => {
    test("that would be a thousand times as much is refused before it is", async () => {
      const bomb = compress(Buffer.alloc(64 << 20));
      const answers = await Promise.all([bomb, bomb, bomb].map((body) => post(body, encoding)));
      for (const { status } of answers) expect([413, 503]).toContain(status);
      expect(answers.some(({ status }) => status === 413)).toBe(true);
      expect(mostHeldBytes).toBeLessThanOrEqual(3 * limit);
    });

    test("that is cut off, damaged or something else is 400", async () => {
      const whole = compress(sampleBatch("traces", { items: 300 }).bytes);
      const damaged = Buffer.from(whole).fill(0xff, whole.length >> 1);
      for (const bad of [whole.subarray(0, -10), damaged, Buffer.from("something else")]) {
        const response = await post(bad, encoding);
        expect(response.status).toBe(400);
      }
      expect(intake.itemsOf("otlp_http", "traces", "invalid")).toBe(3);
    });

    test("finds no room when others hold the memory", async () => {
      const body = compress(requestOf(limit));
      intake.hold(3 * limit - body.length - 1);
      const response = await post(body, encoding);
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      intake.release(3 * limit - body.length - 1);
    });
  },
);

test.each(["x-gzip", "GZIP", "Identity"])("%s is known too", async (encoding) => {
  const body = encoding === "Identity" ? requestOf(1000) : gzipSync(requestOf(1000));
  expect((await post(body, encoding)).status).toBe(200);
  expect(log.appended.traces).toBe(1);
});

test("zstd may ask the decoder to remember 8 MiB, and not more", async () => {
  expect((await post(await withWindow(23), "zstd")).status).toBe(200);
  const response = await post(await withWindow(24), "zstd");
  expect(response.status).toBe(400);
});

/** By a stream, which does not know beforehand that much less would do. */
async function withWindow(log: number): Promise<Buffer> {
  const params = { [constants.ZSTD_c_windowLog]: log, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const stream = createZstdCompress({ params });
  const request = requestOf(limit);
  stream.write(request.subarray(0, 1000));
  stream.end(request.subarray(1000));
  return await buffer(stream);
}

/** A span of whatever size it takes, so that the request has exactly so many bytes. */
function requestOf(bytes: number): Buffer {
  const withName = (length: number): Buffer => {
    const name = Buffer.alloc(length, "x");
    const ids = Buffer.concat([field(1, Buffer.alloc(16, 1)), field(2, Buffer.alloc(8, 1))]);
    const span = field(2, Buffer.concat([ids, field(5, name)]));
    return field(1, field(2, span));
  };
  const overhead = withName(bytes - 100).length - (bytes - 100);
  return withName(bytes - overhead);
}

function field(number: number, content: Buffer): Buffer {
  const head: number[] = [number * 8 + 2];
  let rest = content.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, rest]), content]);
}
