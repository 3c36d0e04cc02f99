// A whole collector whose memory holds nothing any more once it has been let go of: what comes out must
// be what came in, though requests of all sizes and forms come at a time.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Collector } from "../../../collector/collector.ts";
import { loadConfig } from "../../../collector/config/config.ts";
import { GrpcClient } from "../../../collector/http2/client.ts";
import { encodeHeaders } from "../../../collector/http2/header-encoder.ts";
import type { Log } from "../../../collector/log/log.ts";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpGrpc } from "../../../collector/receive/otlp-grpc.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import type { Batch } from "../../../collector/wire/batch.ts";
import { everyLeaf } from "../../../collector/wire/leaves.ts";
import { spoiled } from "../../support/memory.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";

/** The checksums of spans. How often each comes does not matter: on a slow machine some are sent twice. */
type Spans = Set<number>;

let folder: string;
const receivers: Receiver[] = [];
let collector: Collector;
let urls: Record<string, string>;
let arrived: Readonly<Record<"a" | "b" | "c", Spans>>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-memory-"));
  arrived = { a: new Set(), b: new Set(), c: new Set() };
  const where = { host: "127.0.0.1", port: 0, setting: "port" };
  receivers.push(
    await startOtlpHttp(counting(arrived.a), where),
    await startOtlpGrpc(counting(arrived.b), where),
    await startOtlpHttp(counting(arrived.c), where),
  );
  const [a, b, c] = receivers.map(({ url }) => url);
  const marking = { set: { resource: { region: "north" } } };
  const settings = {
    outputs: {
      a: { type: "otlp", endpoint: a, max_request_bytes: 300_000 },
      b: { type: "otlp", endpoint: b, steps: ["mark"] },
      c: { type: "otlp", endpoint: c, steps: ["mark", "again"], compression: "gzip" },
    },
    steps: { mark: marking, again: { set: { resource: { zone: 1 } } } },
  };
  writeFileSync(join(folder, "sonde.yaml"), JSON.stringify(settings)); // JSON is YAML
  const ports = { HTTP: "0", GRPC: "0" };
  const env = {
    SONDE_DATA_DIR: folder,
    SONDE_OTLP_HTTP_PORT: ports.HTTP,
    SONDE_OTLP_GRPC_PORT: ports.GRPC,
    SONDE_PROMETHEUS_PORT: "off",
    SONDE_WEB_PORT: "off",
  };
  const { config } = await loadConfig({ env, cwd: folder });
  urls = {};
  collector = await Collector.start(config, {
    memory: spoiled(),
    incidents: new Incidents({ write: () => {} }),
    ready: (what, url) => void (urls[what] = url),
  });
});

afterEach(async () => {
  await collector.stop(AbortSignal.abort());
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop(AbortSignal.abort())));
  rmSync(folder, { recursive: true, force: true });
});

/** Behind a receiver, in place of a log that keeps what it is given. */
function counting(spans: Spans): Intake {
  const log: Log = new MemoryLog({ maxBytes: 1 << 30 });
  log.append = async (batch) => {
    count(batch, spans);
    return 0;
  };
  return new Intake({ log, requestMaxBytes: 64 << 20, requestsMaxBytes: 1 << 30 });
}

function count({ bytes }: Batch, spans: Spans): void {
  everyLeaf(bytes, ({ start, end }) => {
    spans.add(crc32(bytes.subarray(start, end)));
    return true;
  });
}

const forms = {
  plain: (bytes: Uint8Array) => bytes,
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  zstd: (bytes: Uint8Array) => zstdCompressSync(bytes),
};

async function post(bytes: Uint8Array, form: keyof typeof forms): Promise<void> {
  const body = Buffer.from(forms[form](bytes));
  const headers = {
    "content-type": "application/x-protobuf",
    ...(form === "plain" ? {} : { "content-encoding": form }),
  };
  const response = await fetch(`${urls["OTLP/HTTP"]}/v1/traces`, { method: "POST", headers, body });
  expect(response.status).toBe(200);
}

async function call(client: GrpcClient, bytes: Uint8Array, isCompressed: boolean): Promise<void> {
  const head = encodeHeaders([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"],
    [":authority", "localhost"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ["grpc-encoding", "gzip"],
  ]);
  const answer = await client.call({
    head,
    parts: [isCompressed ? gzipSync(bytes) : bytes],
    isCompressed,
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  });
  expect(answer).toMatchObject({ kind: "answered", status: { code: 0 } });
}

const sizes = [1, 30, 700, 5, 1500, 90, 5000, 12];
const inFlight = 12;

test("what comes out is what came in", async () => {
  const { hostname, port } = new URL(urls["OTLP/gRPC"]!.replace("grpc:", "http:"));
  const client = new GrpcClient({ host: hostname, port: Number(port) });
  const sent: Spans = new Set();
  const ways = [
    (bytes: Uint8Array) => post(bytes, "plain"),
    (bytes: Uint8Array) => call(client, bytes, false),
    (bytes: Uint8Array) => post(bytes, "gzip"),
    (bytes: Uint8Array) => call(client, bytes, true),
    (bytes: Uint8Array) => post(bytes, "zstd"),
  ];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < sizes.length * ways.length; index = next++) {
      const items = sizes[index % sizes.length]!;
      const batch = sampleBatch("traces", { items, seed: index + 1 });
      count(batch, sent);
      await ways[Math.floor(index / sizes.length)]!(batch.bytes);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  client.close();
  const items = sizes.reduce((sum, size) => sum + size) * ways.length;
  expect(sent.size).toBeGreaterThan(items - 10); // few have the same checksum
  for (const spans of Object.values(arrived)) {
    await until("as many have arrived", () => spans.size >= sent.size, 60_000);
    expect([...spans].filter((span) => !sent.has(span)).length).toBe(0);
  }
}, 120_000);
