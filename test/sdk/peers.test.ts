// What real servers receive of an app: the Go collector and ours over every protocol, Jaeger over both of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { readTrace, spansOf } from "../support/jaeger.ts";
import { cannotStart, isAbsent, startPeer } from "../support/peers.ts";
import type { Peer } from "../support/peers.ts";
import { requestsOf } from "../support/received.ts";
import { until } from "../support/until.ts";
import { appFile, startApp } from "./support/app.ts";
import { plainValue, remember } from "./support/sink.ts";
import type { Items } from "./support/sink.ts";

/** One request, which asks its own app three times, and logs three lines. */
async function runWebApp(
  file: string,
  env: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const app = startApp(appFile(`web/${file}`), { env });
  await (await fetch(`${await app.url()}/items/5`, { headers })).text();
  const { signal, stderr } = await app.stop();
  expect({ signal, stderr }).toEqual({ signal: "SIGTERM", stderr: "from console\n" });
}

const spanNames = ["GET", "GET", "GET", "GET /:way", "GET /:way", "GET /:way", "GET /items/:id"];

describe.skipIf(cannotStart("otelcol"))("the Go collector", () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-peers-"));
  let otelcol: Peer;
  let collector: CollectorProcess;

  beforeAll(async () => {
    otelcol = await startPeer("otelcol");
    const grpc = otelcol.address["otlp_grpc"] ?? "";
    collector = await startCollector({
      dataDir: folder,
      env: { SONDE_OTLP_ENDPOINT: grpc.replace("http:", "grpc:"), SONDE_PROMETHEUS_PORT: "off" },
    });
  }, 60_000);
  afterAll(async () => {
    await collector?.kill("SIGTERM");
    await otelcol?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const ways = [
    ["http/protobuf", "gzip", "main.cjs"],
    ["http/json", "none", "main.mjs"],
    ["grpc", "gzip", "main.mjs"],
  ] as const;

  test.each([
    ...ways.map((way) => ["straight", ...way] as const),
    ...ways.map((way) => ["through ours", ...way] as const),
  ])(
    "gets all three signals %s: %s, %s, %s",
    async (path, protocol, compression, file) => {
      const service = `web ${path} ${protocol}`;
      const { otlp_grpc = "", otlp_http = "" } = otelcol.address;
      const direct = protocol === "grpc" ? otlp_grpc : otlp_http;
      const ours = protocol === "grpc" ? collector.otlpGrpc : collector.otlpHttp;
      await runWebApp(file, {
        OTEL_SERVICE_NAME: service,
        OTEL_EXPORTER_OTLP_ENDPOINT: path === "straight" ? direct : ours,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      });
      const received = await until("all has arrived", () => {
        const items = itemsOf(otelcol, service);
        const kinds = [items.spans.length >= 7, items.logs.length >= 3, items.metrics.length > 0];
        return kinds.every(Boolean) && items;
      });
      const { spans, logs, metrics } = received;
      expect(namesOf(spans)).toEqual(spanNames);
      const server = spans.find(({ name }) => name === "GET /items/:id");
      expect(server?.attributes).toMatchObject({
        "http.request.method": "GET",
        "http.route": "/items/:id",
        "http.response.status_code": 200,
        "url.path": "/items/5",
      });
      expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([server?.traceId]));
      expect(JSON.stringify(spans)).not.toContain("token=abc");

      const lines = logs.map(({ body, traceId, spanId }) => [plainValue(body), traceId, spanId]);
      const place = [server?.traceId, server?.spanId];
      expect(lines).toEqual([
        ["from pino", ...place],
        ["from winston", ...place],
        ["from console", ...place],
      ]);

      const durations = metrics.filter(({ name }) => name === "http.server.request.duration");
      const points = durations.flatMap(({ histogram }) => histogram?.dataPoints ?? []);
      expect(points.reduce((sum, { count }) => sum + Number(count), 0)).toBe(4);
      const names = new Set(metrics.map(({ name }) => name));
      for (const name of [
        "http.client.request.duration",
        "nodejs.eventloop.utilization",
        "process.memory.usage",
      ])
        expect(names).toContain(name);

      const resources = [...spans, ...logs, ...metrics].map(({ resource }) => resource);
      const instances = new Set(resources.map((resource) => resource["service.instance.id"]));
      expect(instances.size).toBe(1);
    },
    60_000,
  );
});

describe.skipIf(isAbsent("jaeger"))("Jaeger", () => {
  let jaeger: Peer;
  beforeAll(async () => void (jaeger = await startPeer("jaeger")), 60_000);
  afterAll(() => jaeger?.stop());

  test.each([
    ["http/protobuf", "otlp_http", "main.cjs"],
    ["grpc", "otlp_grpc", "main.mjs"],
  ])(
    "has the whole trace, each span below its own, over %s",
    async (protocol, address, file) => {
      const traceId = (protocol === "grpc" ? "1" : "2").repeat(32);
      const env = {
        OTEL_SERVICE_NAME: "web",
        OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.address[address] ?? "",
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_METRICS_EXPORTER: "none", // neither of which Jaeger takes
        OTEL_LOGS_EXPORTER: "none",
      };
      await runWebApp(file, env, { traceparent: `00-${traceId}-${"3".repeat(16)}-01` });
      const spans = await until("Jaeger has all of it", async () => {
        const found = spansOf((await readTrace(jaeger, traceId)) ?? {});
        return found.length >= spanNames.length && found;
      });
      expect(namesOf(spans)).toEqual(spanNames);
      const nameOf = new Map(spans.map(({ spanId, name }) => [spanId, name]));
      const below = spans.map(({ name, parentSpanId }) => [name, nameOf.get(parentSpanId)]);
      expect(below.toSorted(([one = ""], [other = ""]) => one.localeCompare(other))).toEqual([
        ...Array.from({ length: 3 }, () => ["GET", "GET /items/:id"]),
        ...Array.from({ length: 3 }, () => ["GET /:way", "GET"]),
        ["GET /items/:id", undefined],
      ]);
    },
    60_000,
  );
});

function namesOf(spans: readonly { readonly name?: string }[]): readonly string[] {
  const names = spans.map(({ name = "" }) => name);
  return names.toSorted((one, other) => one.localeCompare(other));
}

function itemsOf(otelcol: Peer, service: string): Items {
  const all: Items = { spans: [], logs: [], metrics: [] };
  for (const request of requestsOf(otelcol)) remember(all, request);
  const isMeant = ({ resource }: Items["spans"][number] | Items["logs"][number]): boolean =>
    resource["service.name"] === service;
  return {
    spans: all.spans.filter(isMeant),
    logs: all.logs.filter(isMeant),
    metrics: all.metrics.filter(({ resource }) => resource["service.name"] === service),
  };
}
