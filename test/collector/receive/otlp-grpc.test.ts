import { gzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Access, openAccess } from "../../../collector/access.ts";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpGrpc } from "../../../collector/receive/otlp-grpc.ts";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { asIs } from "../../support/grpc-js.ts";
import { message } from "../../support/http2.ts";
import { type Http2Answer, Http2Peer } from "../../support/http2-client.ts";
import { Gathering } from "../../../collector/memory/gathering.ts";
import { spoiled } from "../../support/memory.ts";
import { until } from "../../support/until.ts";
import { decodeStatus, encodeResponse, sampleBatch } from "../../support/otlp.ts";

const paths: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};
const healthPath = "/grpc.health.v1.Health/Check";
const where = { host: "127.0.0.1", port: 0, setting: "otlp_grpc_port" };

let log: MemoryLog;
let intake: Intake;
let receiver: Receiver;
let client: grpc.Client;

interface Start {
  readonly logMaxBytes?: number;
  readonly requestMaxBytes?: number;
  readonly requestsMaxBytes?: number;
  readonly access?: Access;
}

async function start(options: Start = {}): Promise<void> {
  const { logMaxBytes = 1 << 30, requestMaxBytes = 1 << 20, requestsMaxBytes = 8 << 20 } = options;
  log = new MemoryLog({ maxBytes: logMaxBytes });
  intake = new Intake({ log, requestMaxBytes, requestsMaxBytes });
  receiver = await startOtlpGrpc(intake, where, {
    gathering: new Gathering(spoiled()),
    ...options,
  });
  client = new grpc.Client(new URL(receiver.url).host, grpc.credentials.createInsecure());
}

async function stop(): Promise<void> {
  client.close();
  await receiver.stop(AbortSignal.abort());
}

beforeEach(() => start());
afterEach(async () => {
  await stop();
  expect(intake.heldBytes).toBe(0);
});

