// Each trap of asking over HTTP as a test: node:http, fetch and the package undici against real servers,
// with OpenTelemetry's SDK behind the instrumentation.

import { once } from "node:events";
import * as http from "node:http";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { beforeEach, describe, expect, test } from "vitest";
import * as undici from "undici";
import { traceHttpClients } from "../../sdk/instrument/http-client.ts";
import { traceUndici } from "../../sdk/instrument/undici.ts";
import { markOwn } from "../../sdk/export/own.ts";
import { clientDurations } from "../../sdk/metrics/durations.ts";
import { cleanups, closeAll, serve as servePort } from "./support/http.ts";
import { activeSpanId, useTracing } from "./support/tracing.ts";

const tracing = useTracing(() => {
  traceHttpClients();
  traceUndici();
});

/** A server without instrumentation: in this file only clients have one. */
const serve = async (handler: http.RequestListener): Promise<string> =>
  `http://127.0.0.1:${await servePort(handler)}`;

/** A server of bytes, for answers that no HTTP server gives. */
async function serveBytes(handle: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => handle(socket));
    cleanups.push(() => socket.destroy());
  }).listen(0, "127.0.0.1");
  cleanups.push(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}

const traceparentOf = (request: http.IncomingMessage): unknown => request.headers["traceparent"];

/** Runs within a span of the app, which is not kept. */
function inSpan<Result>(run: (id: string) => Result): Result {
  const span = trace.wrapSpanContext({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  });
  return context.with(trace.setSpan(context.active(), span), run, undefined, "b7ad6b7169203331");
}

async function get(url: string, options: http.RequestOptions = {}): Promise<string> {
  const request = http.get(url, options);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return text;
}

const asFetch = async (url: string): Promise<string> => (await fetch(url)).text();
const asUndici = async (url: string): Promise<string> => (await undici.request(url)).body.text();

describe.each([
  ["node:http", get],
  ["fetch", asFetch],
  ["undici", asUndici],
])("a span of %s", (_, ask) => {
  test("has what the conventions ask for, and its id goes to the server", async () => {
    let traceparent: unknown;
    const url = await serve((request, response) => {
      traceparent = traceparentOf(request);
      response.end("hello");
    });
    const { port } = new URL(url);
    expect(await inSpan(() => ask(`${url}/a?sig=abc&page=2`))).toBe("hello");
    const [span] = await tracing.spans(1);
    const { traceId, spanId } = span!.spanContext();
    expect(traceparent).toBe(`00-${traceId}-${spanId}-01`);
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(span?.name).toBe("GET");
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "server.port": Number(port),
      "url.full": `${url}/a?sig=abc&page=2`,
      "network.peer.address": "127.0.0.1",
      "network.peer.port": Number(port),
      "network.protocol.version": "1.1",
    });
  });

  test.each([
    [399, SpanStatusCode.UNSET, undefined],
    [400, SpanStatusCode.ERROR, "400"],
    [503, SpanStatusCode.ERROR, "503"],
  ])("with status %i has the status code %i", async (status, code, type) => {
    const url = await serve((_request, response) => void response.writeHead(status).end());
    await ask(url);
    const [span] = await tracing.spans(1);
    expect(span?.status.code).toBe(code);
    expect(span?.attributes["error.type"]).toBe(type);
  });

  test("of a server that is not there is an error with its code", async () => {
    const url = await serve(() => {});
    closeAll();
    await expect(ask(url)).rejects.toThrow();
    const [span] = await tracing.spans(1);
    expect(span?.attributes["error.type"]).toBe("ECONNREFUSED");
    expect(span?.attributes).not.toHaveProperty("http.response.status_code");
    expect(span?.events.map(({ name }) => name)).toEqual(["exception"]);
  });

  test.each([
    ["before the answer", (socket: Socket) => socket.destroy()],
    [
      "within the answer",
      (socket: Socket) => {
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
      },
    ],
    ["with nonsense", (socket: Socket) => socket.end("SSH-2.0-OpenSSH\r\n")],
  ])("of a server that breaks off %s is an error", async (_, handle) => {
    const url = await serveBytes(handle);
    await expect(ask(url)).rejects.toThrow();
    const [span] = await tracing.spans(1);
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes["error.type"]).toMatch(
      /^(ECONNRESET|UND_ERR_SOCKET|HTTPParserError|HPE_.*)$/,
    );
  });

  test("is not made, nor are headers, where tracing is suppressed", async () => {
    let traceparent: unknown = "none yet";
    const url = await serve((request, response) => {
      traceparent = traceparentOf(request);
      response.end();
    });
    const counted = (): number => clientDurations.series.reduce((sum, one) => sum + one.count, 0);
    const before = counted();
    await context.with(suppressTracing(context.active()), () => ask(url));
    await tracing.spans(0);
    expect(counted()).toBe(before);
    expect(traceparent).toBeUndefined();
  });
});

