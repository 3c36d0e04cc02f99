import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { until } from "../support/until.ts";
import { startSink } from "./support/sink.ts";
import { startApp } from "./support/app.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

test("an order is one trace through shop and stock, its log line included", async () => {
  const sink = await startSink();
  const start = async (name: string, env: Readonly<Record<string, string>>) => {
    const app = startApp(join(examples, name, "main.js"), {
      env: { PORT: "0", OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_SERVICE_NAME: name, ...env },
    });
    return { app, url: await app.url() };
  };
  const stock = await start("stock", {});
  const shop = await start("shop", { STOCK_URL: stock.url });
  const answer = await fetch(`${shop.url}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"product":"bread"}',
  });
  await Promise.all([shop.app.stop(), stock.app.stop()]);
  await sink.close();
  expect(answer.status).toBe(201);
  const root = sink.spans.find(({ name }) => name === "POST /orders");
  const client = sink.spans.find(({ parentSpanId }) => parentSpanId === root?.spanId);
  const server = sink.spans.find(({ parentSpanId }) => parentSpanId === client?.spanId);
  expect(
    [root, client, server].map((span) => [span?.kind, span?.resource["service.name"]]),
  ).toEqual([
    [2, "shop"],
    [3, "shop"],
    [2, "stock"],
  ]);
  const record = sink.logs.find(({ body }) => body?.stringValue === "ordered");
  expect(record).toMatchObject({ traceId: root?.traceId, spanId: root?.spanId });
});

describe("the start", () => {
  test("shows what arrives, and SIGINT ends all of it in order", async () => {
    const start = startAll();
    await start.prints(/The shop is on/);
    await start.prints(/traces .* GET \/products/);
    start.child.kill("SIGINT");
    expect(await start.ended).toEqual([0, null]);
    expect(start.printed()).not.toMatch(/unexpectedly|cannot send/);
    await everyPortIsClosed(start.printed());
  });

  test("takes the name of another example, and tells which there are", async () => {
    const start = startAll("queue");
    await start.prints(/The queue is on/);
    await start.prints(/traces .* process jobs/);
    start.child.kill("SIGINT");
    expect(await start.ended).toEqual([0, null]);
    const wrong = startAll("que");
    expect(await wrong.ended).toEqual([2, null]);
    expect(wrong.printed()).toMatch(/no example is called que; there are shop, express, .*queue/);
  });

  test("that is killed takes its children along", async () => {
    const start = startAll();
    await start.prints(/The shop is on/);
    await start.prints(/logs .*listening on http/); // the stock service, in its first log record
    start.child.kill("SIGKILL");
    expect(await start.ended).toEqual([null, "SIGKILL"]);
    await everyPortIsClosed(start.printed());
  });
});

function startAll(...names: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), "sonde-start-"));
  const ports = ["OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS", "WEB"].map((name) => [
    `SONDE_${name}_PORT`,
    "0",
  ]);
  const child = spawn(
    process.execPath,
    ["--conditions=source", join(examples, "start.ts"), ...names],
    {
      env: { PATH: process.env["PATH"], SONDE_DATA_DIR: folder, ...Object.fromEntries(ports) },
    },
  );
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  }
  const ended = new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 }); // the collector may still write
  });
  const prints = (what: RegExp): Promise<unknown> =>
    until(`the start prints ${what}`, () => {
      expect(printed).toMatch(what);
      return true;
    });
  return { child, ended, prints, printed: () => printed };
}

async function everyPortIsClosed(printed: string): Promise<void> {
  const ports = new Set([...printed.matchAll(/:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port));
  expect(ports.size).toBeGreaterThanOrEqual(5);
  for (const port of ports) {
    await until(`nothing listens on ${port}`, async () => !(await isListening(Number(port))));
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });
}
