// Requests that are emitted more than once or become something else: still one span each.

import * as http from "node:http";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { traceHttpServers } from "../../sdk/instrument/http-server.ts";
import { until } from "../support/until.ts";
import { head, listen, open, serve } from "./support/http.ts";
import { activeSpanId, statusOf, useTracing } from "./support/tracing.ts";

const tracing = useTracing(() => {
  traceHttpServers();
});

describe("one span", () => {
  test("for a request that waits for 100 Continue, and is emitted again by the app", async () => {
    const server = http.createServer((_request, response) => void response.end());
    server.on("checkContinue", (request, response) => {
      response.writeContinue();
      server.emit("request", request, response);
    });
    const { socket, text } = await open(await listen(server));
    socket.write(head("POST /", "Expect: 100-continue", "Content-Length: 1"));
    await until("it has come", () => text().includes("100 Continue"));
    socket.write("a");
    const [span] = await tracing.spans(1);
    expect(statusOf(span!)).toBe(200);
  });

  test("for a request that one server hands to another", async () => {
    const inner = http.createServer((_request, response) => void response.end());
    const port = await serve((request, response) => void inner.emit("request", request, response));
    await fetch(`http://127.0.0.1:${port}`);
    await tracing.spans(1);
  });

  test.each([
    ["a string", (socket: Socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 101],
    ["bytes", (socket: Socket) => socket.write(Buffer.from("HTTP/1.1 101 OK\r\n\r\n")), 101],
    ["a refusal", (socket: Socket) => socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n"), 401],
    ["nothing", (socket: Socket) => socket.destroy(), undefined],
  ] as const)("for an upgrade that is answered with %s", async (_, answer, status) => {
    const server = http.createServer();
    let seen = "";
    let upgraded: Socket | undefined;
    server.on("upgrade", (_request, socket: Socket) => {
      seen = activeSpanId();
      upgraded = socket;
      setTimeout(() => answer(socket), 5);
    });
    const { socket } = await open(await listen(server));
    socket.write(head("GET /chat", "Connection: Upgrade", "Upgrade: websocket"));
    const [span] = await tracing.spans(1);
    expect(span?.spanContext().spanId).toBe(seen);
    expect(statusOf(span!)).toBe(status);
    expect(span?.attributes["error.type"]).toBe(status === undefined ? "aborted" : undefined);
    expect(Object.hasOwn(upgraded!, "write") || Object.hasOwn(upgraded!, "end")).toBe(false);
    upgraded?.destroy();
  });

  test("for a tunnel, which ends with its answer and not with the tunnel", async () => {
    const server = http.createServer();
    server.on("connect", (_request, socket: Socket) => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.pipe(socket);
    });
    const { socket, text } = await open(await listen(server));
    socket.write(head("CONNECT shop.example:443"));
    const [span] = await tracing.spans(1);
    expect(span?.name).toBe("CONNECT");
    expect(statusOf(span!)).toBe(200);
    socket.write("echo");
    await until("it has come", () => text().endsWith("echo"));
  });
});