describe("given up", () => {
  const never = (): Promise<string> => serve(() => {});

  test.each([
    ["destroyed by the app", (request: http.ClientRequest) => request.destroy(), undefined],
    ["aborted by the app", (request: http.ClientRequest) => request.abort(), undefined],
    [
      "destroyed by the app with an error of its own",
      (request: http.ClientRequest) => request.destroy(new RangeError("enough")),
      "RangeError",
    ],
  ] as const)("%s", async (_, giveUp, type) => {
    const request = http.get(await never());
    request.on("error", () => {});
    await once(request, "socket");
    await new Promise((resolve) => setTimeout(resolve, 20));
    giveUp(request);
    const [span] = await tracing.spans(1);
    expect(span?.attributes["error.type"]).toBe(type);
    expect(span?.status.code).toBe(type ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
  });

  test("before there is a socket, it ends all the same", async () => {
    const request = http.get(await never());
    request.on("error", () => {});
    request.destroy();
    const [span] = await tracing.spans(1);
    expect(span?.attributes).not.toHaveProperty("error.type");
  });

  test("for taking too long, it is an error, with or without one of the app's", async () => {
    const request = http.get(await never(), { timeout: 20 });
    request.on("timeout", () => request.destroy());
    request.on("error", () => {});
    const [span] = await tracing.spans(1);
    expect(span?.attributes["error.type"]).toBe("timeout");
  });

  test.each([
    ["node:http", (url: string, signal: AbortSignal) => get(url, { signal })],
    ["fetch", (url: string, signal: AbortSignal) => fetch(url, { signal })],
  ])("by a signal of the app it is no error, by one of time it is: %s", async (_, ask) => {
    const url = await never();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await expect(ask(url, controller.signal)).rejects.toThrow();
    const [aborted] = await tracing.spans(1);
    expect(aborted?.attributes).not.toHaveProperty("error.type");
    tracing.reset();
    await expect(ask(url, AbortSignal.timeout(20))).rejects.toThrow();
    const [late] = await tracing.spans(1);
    expect(late?.attributes["error.type"]).toMatch(/^(TimeoutError|23)$/);
  });

  test("after reading enough of the answer, it is no error", async () => {
    const url = await serve((_request, response) => void response.writeHead(200).write("begun"));
    const request = http.get(url);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.once("data", () => response.destroy());
    const [span] = await tracing.spans(1);
    expect(span?.attributes["http.response.status_code"]).toBe(200);
    expect(span?.attributes).not.toHaveProperty("error.type");
  });
});

describe("the host's behaviour", () => {
  test("an answer that nobody listens for is dumped, so that its connection is free again", async () => {
    const url = await serve((_request, response) => void response.end("x".repeat(500_000)));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    http.request(url, { agent }).end();
    expect(await get(url, { agent })).toHaveLength(500_000);
    await tracing.spans(2);
  });

  test("a body is the app's alone to read, in its own time", async () => {
    const url = await serve((_request, response) => void response.end("whole"));
    const request = http.get(url);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(response.readableFlowing).toBe(null);
    let text = "";
    for await (const chunk of response) text += String(chunk);
    expect(text).toBe("whole");
    await tracing.spans(1);
  });

  test("listeners run in the caller's context, also of a request that waited for a connection", async () => {
    const url = await serve((_request, response) => void setTimeout(() => response.end("x"), 10));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    const seen: string[] = [];
    const first = get(url, { agent });
    const second = inSpan(
      () =>
        new Promise<void>((resolve) => {
          const request = http.get(url, { agent }, (response) => {
            seen.push(activeSpanId());
            response.on("data", () => seen.push(activeSpanId()));
            response.on("end", () => seen.push(activeSpanId()));
          });
          request.on("socket", () => seen.push(activeSpanId()));
          request.on("close", () => {
            seen.push(activeSpanId());
            resolve();
          });
        }),
    );
    await Promise.all([first, second]);
    expect(seen).toEqual(Array.from({ length: 5 }, () => "b7ad6b7169203331"));
    await tracing.spans(2);
  });
});

describe("headers", () => {
  const seen: http.IncomingMessage[] = [];
  const server = (): Promise<string> =>
    serve((request, response) => {
      seen.push(request);
      request.resume().on("end", () => response.end());
    });
  beforeEach(() => void (seen.length = 0));

  test("reach the server when the app gives its own as an array", async () => {
    await get(await server(), { headers: ["X-One", "1", "Host", "shop.example"] as never });
    const [span] = await tracing.spans(1);
    expect(seen[0]?.headers).toMatchObject({
      "x-one": "1",
      host: "shop.example",
      traceparent: expect.stringContaining(span!.spanContext().spanId) as string,
    });
  });

  test("reach the server when the app waits for 100 Continue", async () => {
    const headers = { expect: "100-continue", "content-length": "2" };
    const request = http.request(await server(), { method: "POST", headers });
    request.on("continue", () => request.end("ok"));
    request.on("response", (response) => response.resume());
    request.flushHeaders();
    await tracing.spans(1);
    expect(traceparentOf(seen[0]!)).toEqual(expect.any(String));
    expect(seen[0]?.rawHeaders.filter((name) => name === "traceparent")).toHaveLength(1);
  });

  test("do not change what the app gave, even frozen", async () => {
    const options = Object.freeze({ headers: Object.freeze({ "x-one": "1" }) });
    await get(await server(), options);
    expect(options).toEqual({ headers: { "x-one": "1" } });
    expect(seen[0]?.headers).toMatchObject({ "x-one": "1", traceparent: expect.any(String) });
  });

  test("are there on requests through a keep-alive agent, each its own", async () => {
    const url = await server();
    const agent = new http.Agent({ keepAlive: true });
    cleanups.push(() => agent.destroy());
    await get(url, { agent });
    await get(url, { agent });
    const spans = await tracing.spans(2);
    const ids = spans.map((span) => span.spanContext().spanId);
    expect(seen.map((request) => String(traceparentOf(request)).split("-")[2])).toEqual(ids);
  });
});

test("a password in a URL is not sent, and a port that is left out is known", async () => {
  const request = http.get("http://me:secret@127.0.0.1/");
  request.on("error", () => {});
  request.destroy();
  const [span] = await tracing.spans(1);
  expect(JSON.stringify(span?.attributes)).not.toContain("secret");
  expect(span?.attributes).toMatchObject({
    "server.port": 80,
    "url.full": "http://127.0.0.1/",
  });
});

test("a name for the server that differs from the host is not taken for its address", async () => {
  const url = await serve((_request, response) => void response.end());
  await get(url, { headers: { host: "shop.example" } });
  const [span] = await tracing.spans(1);
  expect(span?.attributes["server.address"]).toBe("127.0.0.1");
});

test("an upgrade is over when it is answered", async () => {
  const url = await serveBytes((socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  });
  const request = http.get(url, { headers: { connection: "Upgrade", upgrade: "x" } });
  const [response] = (await once(request, "upgrade")) as [http.IncomingMessage];
  const [span] = await tracing.spans(1);
  expect([response.statusCode, span?.attributes["http.response.status_code"]]).toEqual([101, 101]);
  expect(span?.status.code).toBe(SpanStatusCode.UNSET);
});

test("interim answers are not the answer", async () => {
  const url = await serve((_request, response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("x");
  });
  await get(url);
  const [span] = await tracing.spans(1);
  expect(span?.attributes["http.response.status_code"]).toBe(200);
});

test("each redirect that fetch follows is a span, counted", async () => {
  const url = await serve((request, response) => {
    const { pathname } = new URL(request.url!, "http://x");
    if (pathname === "/3") response.end("there");
    else response.writeHead(302, { location: `/${Number(pathname.slice(1)) + 1}?k=v` }).end();
  });
  await fetch(`${url}/1`);
  const spans = await tracing.spans(3);
  expect(
    spans.map(({ attributes }) => [
      attributes["url.full"],
      attributes["http.request.resend_count"],
    ]),
  ).toEqual([
    [`${url}/1`, undefined],
    [`${url}/2?k=v`, 1],
    [`${url}/3?k=v`, 2],
  ]);
});

test("what the SDK itself sends is not traced", async () => {
  const agent = markOwn(new http.Agent({ keepAlive: true }));
  cleanups.push(() => agent.destroy());
  await get(await serve((_request, response) => void response.end()), { agent });
  await tracing.spans(0);
});

test("a method that nobody knows is _OTHER", async () => {
  const url = await serve((_request, response) => void response.end());
  await (await fetch(url, { method: "PROPFIND" })).text();
  const [span] = await tracing.spans(1);
  expect(span?.name).toBe("HTTP");
  expect(span?.attributes).toMatchObject({
    "http.request.method": "_OTHER",
    "http.request.method_original": "PROPFIND",
  });
});
