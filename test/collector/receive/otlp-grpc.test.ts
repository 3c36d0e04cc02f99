import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpGrpc } from "../../../collector/receive/otlp-grpc.ts";
import { type Signal, signals } from "../../../collector/wire/batch.ts";
import { decodeStatus, sampleBatch } from "../../support/otlp.ts";

const paths: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};
const where = { host: "127.0.0.1", port: 0, setting: "otlp_grpc_port" };
const asIs = (bytes: Buffer): Buffer => bytes;

let log: MemoryLog;
let intake: Intake;
let receiver: Receiver;
let client: grpc.Client;

async function start({ logMaxBytes = 1 << 30 } = {}): Promise<void> {
  log = new MemoryLog({ maxBytes: logMaxBytes });
  intake = new Intake({ log, requestMaxBytes: 1 << 20, requestsMaxBytes: 8 << 20 });
  receiver = await startOtlpGrpc(intake, where);
  client = new grpc.Client(new URL(receiver.url).host, grpc.credentials.createInsecure());
}

async function stop(): Promise<void> {
  client.close();
  await receiver.stop(AbortSignal.abort());
}

beforeEach(() => start());
afterEach(stop);

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

test("a taken port is said in words that help", async () => {
  const port = Number(new URL(receiver.url).port);
  await expect(startOtlpGrpc(intake, { ...where, port })).rejects.toThrow(
    `otlp_grpc_port: cannot listen on 127.0.0.1:${port}, the port is taken; ` +
      "stop what listens there or set otlp_grpc_port to another port, 0 or off",
  );
});
