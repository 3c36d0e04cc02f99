import { once } from "node:events";
import * as http2 from "node:http2";
import { request as requestHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { SpanStatusCode } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { traceHttpServers } from "../../sdk/instrument/http-server.ts";
import { traceHttp2Servers } from "../../sdk/instrument/http2-server.ts";
import { ask, certificate, connectTo } from "./support/http2.ts";
import { activeSpanId, useTracing } from "./support/tracing.ts";

const tracing = useTracing(() => {
  traceHttpServers();
  traceHttp2Servers();
});

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe.each([
  [
    "as request and response",
    (seen: string[]) =>
      http2.createServer((request, response) => {
        seen.push(activeSpanId());
        request.on("data", () => seen.push(activeSpanId()));
        request.on("end", () => {
          seen.push(activeSpanId());
          setTimeout(() => {
            seen.push(activeSpanId());
            response.writeHead(201).end("ok");
          }, 1);
        });
      }),
  ],
  [
    "as a stream",
    (seen: string[]) =>
      http2.createServer().on("stream", (stream) => {
        seen.push(activeSpanId());
        stream.on("data", () => seen.push(activeSpanId()));
        stream.on("end", () => {
          seen.push(activeSpanId());
          setTimeout(() => {
            seen.push(activeSpanId());
            stream.respond({ ":status": 201 });
            stream.end("ok");
          }, 1);
        });
      }),
  ],
])("a request of HTTP/2 taken %s", (_, make) => {
  test("is one span, continues the caller's trace, and its handlers run in its context", async () => {
    const seen: string[] = [];
    const client = await connectTo(make(seen));
    const headers = { ":method": "POST", ":path": "/orders?token=abc", traceparent };
    expect(await ask(client, headers, "body")).toBe(201);
    const [span] = await tracing.spans(1);
    expect(seen).toEqual(Array.from({ length: 4 }, () => span?.spanContext().spanId));
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(span?.name).toBe("POST");
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.response.status_code": 201,
      "url.path": "/orders",
      "url.query": "token=abc",
      "url.scheme": "http",
      "network.protocol.version": "2",
      "server.address": "127.0.0.1",
      "client.address": "127.0.0.1",
    });
  });

  test("shares its connection, and no context, with others", async () => {
    const client = await connectTo(make([]));
    await Promise.all([ask(client, { ":method": "POST" }), ask(client, { ":method": "POST" })]);
    const [first, second] = await tracing.spans(2);
    expect(first?.spanContext().traceId).not.toBe(second?.spanContext().traceId);
    expect(second?.parentSpanContext).toBeUndefined();
  });
});

test("a client that cancels makes an error, without a status that was not sent", async () => {
  const client = await connectTo(
    http2.createServer((request, response) => {
      if (request.url === "/begun") response.writeHead(200).write("begun");
    }),
  );
  const begun = client.request({ ":path": "/begun" });
  await once(begun, "data");
  begun.close(http2.constants.NGHTTP2_CANCEL);
  const waiting = client.request({ ":path": "/waiting" });
  await new Promise((resolve) => setTimeout(resolve, 30));
  waiting.close(http2.constants.NGHTTP2_CANCEL);
  const spans = await tracing.spans(2);
  expect(
    spans.map(({ attributes, status }) => [
      attributes["url.path"],
      attributes["http.response.status_code"],
      attributes["error.type"],
      status.code,
    ]),
  ).toEqual([
    ["/begun", 200, "aborted", SpanStatusCode.ERROR],
    ["/waiting", undefined, "aborted", SpanStatusCode.ERROR],
  ]);
});

test("what a server pushes is no request, and gRPC is left to its own instrumentation", async () => {
  const client = await connectTo(
    http2.createServer((_request, response) => {
      response.createPushResponse({ ":path": "/pushed" }, (_error, pushed) => pushed.end("x"));
      response.end();
    }),
  );
  await ask(client, { ":path": "/" });
  await ask(client, { ":method": "POST", "content-type": "application/grpc+proto" });
  const [span] = await tracing.spans(1);
  expect(span?.attributes["url.path"]).toBe("/");
});

test("a server of HTTP/2 that takes HTTP/1, too, makes one span of each request of either", async () => {
  const options = { ...certificate(), allowHTTP1: true };
  const seen: string[] = [];
  const server = http2.createSecureServer(options, (_request, response) => {
    seen.push(activeSpanId());
    response.end();
  });
  const client = await connectTo(server);
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await ask(client, { ":path": "/2" });
  requestHttps({ port, host: "127.0.0.1", path: "/1", rejectUnauthorized: false }).end();
  const spans = await tracing.spans(2);
  expect(
    spans.map(({ attributes }) => [
      attributes["url.path"],
      attributes["url.scheme"],
      attributes["network.protocol.version"],
      attributes["http.response.status_code"],
    ]),
  ).toEqual([
    ["/2", "https", "2", 200],
    ["/1", "https", "1.1", 200],
  ]);
  expect(seen).toEqual(spans.map((span) => span.spanContext().spanId));
});
