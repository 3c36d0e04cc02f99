import * as grpc from "@grpc/grpc-js";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { open } from "../../../collector/output/otlp/otlp.ts";
import { settings } from "../../../collector/output/otlp/settings.ts";
import type { Outcome, Output } from "../../../collector/output/output.ts";
import { signals } from "../../../collector/wire/batch.ts";
import { deliveryOf, outputContext } from "../../contract/output.ts";
import { type GrpcJsServer, startGrpcJs } from "../../support/grpc-js.ts";
import { listenLocally } from "../../support/listen.ts";
import { decodeRequest, encodeMessage, encodeResponse } from "../../support/otlp.ts";
import { type Sink, startSink } from "../../support/sink.ts";

const openTo = (given: Record<string, unknown>): Promise<Output> =>
  open(settings.parse({ timeout_ms: 2_000, ...given }), outputContext());

const never = new AbortController().signal;

describe("over HTTP", () => {
  let sink: Sink;
  let output: Output;
  beforeEach(async () => {
    sink = await startSink();
    output = await openTo({ endpoint: sink.url });
  });
  afterEach(async () => {
    await output.close();
    await sink.close();
  });

  const answering = (
    status: number,
    headers: Record<string, string> = {},
    body: string | Uint8Array = "",
  ): Promise<Outcome> => {
    sink.misbehave = (response) => {
      response.writeHead(status, headers).end(body);
      return true;
    };
    return output.deliver(deliveryOf("traces", [3, 4]), never);
  };

  test.each(signals)("%s: the batches of a delivery arrive as one request", async (signal) => {
    const delivery = deliveryOf(signal, [3, 4]);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(sink.requests.length).toBe(1);
    expect(sink.requests[0]?.signal).toBe(signal);
    const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));
    expect(sink.requests[0]?.bytes.equals(sent)).toBe(true);
    expect(() => decodeRequest(signal, sent)).not.toThrow();
  });

  test("gzip and headers, under a path of the address", async () => {
    const gzip = await openTo({
      endpoint: sink.url,
      compression: "gzip",
      headers: { "x-tenant": "shop" },
    });
    const seen: unknown[] = [];
    sink.misbehave = (response) => {
      const { headers, url } = response.req;
      seen.push(headers["content-encoding"], headers["x-tenant"], url);
      return false;
    };
    expect(await gzip.deliver(deliveryOf("logs", [5]), never)).toEqual({ kind: "delivered" });
    expect(seen).toEqual(["gzip", "shop", "/v1/logs"]);
    await gzip.close();
  });

  test("any 2xx is an acceptance, readable or not", async () => {
    expect(await answering(200)).toEqual({ kind: "delivered" });
    expect(await answering(202, { "content-type": "text/html" }, "<html>")).toEqual({
      kind: "delivered",
    });
    const garbage = { "content-type": "application/x-protobuf" };
    expect(await answering(200, garbage, Buffer.from([0xff, 1]))).toEqual({ kind: "delivered" });
  });

  test("partial success tells how many were not taken", async () => {
    const body = encodeResponse("traces", {
      partialSuccess: { rejectedSpans: "2", errorMessage: "too old" },
    });
    expect(await answering(200, { "content-type": "application/x-protobuf" }, body)).toEqual({
      kind: "rejected",
      reason: "partial_success",
      detail: "too old",
      items: 2,
    });
  });

  test.each([
    [429, "busy"],
    [503, "busy"],
    [401, "unauthorized"],
    [403, "unauthorized"],
    [404, "not_found"],
    [408, "timeout"],
    [500, "server_error"],
    [502, "server_error"],
    [504, "server_error"],
    [302, "bad_answer"],
  ])("%i may pass: retry, %s", async (status, reason) => {
    expect(await answering(status)).toMatchObject({ kind: "retry", reason });
  });

  test.each([
    [400, "bad_data"],
    [413, "too_large"],
    [415, "bad_data"],
    [422, "bad_data"],
  ])("%i never will: rejected, %s", async (status, reason) => {
    const body = encodeMessage("RpcStatus", { code: 3, message: "not this" });
    const type = { "content-type": "application/x-protobuf" };
    expect(await answering(status, type, body)).toEqual({
      kind: "rejected",
      reason,
      detail: `HTTP ${status} not this`,
      items: 7,
    });
  });

  test("Retry-After is honoured in seconds and as a date, and an absurd one is cut", async () => {
    const date = new Date(Date.now() + 10_000).toUTCString();
    const waits: unknown[] = [];
    for (const value of ["7", "99999999", "soon", date]) {
      const outcome = await answering(503, { "retry-after": value });
      waits.push(outcome.kind === "retry" ? outcome.afterMs : outcome);
    }
    expect(waits).toEqual([7_000, 300_000, undefined, expect.any(Number)]);
    expect(waits[3]).toBeGreaterThan(7_000);
  });

  test("no answer, and nobody there: a retry each", async () => {
    const quick = await openTo({ endpoint: sink.url, timeout_ms: 100 });
    sink.misbehave = () => true;
    expect(await quick.deliver(deliveryOf("traces", [1]), never)).toMatchObject({
      kind: "retry",
      reason: "timeout",
    });
    await quick.close();
    await sink.close();
    expect(await output.deliver(deliveryOf("traces", [1]), never)).toMatchObject({
      kind: "retry",
      reason: "unreachable",
    });
    sink = await startSink();
  });

  test.each([
    [200, { kind: "delivered" }],
    [400, { kind: "rejected", reason: "bad_data" }],
    [503, { kind: "retry", reason: "busy" }],
  ])(
    "an answer %i that breaks off, drips or never ends is one all the same",
    async (status, outcome) => {
      const quick = await openTo({ endpoint: sink.url, timeout_ms: 400 });
      const answers: ((response: ServerResponse) => void)[] = [
        (response) => setImmediate(() => response.destroy()),
        (response) => {
          const timer = setInterval(() => response.write("x"), 20);
          response.on("close", () => clearInterval(timer));
        },
        (response) => {
          const more = (): void => {
            if (!response.destroyed) response.write("x".repeat(10_000), () => setImmediate(more));
          };
          more();
        },
      ];
      for (const answer of answers) {
        sink.misbehave = (response) => {
          response.writeHead(status).write("x");
          answer(response);
          return true;
        };
        const began = performance.now();
        expect(await quick.deliver(deliveryOf("traces", [1]), never)).toMatchObject(outcome);
        expect(performance.now() - began).toBeLessThan(1500);
      }
      await quick.close();
    },
  );

  test("partial success in JSON, from a server that always answers so", async () => {
    const json = { "content-type": "application/json" };
    const partial = { rejectedSpans: "2", errorMessage: "too old" };
    expect(await answering(200, json, JSON.stringify({ partialSuccess: partial }))).toEqual({
      kind: "rejected",
      reason: "partial_success",
      detail: "too old",
      items: 2,
    });
    for (const body of ["{}", "[", "null", "1", '{"partialSuccess":{"rejectedSpans":"x"}}']) {
      expect(await answering(200, json, body)).toEqual({ kind: "delivered" });
    }
  });

  test("what a server says cannot move a cursor or forge a line", async () => {
    const outcome = await answering(400, {}, "no\n\u001b[2J\u202esonde: all is well");
    expect(outcome).toMatchObject({
      detail: "HTTP 400 no\\u000a\\u001b[2J\\u202esonde: all is well",
    });
  });

  test("a redirect is not followed", async () => {
    const other = await startSink();
    const outcome = await answering(307, { location: `${other.url}/v1/traces` });
    expect(outcome).toMatchObject({
      kind: "retry",
      reason: "bad_answer",
      detail: `HTTP 307 to ${other.url}/v1/traces`,
    });
    expect(other.arrived()).toBe(0);
    await other.close();
  });

  test("zstd is said to be zstd", async () => {
    const zstd = await openTo({ endpoint: sink.url, compression: "zstd" });
    let encoding: unknown;
    sink.misbehave = (response) => {
      encoding = response.req.headers["content-encoding"];
      return false;
    };
    const delivery = deliveryOf("logs", [5]);
    expect(await zstd.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(encoding).toBe("zstd");
    expect(sink.requests[0]?.bytes).toEqual(Buffer.from(delivery.entries[0]!.batch.bytes));
    await zstd.close();
  });

  test("small and large batches arrive in their order", async () => {
    const delivery = deliveryOf("traces", [1, 2, 60, 1, 50, 70, 3]);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));
    expect(sink.requests[0]?.bytes.equals(sent)).toBe(true);
  });

  test("an abort ends a delivery at once, as a retry", async () => {
    sink.misbehave = () => true;
    const abort = new AbortController();
    const outcome = output.deliver(deliveryOf("traces", [1]), abort.signal);
    setImmediate(() => abort.abort());
    expect(await outcome).toMatchObject({ kind: "retry" });
  });
});

