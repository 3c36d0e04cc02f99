// The whole way against the real servers: two services under the SDK, the collector as a process, and
// what they sent read back from Jaeger, Elasticsearch and Prometheus — also when the collector is killed
// in between, and when Jaeger is away for a while.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signals } from "../../collector/wire/batch.ts";
import { expectBalance } from "../support/books.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { type Example, startExample } from "../support/example.ts";
import { readTrace, spansOf } from "../support/jaeger.ts";
import type { ResourceSpans } from "../support/otlp.ts";
import { cannotStart, isAbsent, type Peer, startPeer } from "../support/peers.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "sonde-first-light-"));
const dataDir = join(folder, "data");
const jaegerDir = join(folder, "jaeger");

let jaeger: Peer;
let elasticsearch: Peer;
let prometheus: Peer | undefined;
let collector: CollectorProcess;
let example: Example;
/** The same over a restart, so that the services and Prometheus find the collector again. */
let ports: Readonly<Record<string, string>>;

async function start(): Promise<CollectorProcess> {
  return await startCollector({
    dataDir,
    env: {
      SONDE_JAEGER_ENDPOINT: (jaeger.address["otlp_grpc"] ?? "").replace("http://", "grpc://"),
      SONDE_ELASTICSEARCH_URL: elasticsearch.url,
      ...ports,
    },
  });
}

/** Scrapes what the collector offers, and the collector itself. */
async function startScraper(): Promise<Peer> {
  const config = join(folder, "prometheus.yml");
  const targets = (url: string): string => `[{ targets: ["${new URL(url).host}"] }]`;
  const lines = [
    "global: { scrape_interval: 500ms }",
    "scrape_configs:",
    `  - { job_name: apps, honor_labels: true, static_configs: ${targets(collector.prometheus)} }`,
    `  - { job_name: sonde, static_configs: ${targets(collector.web)} }`,
  ];
  writeFileSync(config, lines.join("\n"));
  return await startPeer("prometheus", { config });
}

const hasOwnPrometheus = !cannotStart("prometheus");

describe.skipIf(isAbsent("jaeger", "elasticsearch"))("from an app to the eye", () => {
  beforeAll(async () => {
    [jaeger, elasticsearch] = await Promise.all([
      startPeer("jaeger", { dir: jaegerDir }),
      startPeer("elasticsearch"),
    ]);
    ports = {};
    collector = await start();
    const portOf = (url: string): string => new URL(url).port;
    ports = {
      SONDE_OTLP_HTTP_PORT: portOf(collector.otlpHttp),
      SONDE_OTLP_GRPC_PORT: portOf(collector.otlpGrpc),
      SONDE_PROMETHEUS_PORT: portOf(collector.prometheus),
      SONDE_WEB_PORT: portOf(collector.web),
    };
    if (hasOwnPrometheus) prometheus = await startScraper();
    example = await startExample(collector.otlpHttp);
  }, 180_000);

  afterAll(async () => {
    await example?.stop();
    await collector?.kill("SIGTERM");
    await Promise.all([jaeger?.stop(), elasticsearch?.stop(), prometheus?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("a request becomes one tree of spans of both services in Jaeger", async () => {
    const traceId = await order();
    const trace = await untilTraced(traceId);
    expect(trace.services).toEqual(["shop", "stock"]);
    expect(trace.tree).toEqual(orderTree);
  });

  test("its log line is found in Elasticsearch by the trace id", async () => {
    const traceId = await order();
    const [line, ...others] = await untilLogged(traceId);
    expect(others).toEqual([]);
    expect(line).toMatchObject({
      body: { text: "ordered" },
      severity_text: expect.stringMatching(/^info$/i),
      attributes: { product: "apple", price: 1 },
      resource: { attributes: { "service.name": "shop" } },
      trace_id: traceId,
    });
    const spans = (await untilTraced(traceId)).spanIds;
    expect(spans).toContain(line!.span_id);
  });

  test.skipIf(!hasOwnPrometheus)("the requests are counted in Prometheus, exactly", async () => {
    for (let count = 0; count < 7; count++) await order();
    await untilCounted();
  });

  test("nothing acknowledged is missing after the collector was killed and started again", async () => {
    const traceIds: string[] = [];
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 10; count++) traceIds.push(await order());
      // Killed as soon as it has taken the first of these, with the rest on its way.
      await until("some are taken", async () => (await taken()) > 0);
      await collector.kill("SIGKILL");
      for (let count = 0; count < 5; count++) traceIds.push(await order());
      collector = await start();
    }
    for (const traceId of traceIds) {
      expect((await untilTraced(traceId)).tree).toEqual(orderTree);
      // A batch that was stored by a collector that died before it could say so is sent again.
      expect((await untilLogged(traceId)).length).toBeGreaterThanOrEqual(1);
    }
    if (hasOwnPrometheus) await untilCounted();
  }, 120_000);

  test.skipIf(cannotStart("jaeger"))(
    "nothing is missing after Jaeger was away, and nobody else noticed",
    async () => {
      const { port } = new URL(jaeger.url);
      await jaeger.stop();
      const traceIds: string[] = [];
      for (let count = 0; count < 20; count++) traceIds.push(await order());
      // Elasticsearch has all of it while Jaeger has nothing.
      for (const traceId of traceIds) expect((await untilLogged(traceId)).length).toBe(1);
      await until("the spans wait", async () => (await waitingFor("jaeger")) >= traceIds.length);
      const health = (await (await fetch(`${collector.web}/health`)).json()) as Health;
      expect(health.outputs.find(({ name }) => name === "jaeger")).toMatchObject({
        status: "retrying",
        last_error: { reason: "unreachable" },
      });
      jaeger = await startPeer("jaeger", { dir: jaegerDir, port: Number(port) });
      for (const traceId of traceIds) {
        expect((await untilTraced(traceId)).tree).toEqual(orderTree);
      }
      await until("nothing waits", async () => (await waitingFor("jaeger")) === 0);
    },
    120_000,
  );

  test("the books balance for every output and signal", async () => {
    await example.stop();
    await until("nothing waits", async () => (await waitingFor("")) === 0);
    await expectBalance(collector, "jaeger", "elasticsearch", "prometheus");
    for (const signal of signals) {
      expect(await collector.metric("sonde_log_items_total", { signal })).toBeGreaterThan(0);
    }
    const refused = await collector.metric("sonde_output_items_total", { outcome: "rejected" });
    expect(refused).toBe(0);
  });
});

// ── what is sent ─────────────────────────────────────────────────────────────────────────────────

const orderTree = ["shop POST /orders", "  shop DELETE", "    stock DELETE"];

/** How many there were since the shop began, which counts them as long. */
let ordered = 0;

/** Orders an apple as a client that traces, so that the trace id is known. */
async function order(): Promise<string> {
  const traceId = hex(16);
  const response = await fetch(`${example.shop}/orders`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      traceparent: `00-${traceId}-${hex(8)}-01`,
    },
    body: JSON.stringify({ product: "apple" }),
  });
  expect([201, 409]).toContain(response.status);
  ordered++;
  return traceId;
}