/** As Node's own HTTP/2 sends it, with whatever headers. */
async function post(
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Http2Answer> {
  const peer = new Http2Peer(receiver.url.replace("grpc:", "http:"));
  try {
    return await peer.call(path, body, headers);
  } finally {
    await peer.close();
  }
}

/** The google.rpc.Status that an answer has in its details. */
function detailsOf({ trailers }: Http2Answer): string {
  return Buffer.from(String(trailers["grpc-status-details-bin"]), "base64").toString("latin1");
}

function send(
  path: string,
  bytes: Uint8Array,
  options: grpc.CallOptions = {},
): Promise<grpc.ServiceError | Buffer | undefined> {
  return new Promise((resolve) => {
    const metadata = new grpc.Metadata();
    client.makeUnaryRequest(
      path,
      asIs,
      asIs,
      Buffer.from(bytes),
      metadata,
      options,
      (error, answer) => resolve(error ?? answer),
    );
  });
}

describe("what it takes", () => {
  test.each(signals)("%s", async (signal) => {
    const { bytes } = sampleBatch(signal, { items: 12 });
    expect(await send(paths[signal], bytes)).toEqual(Buffer.alloc(0));
    expect(log.appended[signal]).toBe(12);
    expect(intake.itemsOf("otlp_grpc", signal, "accepted")).toBe(12);
    expect(intake.heldBytes).toBe(0);
  });

  test("gzip", async () => {
    client.close();
    client = new grpc.Client(new URL(receiver.url).host, grpc.credentials.createInsecure(), {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
    });
    const { bytes } = sampleBatch("traces", { items: 12 });
    expect(await send(paths.traces, bytes)).toEqual(Buffer.alloc(0));
    expect(log.appended.traces).toBe(12);
  });

  test("100 requests at a time on one connection", async () => {
    const { bytes } = sampleBatch("logs", { items: 100 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(paths.logs, bytes)));
    expect(answers).toEqual(answers.map(() => Buffer.alloc(0)));
    expect(log.appended.logs).toBe(10_000);
  });

  test("a request of nothing", async () => {
    expect(await send(paths.metrics, Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  test.each([
    ["at the limit", 1 << 20, "0"],
    ["above it", (1 << 20) + 1, "8"],
  ])("a message %s, plain", async (_, size, status) => {
    const answer = await post(paths.traces, message(ofSize(size)));
    expect(answer.trailers["grpc-status"]).toBe(status);
  });

  test.each([
    ["at the limit", 1 << 20, "0"],
    ["above it", (1 << 20) + 1, "8"],
  ])("a message %s once it is unpacked", async (_, size, status) => {
    const packed = message(gzipSync(ofSize(size)), { isCompressed: true });
    const answer = await post(paths.traces, packed, { "grpc-encoding": "gzip" });
    expect(answer.trailers["grpc-status"]).toBe(status);
  });

  test("gzip in several streams, though nobody sends it", async () => {
    const { bytes } = sampleBatch("traces", { items: 12 });
    const half = bytes.length >> 1;
    const streams = [bytes.subarray(0, half), bytes.subarray(half), Buffer.alloc(0)];
    const packed = Buffer.concat(streams.map((part) => gzipSync(part)));
    const framed = message(packed, { isCompressed: true });
    const answer = await post(paths.traces, framed, { "grpc-encoding": "gzip" });
    expect(answer.trailers["grpc-status"]).toBe("0");
    expect(log.appended.traces).toBe(12);
  });

  test("a message that is not compressed, though it could be", async () => {
    const framed = message(sampleBatch("traces", { items: 12 }).bytes);
    const answer = await post(paths.traces, framed, { "grpc-encoding": "gzip" });
    expect(answer.trailers["grpc-status"]).toBe("0");
  });

  test("partial success is passed on", async () => {
    intake.take = async () => ({
      kind: "accepted",
      partial: { rejected: 3, message: "3 spans without an id" },
    });
    const answer = await send(paths.traces, sampleBatch("traces").bytes);
    const partialSuccess = { rejectedSpans: "3", errorMessage: "3 spans without an id" };
    expect(answer).toEqual(Buffer.from(encodeResponse("traces", { partialSuccess })));
  });
});

describe("what it refuses", () => {
  test("garbage: INVALID_ARGUMENT with the place", async () => {
    const error = await send(paths.traces, Buffer.from([0x0a, 0x05, 0x12]));
    expect(error).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      details: "resource_spans[0]: length 5, but only 1 bytes remain (at byte 1)",
    });
  });

  test("a message above the limit: RESOURCE_EXHAUSTED, and the next is served", async () => {
    const error = await send(paths.traces, Buffer.alloc((1 << 20) + 1));
    expect(error).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(await send(paths.traces, sampleBatch("traces").bytes)).toEqual(Buffer.alloc(0));
  });

  test("another service: UNIMPLEMENTED", async () => {
    expect(await send("/a.b.C/Export", Buffer.alloc(0))).toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
    });
  });

  test.each([
    ["cut off", gzipSync(Buffer.alloc(100)).subarray(0, 10)],
    ["damaged", gzipSync(Buffer.alloc(100)).fill(7, 12, 14)],
    ["no gzip at all", Buffer.alloc(100, 7)],
    ["a size that is a lie", lying(gzipSync(sampleBatch("traces").bytes), 5)],
  ])("gzip that is %s: INVALID_ARGUMENT", async (_, packed) => {
    const framed = message(packed, { isCompressed: true });
    const answer = await post(paths.traces, framed, { "grpc-encoding": "gzip" });
    expect(answer.trailers["grpc-status"]).toBe("3");
    expect(intake.itemsOf("otlp_grpc", "traces", "invalid")).toBe(1);
  });

  test("a bomb costs no more than a request may: RESOURCE_EXHAUSTED", async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    for (const packed of [bomb, lying(bomb, 10)]) {
      const framed = message(packed, { isCompressed: true });
      const answer = await post(paths.traces, framed, { "grpc-encoding": "gzip" });
      expect(answer.trailers["grpc-status"]).toBe("8");
    }
    expect(intake.itemsOf("otlp_grpc", "traces", "invalid")).toBe(2);
  });

  test.each(["zstd", "deflate", "snappy"])(
    "%s: UNIMPLEMENTED, saying what is",
    async (encoding) => {
      const framed = message(Buffer.alloc(10), { isCompressed: true });
      const { trailers } = await post(paths.traces, framed, { "grpc-encoding": encoding });
      expect(trailers).toMatchObject({
        "grpc-status": "12",
        "grpc-accept-encoding": "identity,gzip",
        "grpc-message": `grpc-encoding ${encoding}: give gzip or identity`,
      });
    },
  );

  test("every character of a header comes through, in Huffman code or not", async () => {
    for (let first = 0x21; first < 0x7f; first += 40) {
      const text = String.fromCharCode(...Array.from({ length: 40 }, (_, at) => first + at))
        .replaceAll("\x7f", "")
        .trim();
      const { trailers } = await post(paths.traces, Buffer.alloc(5), { "grpc-encoding": text });
      const said = decodeURIComponent(String(trailers["grpc-message"]));
      expect(said).toBe(`grpc-encoding ${text}: give gzip or identity`);
    }
  });

  test("a compressed message that was not announced: INTERNAL", async () => {
    const framed = message(gzipSync(Buffer.alloc(10)), { isCompressed: true });
    expect((await post(paths.traces, framed)).trailers["grpc-status"]).toBe("13");
  });

  test("what requests in flight leave no room for: UNAVAILABLE with RetryInfo", async () => {
    await stop();
    await start({ requestMaxBytes: 10_000, requestsMaxBytes: 10_000 });
    const { bytes } = sampleBatch("traces", { items: 12 });
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const append = log.append.bind(log);
    log.append = (batch) => gate.then(() => append(batch));
    const first = send(paths.traces, bytes);
    await until("it is held", () => intake.heldBytes === bytes.length);
    for (const [body, headers] of [
      [message(bytes), {}],
      [message(gzipSync(bytes), { isCompressed: true }), { "grpc-encoding": "gzip" }],
    ] as const) {
      const refused = await post(paths.traces, body, headers);
      expect(refused.trailers["grpc-status"]).toBe("14");
      expect(detailsOf(refused)).toContain("google.rpc.RetryInfo");
      expect(intake.heldBytes).toBe(bytes.length);
    }
    open();
    expect(await first).toEqual(Buffer.alloc(0));
    expect(await send(paths.traces, bytes)).toEqual(Buffer.alloc(0));
  });

  test("what the full log cannot take: UNAVAILABLE with RetryInfo", async () => {
    await stop();
    await start({ logMaxBytes: 10_000 });
    await log.reader("slow");
    const { bytes } = sampleBatch("traces", { items: 12 });
    expect(await send(paths.traces, bytes)).toEqual(Buffer.alloc(0));
    const error = (await send(paths.traces, bytes)) as grpc.ServiceError;
    expect(error.code).toBe(grpc.status.UNAVAILABLE);
    const [details] = error.metadata.get("grpc-status-details-bin");
    expect(decodeStatus(details as Buffer)).toMatchObject({ code: 14 });
    expect(Buffer.from(details as Buffer).toString("latin1")).toContain("google.rpc.RetryInfo");
  });
});