describe("over gRPC", () => {
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  let server: GrpcJsServer;
  let output: Output;
  let received: Buffer[];
  let answer: Partial<grpc.StatusObject> | undefined;

  beforeEach(async () => {
    received = [];
    answer = undefined;
    server = await startGrpcJs(path, ({ request }, reply) => {
      if (!answer) received.push(request);
      reply(answer ?? null, Buffer.alloc(0));
    });
    output = await openTo({ endpoint: `grpc://127.0.0.1:${server.port}` });
  });
  afterEach(async () => {
    await output.close();
    server.stop();
  });

  test("the batches of a delivery arrive as one message", async () => {
    const delivery = deliveryOf("traces", [3, 4]);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));
    expect(received).toEqual([sent]);
  });

  test("what comes from a large buffer is sent alone", async () => {
    const { batch } = deliveryOf("traces", [3]).entries[0]!;
    const large = Buffer.concat([Buffer.alloc(1000), batch.bytes, Buffer.alloc(1000)]);
    const bytes = large.subarray(1000, 1000 + batch.bytes.length);
    const entries = [{ position: 0, atMs: 0, batch: { ...batch, bytes } }];
    await output.deliver({ signal: "traces", entries, items: 3, bytes: bytes.length }, never);
    expect(received).toEqual([Buffer.from(batch.bytes)]);
  });

  test.each([
    [grpc.status.UNAVAILABLE, "retry", "unreachable"],
    [grpc.status.UNAUTHENTICATED, "retry", "unauthorized"],
    [grpc.status.INTERNAL, "retry", "server_error"],
    [grpc.status.UNIMPLEMENTED, "retry", "not_found"],
    [grpc.status.INVALID_ARGUMENT, "rejected", "bad_data"],
    [grpc.status.RESOURCE_EXHAUSTED, "rejected", "too_large"],
  ])("code %i: %s, %s", async (code, kind, reason) => {
    answer = { code, details: "because" };
    expect(await output.deliver(deliveryOf("traces", [3]), never)).toMatchObject({
      kind,
      reason,
      detail: `gRPC ${grpc.status[code]}: because`,
    });
  });

  test("nobody there, and a server that never answers: a retry each", async () => {
    const silent = createServer(() => {});
    const port = await listenLocally(silent);
    const hanging = await openTo({ endpoint: `grpc://127.0.0.1:${port}`, timeout_ms: 300 });
    expect(await hanging.deliver(deliveryOf("traces", [1]), never)).toMatchObject({
      kind: "retry",
    });
    await hanging.close();
    silent.close();
    server.stop();
    expect(await output.deliver(deliveryOf("traces", [1]), never)).toMatchObject({
      kind: "retry",
    });
  });
});
