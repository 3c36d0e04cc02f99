// Each trap of serving HTTP/1 as a test: over real sockets, in this process, with OpenTelemetry's SDK behind
// the instrumentation.

import { AsyncLocalStorage } from "node:async_hooks";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, context, ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { getRPCMetadata } from "@opentelemetry/core";
import { describe, expect, test } from "vitest";
import { traceHttpServers } from "../../sdk/instrument/http-server.ts";
import { makeAuthority } from "../support/certificates.ts";
import { until } from "../support/until.ts";
import { cleanups, head, listen, open, serve } from "./support/http.ts";
import { activeSpanId, statusOf, useTracing } from "./support/tracing.ts";

const tracing = useTracing(() => {
  traceHttpServers();
});

describe("a span", () => {
  test("has what the conventions ask for, and the caller's trace", async () => {
    const port = await serve((_request, response) => void response.writeHead(201).end("made"));
    const { socket } = await open(port);
    socket.write(
      head(
        "POST /orders?page=2&token=abc",
        "User-Agent: tests",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Content-Length: 0",
      ),
    );
    const [span] = await tracing.spans(1);
    expect(span?.name).toBe("POST");
    expect(span?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(span?.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span?.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 201,
      "url.path": "/orders",
      "url.query": "page=2&token=abc",
      "url.scheme": "http",
      "server.address": "shop.example",
      "server.port": 80,
      "network.peer.address": "127.0.0.1",
      "network.peer.port": socket.localPort,
      "network.protocol.version": "1.1",
      "client.address": "127.0.0.1",
      "user_agent.original": "tests",
    });
  });

  test("is not kept by the connection, which is idle outside of all contexts", async () => {
    const storage = new AsyncLocalStorage<string>();
    const server = http.createServer((request, response) => {
      storage.enterWith("the app's");
      request.socket.setTimeout(10, () => seen.push("its time is over"));
      setTimeout(() => response.end(), 30);
    });
    server.keepAliveTimeout = 20;
    server.on("timeout", () => seen.push([activeSpanId(), storage.getStore()]));
    const seen: unknown[] = [];
    const port = await listen(server);
    const { socket } = await open(port);
    socket.write(head("GET /"));
    const [span] = await tracing.spans(1);
    const ofRequest = [span?.spanContext().spanId, "the app's"];
    expect(seen).toEqual([ofRequest, "its time is over"]); // a time limit of the app's own
    await until("the connection is idle for too long", () => seen.length > 2);
    expect(seen.at(-1)).toEqual(["", undefined]);
  });

  test("is there in a time limit that the app sets when its answer has left", async () => {
    const seen: string[] = [];
    const server = http.createServer((request, response) => {
      response.on("finish", () => request.socket.setTimeout(10, () => seen.push(activeSpanId())));
      response.end();
    });
    server.keepAliveTimeout = 0; // Node sets none itself
    const { socket } = await open(await listen(server));
    socket.write(head("GET /"));
    const [span] = await tracing.spans(1);
    await until("the time is over", () => seen.length > 0);
    expect(seen).toEqual([span?.spanContext().spanId]);
  });

  test("leaves the context of its request, which others may keep for long, with its ids alone", async () => {
    let left: Context = ROOT_CONTEXT;
    const port = await serve((_request, response) => {
      left = context.active();
      expect(getRPCMetadata(left)).toBeDefined();
      response.end();
    });
    const { socket } = await open(port);
    socket.write(head("GET /"));
    const [span] = await tracing.spans(1);
    await until("the rest is gone", () => getRPCMetadata(left) === undefined);
    expect(trace.getSpan(left)?.spanContext()).toEqual(span?.spanContext());
  });

  test("behind a proxy has the address, host and scheme that the client used", async () => {
    const port = await serve((_request, response) => void response.end());
    const { socket } = await open(port);
    socket.write(
      head(
        "GET /",
        "X-Forwarded-For: 203.0.113.7:4711, 10.0.0.1",
        "X-Forwarded-Host: public.example:8443",
        "X-Forwarded-Proto: https",
      ),
    );
    socket.write(head("GET /", 'Forwarded: for="[2001:db8::1]:80";proto=https;host=a.example'));
    const spans = await tracing.spans(2);
    expect(spans[0]?.attributes).toMatchObject({
      "client.address": "203.0.113.7",
      "server.address": "public.example",
      "server.port": 8443,
      "url.scheme": "https",
    });
    expect(spans[1]?.attributes).toMatchObject({
      "client.address": "2001:db8::1",
      "server.address": "a.example",
    });
  });

  test.each([
    [
      "PROPFIND /dav",
      { "http.request.method": "_OTHER", "http.request.method_original": "PROPFIND" },
    ],
    ["OPTIONS *", { "url.path": "*" }],
    ["GET http://other.example/path?a=1", { "url.path": "/path", "url.query": "a=1" }],
    ["GET /a/../b//c?", { "url.path": "/a/../b//c" }],
    ["GET /%00%ff?x=%zz&sig=%", { "url.path": "/%00%ff", "url.query": "x=%zz&sig=%" }],
  ])("of %s is made of what is there", async (line, attributes) => {
    const port = await serve((_request, response) => void response.end());
    const { socket } = await open(port);
    socket.write(head(line));
    const [span] = await tracing.spans(1);
    expect(span?.attributes).toMatchObject(attributes);
    expect(span?.name).toBe(line.startsWith("PROPFIND") ? "HTTP" : line.split(" ")[0]);
  });

  test("of https says so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const pair = makeAuthority(folder, "authority").issue("server");
    const options = { key: readFileSync(pair.key), cert: readFileSync(pair.cert) };
    const server = https.createServer(options, (_request, response) => void response.end());
    const port = await listen(server);
    https.get({ port, host: "127.0.0.1", rejectUnauthorized: false }, (answer) => answer.resume());
    const [span] = await tracing.spans(1);
    expect(span?.attributes).toMatchObject({ "url.scheme": "https", "server.port": port });
  });

  test.each([
    [200, SpanStatusCode.UNSET, undefined],
    [404, SpanStatusCode.UNSET, undefined],
    [499, SpanStatusCode.UNSET, undefined],
    [500, SpanStatusCode.ERROR, "500"],
  ])("with status %i has the status code %i", async (status, code, type) => {
    const port = await serve((_request, response) => void response.writeHead(status).end());
    await fetch(`http://127.0.0.1:${port}`);
    const [span] = await tracing.spans(1);
    expect(span?.status.code).toBe(code);
    expect(span?.attributes["error.type"]).toBe(type);
  });

  test.each(["x", "00-0-0-0", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`, "\u00ff".repeat(8000)])(
    "is a root where traceparent is nonsense: %s",
    async (traceparent) => {
      const port = await serve((_request, response) => void response.end());
      const { socket } = await open(port);
      const baggage = `baggage: ${"a=b;".repeat(1000)},=,%%%`;
      socket.write(head("GET /", `traceparent: ${traceparent}`, baggage), "latin1");
      const [span] = await tracing.spans(1);
      expect(span?.parentSpanContext).toBeUndefined();
    },
  );
});

describe("the context", () => {
  test("is there in the handler, for its body's events, after a pause, and as the answer ends", async () => {
    const seen: [string, string][] = [];
    const see = (event: string): void => void seen.push([event, activeSpanId()]);
    const port = await serve((request, response) => {
      see("handler");
      request.on("data", () => see("data"));
      response.on("finish", () => see("finish"));
      response.on("close", () => see("close"));
      request.on("end", () => {
        see("end");
        setTimeout(() => {
          see("timer");
          response.end();
        }, 1);
      });
    });
    const { socket } = await open(port);
    socket.write(head("POST /", "Content-Length: 4"));
    await until("it has come", () => seen.length === 1);
    socket.write("ab");
    await until("it has come", () => seen.length === 2);
    socket.write("cd");
    const [span] = await tracing.spans(1);
    const id = span?.spanContext().spanId;
    const events = ["handler", "data", "data", "end", "timer", "finish", "close"];
    expect(seen).toEqual(events.map((event) => [event, id]));
  });

  test("does not stay on a connection that is kept, nor in what belongs to it", async () => {
    const ofConnection: string[] = [];
    const ids: string[] = [];
    const server = http.createServer((_request, response) => {
      ids.push(activeSpanId());
      response.end();
    });
    server.on("connection", (socket) => {
      socket.on("data", () => ofConnection.push(activeSpanId()));
      socket.on("close", () => ofConnection.push(activeSpanId()));
    });
    const { socket, text } = await open(await listen(server));
    socket.write(head("GET /1"));
    await until("it has come", () => text().includes("\r\n\r\n"));
    socket.write(head("GET /2"));
    const [first, second] = await tracing.spans(2);
    socket.end();
    await until("it has come", () => ofConnection.length >= 1);
    expect(ofConnection.filter((id) => id !== "")).toEqual([]);
    expect(ids).toEqual([first, second].map((span) => span?.spanContext().spanId));
    expect(second?.parentSpanContext).toBeUndefined();
    expect(second?.spanContext().traceId).not.toBe(first?.spanContext().traceId);
  });

  test("of async iteration over the body is the request's", async () => {
    const seen = new Set<string>();
    const port = await serve((request, response) => {
      void (async () => {
        for await (const _ of request) seen.add(activeSpanId());
        seen.add(activeSpanId());
        response.end();
      })();
    });
    const { socket } = await open(port);
    socket.write(head("POST /", "Content-Length: 2"));
    socket.write("a");
    setTimeout(() => socket.write("b"), 20);
    const [span] = await tracing.spans(1);
    expect([...seen]).toEqual([span?.spanContext().spanId]);
  });
});

describe("an answer", () => {
  test("to a client that goes away before it is no 200: an error without a status, once", async () => {
    const port = await serve((_request, response) => {
      response.on("close", () => response.end("late"));
    });
    const { socket } = await open(port);
    socket.write(head("GET /"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
    const [span] = await tracing.spans(1);
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes["error.type"]).toBe("aborted");
    expect(span?.attributes).not.toHaveProperty("http.response.status_code");
  });

  test("to a client that goes away within it is an error with the status sent", async () => {
    const port = await serve((_request, response) => void response.writeHead(206).write("begun"));
    const { socket, text } = await open(port);
    socket.write(head("GET /"));
    await until("it has come", () => text().includes("begun"));
    socket.destroy();
    const [span] = await tracing.spans(1);
    expect(span?.attributes).toMatchObject({
      "error.type": "aborted",
      "http.response.status_code": 206,
    });
  });

  test("that the app breaks off has the app's error", async () => {
    const port = await serve((_request, response) => {
      response.destroy(Object.assign(new Error("no more"), { code: "E_FULL" }));
    });
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
    const [span] = await tracing.spans(1);
    expect(span?.attributes["error.type"]).toBe("E_FULL");
    expect(span?.events[0]?.attributes?.["exception.message"]).toBe("no more");
  });

  test("written on the bare socket has no status of ours", async () => {
    const port = await serve((request) => {
      request.socket.end("HTTP/1.1 299 Odd\r\nConnection: close\r\n\r\n");
    });
    const { socket } = await open(port);
    socket.write(head("GET /"));
    const [span] = await tracing.spans(1);
    expect(span?.attributes).not.toHaveProperty("http.response.status_code");
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("without a body ends: %s %i", async (method, status) => {
    const port = await serve((_request, response) => void response.writeHead(status).end());
    const { socket } = await open(port);
    socket.write(head(`${method} /`));
    const [span] = await tracing.spans(1);
    expect(statusOf(span!)).toBe(status);
  });

  test("has the final status, not that of the hints before it", async () => {
    const port = await serve((_request, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.writeProcessing();
      setTimeout(() => response.writeHead(202).end(), 5);
    });
    const { socket } = await open(port);
    socket.write(head("GET /"));
    const [span] = await tracing.spans(1);
    expect(statusOf(span!)).toBe(202);
  });

  test("that waits behind another of its connection is not sent when the client goes", async () => {
    const waiting: http.ServerResponse[] = [];
    const port = await serve((request, response) => {
      request.resume();
      waiting.push(response);
      if (request.url === "/2") response.end("ready, but not its turn");
    });
    const { socket } = await open(port);
    socket.write(head("GET /1") + head("GET /2") + head("GET /3"));
    await until("it has come", () => waiting.length === 3);
    socket.destroy();
    const spans = await tracing.spans(3);
    expect(spans.map(statusOf)).toEqual([undefined, undefined, undefined]);
    expect(new Set(spans.map(({ attributes }) => attributes["url.path"])).size).toBe(3);
  });

  test("to pipelined requests is each one's own", async () => {
    const port = await serve((request, response) => {
      const delay = request.url === "/1" ? 20 : 0;
      setTimeout(() => response.writeHead(200 + Number(request.url!.slice(1))).end(), delay);
    });
    const { socket } = await open(port);
    socket.write(head("GET /1") + head("GET /2"));
    const spans = await tracing.spans(2);
    expect(spans.map((span) => [span.attributes["url.path"], statusOf(span)])).toEqual([
      ["/1", 201],
      ["/2", 202],
    ]);
  });
});

test("a request that is no HTTP is the app's clientError and no span", async () => {
  const server = http.createServer((_request, response) => void response.end());
  const errors: unknown[] = [];
  server.on("clientError", (error, socket: Socket) => {
    errors.push(error);
    socket.destroy();
  });
  const { socket } = await open(await listen(server));
  socket.write("nonsense\r\n\r\n");
  await until("it has come", () => errors.length === 1);
  await tracing.spans(0);
});

test("events of the same names on other servers are none of ours", async () => {
  const server = createServer();
  const seen: unknown[] = [];
  server.on("request", (...args: unknown[]) => seen.push(args));
  server.on("upgrade", (...args: unknown[]) => seen.push(args));
  server.emit("request");
  server.emit("request", null, 5, "more");
  server.emit("upgrade", { httpVersionMajor: 1 });
  expect(seen).toEqual([[], [null, 5, "more"], [{ httpVersionMajor: 1 }]]);
  await tracing.spans(0);
});

test("the app finds no new name on what it is given, and methods that look as they did", async () => {
  let names: string[] = [];
  let methods: unknown[] = [];
  const port = await serve((request, response) => {
    const own = new Set(Object.keys(new http.IncomingMessage(request.socket)));
    const ownOfResponse = new Set(Object.keys(new http.ServerResponse(request)));
    names = [
      ...Object.keys(request).filter((name) => !own.has(name)),
      ...Object.keys(response).filter((name) => !ownOfResponse.has(name)),
    ];
    methods = [request, response].flatMap((one) => [
      one.emit.name,
      one.emit.length,
      one.destroy.name,
    ]);
    response.end();
  });
  await fetch(`http://127.0.0.1:${port}`);
  await tracing.spans(1);
  expect(names.filter((name) => !name.startsWith("_"))).toEqual([]);
  expect(methods).toEqual(["emit", 1, "destroy", "emit", 1, "destroy"]);
});