describe("who may come in", () => {
  const withToken: Access = { ...openAccess, allows: (given) => given === "Bearer secret" };

  beforeEach(async () => {
    await stop();
    await start({ access: withToken });
  });

  test.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["a wrong token", { authorization: "Bearer other" }],
  ])("%s: UNAUTHENTICATED, before the message is looked at", async (_, headers) => {
    const { bytes } = sampleBatch("traces", { items: 12 });
    expect((await post(paths.traces, message(bytes), headers)).trailers["grpc-status"]).toBe("16");
    const tooLarge = message(Buffer.alloc(1), { length: 1 << 30 });
    expect((await post(paths.traces, tooLarge, headers)).trailers["grpc-status"]).toBe("16");
    expect((await post("/a.b.C/Export", message(bytes), headers)).trailers["grpc-status"]).toBe(
      "16",
    );
    expect(log.appended.traces).toBe(0);
  });

  test("the right token: taken", async () => {
    const { bytes } = sampleBatch("traces", { items: 12 });
    const answer = await post(paths.traces, message(bytes), { authorization: "Bearer secret" });
    expect(answer.trailers["grpc-status"]).toBe("0");
    expect(log.appended.traces).toBe(12);
  });

  test("health is told to anybody, who cannot send much", async () => {
    expect((await post(healthPath, message(Buffer.alloc(0)))).trailers["grpc-status"]).toBe("0");
    const large = message(Buffer.alloc(1_025));
    expect((await post(healthPath, large)).trailers["grpc-status"]).toBe("8");
  });
});

describe("health", () => {
  const asking = (service: string): Buffer =>
    message(Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]));

  test.each(["", "opentelemetry.proto.collector.trace.v1.TraceService"])(
    "of %j: SERVING",
    async (service) => {
      const answer = await post(healthPath, asking(service));
      expect(answer.trailers["grpc-status"]).toBe("0");
      expect(answer.body).toEqual(message(Buffer.from([0x08, 1])));
    },
  );

  test("of a service that is not here: NOT_FOUND", async () => {
    expect((await post(healthPath, asking("a.b.C"))).trailers["grpc-status"]).toBe("5");
  });

  test("what is no question: NOT_FOUND", async () => {
    const answer = await post(healthPath, message(Buffer.from([0x0a, 9, 1])));
    expect(answer.trailers["grpc-status"]).toBe("5");
  });

  test("watching: UNIMPLEMENTED, which clients take as healthy", async () => {
    const answer = await post(healthPath.replace("Check", "Watch"), asking(""));
    expect(answer.trailers["grpc-status"]).toBe("12");
  });
});

test("stopping: what is under way is answered, and nothing new is taken", async () => {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const append = log.append.bind(log);
  log.append = (batch) => gate.then(() => append(batch));
  const { bytes } = sampleBatch("traces", { items: 12 });
  const underWay = send(paths.traces, bytes);
  await until("it is held", () => intake.heldBytes > 0);
  const stopped = receiver.stop(new AbortController().signal);
  open();
  expect(await underWay).toEqual(Buffer.alloc(0));
  await stopped;
  expect(await send(paths.traces, bytes)).toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect(log.appended.traces).toBe(12);
});

test("a taken port is said in words that help", async () => {
  const port = Number(new URL(receiver.url).port);
  await expect(startOtlpGrpc(intake, { ...where, port })).rejects.toThrow(
    `otlp_grpc_port: cannot listen on 127.0.0.1:${port}, the port is taken; ` +
      "stop what listens there or set otlp_grpc_port to another port, 0 or off",
  );
});

/** A request of just so many bytes: an unknown field of that length. */
function ofSize(size: number): Buffer {
  const field = Buffer.alloc(size);
  field[0] = 0x7a; // 15, length-delimited
  let rest = size - 5;
  for (let at = 1; at < 5; at++, rest >>= 7) field[at] = (rest & 0x7f) | (at < 4 ? 0x80 : 0);
  return field;
}

/** Gzip that says of itself to be of another size. */
function lying(packed: Buffer, size: number): Buffer {
  packed.writeUInt32LE(size, packed.length - 4);
  return packed;
}
