import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startSink } from "./support/sink.ts";
import { startApp, until } from "./support/app.ts";

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

test("the start shows what arrives, and SIGINT ends all of it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-start-"));
  const ports = ["OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS", "WEB"].map((name) => [
    `SONDE_${name}_PORT`,
    "0",
  ]);
  const child = spawn(process.execPath, ["--conditions=source", join(examples, "start.ts")], {
    env: { PATH: process.env["PATH"], SONDE_DATA_DIR: folder, ...Object.fromEntries(ports) },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  }
  const ended = new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  await until(
    () => /The shop is on/.test(printed) && /traces .* GET \/products/.test(printed),
    () => printed,
  );
  child.kill("SIGINT");
  // Every part holds the pipe open, so that it closes only when the last of them is gone.
  expect(await ended).toEqual([0, null]);
  expect(printed).not.toMatch(/unexpectedly|cannot send/);
  rmSync(folder, { recursive: true, force: true });
});
