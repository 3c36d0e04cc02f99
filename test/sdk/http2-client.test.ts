import { once } from "node:events";
import * as http2 from "node:http2";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import * as undici from "undici";
import { describe, expect, test } from "vitest";
import { traceHttp2Clients } from "../../sdk/instrument/http2-client.ts";
import { traceUndici } from "../../sdk/instrument/undici.ts";
import { clientDurations } from "../../sdk/metrics/durations.ts";
import { until } from "../support/until.ts";
import { cleanups } from "./support/http.ts";
import { ask, certificate, connectTo, originOf } from "./support/http2.ts";
import { activeSpanId, statusOf, useTracing } from "./support/tracing.ts";

const tracing = useTracing(() => {
  traceHttp2Clients();
  traceUndici();
});

/** Answers 201; what it is asked is kept. */
function answering(asked: http2.IncomingHttpHeaders[] = []): http2.Http2Server {
  return http2.createServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(201).end("made");
  });
}

describe("a request over HTTP/2", () => {
  test("is one span with what the conventions ask for, and carries the trace", async () => {
    const asked: http2.IncomingHttpHeaders[] = [];
    const client = await connectTo(answering(asked));
    expect(await ask(client, { ":method": "POST", ":path": "/orders?page=1", "x-own": "1" })).toBe(
      201,
    );
    const [span] = await tracing.spans(1);
    const port = client.socket.remotePort;
    expect(span?.name).toBe("POST");
    expect(span?.kind).toBe(2);
    expect(span?.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 201,
      "network.peer.address": "127.0.0.1",
      "network.peer.port": port,
      "network.protocol.version": "2",
      "server.address": "127.0.0.1",
      "server.port": port,
      "url.full": `http://127.0.0.1:${port}/orders?page=1`,
    });
    const { traceId, spanId } = span!.spanContext();
    expect(asked[0]).toMatchObject({ "x-own": "1", traceparent: `00-${traceId}-${spanId}-01` });
    expect(
      clientDurations.series.map(({ attributes }) => attributes["network.protocol.version"]),
    ).toContain("2");
  });

  test.each([
    ["without headers", (client: http2.ClientHttp2Session) => client.request()],
    [
      "before the session is connected",
      (client: http2.ClientHttp2Session) => client.request({ ":path": "/" }),
    ],
  ])("%s", async (_, request) => {
    const asked: http2.IncomingHttpHeaders[] = [];
    const client = await connectTo(answering(asked));
    const stream = request(client);
    stream.resume();
    await once(stream, "close");
    const [span] = await tracing.spans(1);
    expect(asked[0]?.["traceparent"]).toContain(span?.spanContext().spanId);
    expect(span?.attributes["url.full"]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  });

  test("is a child of what runs, and its listeners run there, not in its span", async () => {
    const client = await connectTo(answering());
    const parent = trace.wrapSpanContext({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
    });
    const seen: string[] = [];
    await context.with(trace.setSpan(context.active(), parent), async () => {
      const stream = client.request({ ":path": "/" });
      stream.on("response", () => seen.push(activeSpanId()));
      stream.on("data", () => seen.push(activeSpanId()));
      stream.on("end", () => seen.push(activeSpanId()));
      await once(stream, "close");
    });
    const [span] = await tracing.spans(1);
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(seen).toEqual(["b7ad6b7169203331", "b7ad6b7169203331", "b7ad6b7169203331"]);
  });

  test("that fails has the error, one that the app gives up has none", async () => {
    const asked: unknown[] = [];
    const client = await connectTo(
      http2.createServer().on("stream", (stream, headers) => {
        asked.push(headers[":path"]);
        stream.on("error", () => {});
        if (headers[":path"] === "/broken") stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
        if (headers[":path"] === "/missing")
          stream.respond({ ":status": 404 }, { endStream: true });
      }),
    );
    await ask(client, { ":path": "/missing" });
    const broken = client.request({ ":path": "/broken" });
    await once(broken, "error");
    const givenUp = client.request({ ":path": "/waiting" });
    await until("it is asked", () => asked.includes("/waiting"));
    givenUp.close(http2.constants.NGHTTP2_CANCEL);
    const spans = await tracing.spans(3);
    expect(
      spans.map((span) => [statusOf(span), span.attributes["error.type"], span.status.code]),
    ).toEqual([
      [404, "404", SpanStatusCode.ERROR],
      [undefined, "ERR_HTTP2_STREAM_ERROR", SpanStatusCode.ERROR],
      [undefined, undefined, SpanStatusCode.UNSET],
    ]);
  });

  test("that Node refuses is refused to the app as ever", async () => {
    const client = await connectTo(answering());
    expect(() => client.request({ connection: "close" })).toThrow(/HTTP\/1 Connection specific/);
    const [span] = await tracing.spans(1);
    expect(span?.attributes["error.type"]).toBe("ERR_HTTP2_INVALID_CONNECTION_HEADERS");
  });

  test("is left alone where nothing is to be traced, and where it is gRPC", async () => {
    const asked: http2.IncomingHttpHeaders[] = [];
    const client = await connectTo(answering(asked));
    await context.with(suppressTracing(context.active()), () => ask(client, { ":path": "/" }));
    await ask(client, { ":method": "POST", "content-type": "application/grpc" });
    await tracing.spans(0);
    expect(asked.map(({ traceparent }) => traceparent)).toEqual([undefined, undefined]);
  });

  test("by undici is one span and not two", async () => {
    const server = http2.createSecureServer(certificate(), (_request, response) => {
      response.end("x");
    });
    const origin = await originOf(server);
    const agent = new undici.Agent({ allowH2: true, connect: { rejectUnauthorized: false } });
    cleanups.push(() => void agent.destroy());
    const answer = await undici.fetch(origin, { dispatcher: agent });
    await answer.text();
    const [span] = await tracing.spans(1);
    expect(span?.attributes).toMatchObject({ "url.full": `${origin}/` });
  });
});