const hex = (bytes: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");

// ── what is read back ────────────────────────────────────────────────────────────────────────────

interface Health {
  readonly outputs: readonly { readonly name: string }[];
}

const taken = (): Promise<number> => collector.metric("sonde_receiver_items_total");
const waitingFor = (output: string): Promise<number> =>
  collector.metric("sonde_output_waiting_items", output ? { output } : {});

/** As soon as Jaeger has as many spans as an order makes. */
async function untilTraced(traceId: string) {
  const found = await until(`Jaeger has the trace ${traceId}`, async () => {
    const groups = (await readTrace(jaeger, traceId))?.resourceSpans ?? [];
    const spans = groups.flatMap((group) => {
      const service = serviceOf(group);
      return spansOf({ resourceSpans: [group] }).map((span) => ({ ...span, service }));
    });
    // Jaeger keeps what it is sent again after a kill as often as it comes.
    const once = [...new Map(spans.map((span) => [span.spanId, span])).values()];
    return once.length >= orderTree.length && once;
  });
  const ids = new Set(found.map(({ spanId }) => spanId));
  const lines = (parent: string | undefined, depth: number): string[] =>
    found
      .filter(({ parentSpanId }) => (ids.has(parentSpanId) ? parentSpanId : undefined) === parent)
      .flatMap(({ spanId, service, name }) => [
        `${"  ".repeat(depth)}${service} ${name}`,
        ...lines(spanId, depth + 1),
      ]);
  return {
    services: [...new Set(found.map(({ service }) => service))].toSorted(),
    spanIds: [...ids],
    tree: lines(undefined, 0),
  };
}

function serviceOf({ resource }: ResourceSpans): string {
  const attribute = resource?.attributes?.find(({ key }) => key === "service.name");
  return attribute?.value?.stringValue ?? "";
}

interface LogDocument {
  readonly trace_id: string;
  readonly span_id: string;
  readonly body: { readonly text: string };
}

async function untilLogged(traceId: string): Promise<readonly LogDocument[]> {
  return await until(`Elasticsearch has a log line of ${traceId}`, async () => {
    await fetch(`${elasticsearch.url}/logs-*/_refresh`, { method: "POST" });
    const query = encodeURIComponent(`trace.id:${traceId} AND service.name:shop`);
    const response = await fetch(`${elasticsearch.url}/logs-*/_search?q=${query}`);
    if (!response.ok) return undefined;
    const found = (await response.json()) as {
      hits: { hits: { _source: LogDocument }[] };
    };
    const documents = found.hits.hits.map(({ _source }) => _source);
    return documents.length > 0 && documents;
  });
}

async function ordersCounted(): Promise<number> {
  const expression =
    'sum(http_server_request_duration_seconds_count{job="shop",http_route="/orders"})';
  const response = await fetch(
    `${prometheus?.url}/api/v1/query?query=${encodeURIComponent(expression)}`,
  );
  const { data } = (await response.json()) as {
    data: { result: { value: [number, string] }[] };
  };
  return Number(data.result[0]?.value[1] ?? 0);
}

const untilCounted = (): Promise<true> =>
  until("Prometheus has counted all orders", async () => (await ordersCounted()) === ordered);
