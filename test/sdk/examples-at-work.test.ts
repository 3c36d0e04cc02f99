// Each example as a process of its own, or several, with our collector in between: what the collector sends on is
// what is looked at.

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examples } from "../../examples/examples.ts";
import { startCollector } from "../support/collector-process.ts";
import type { CollectorProcess } from "../support/collector-process.ts";
import { isAbsent, startPeer } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { startApp } from "./support/app.ts";
import type { App } from "./support/app.ts";
import { plainValue, startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const folder = new URL("../../examples/", import.meta.url);

let collector: CollectorProcess;
let sink: Sink;
beforeAll(async () => {
  sink = await startSink();
  collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: sink.url } });
});
afterAll(async () => {
  await collector?.kill("SIGTERM");
  await sink?.close();
});

describe("express", () => {
  test("without a database and a cache: requests with their routes, and what pino logs in them", async () => {
    await visit("express");
    const [added, found, missing] = await servers("notes", 3);
    expect(named([added, found, missing])).toEqual([
      ["POST /notes", 201],
      ["GET /notes/:id", 200],
      ["GET /notes/:id", 404],
    ]);
    const record = await logged("note added");
    expect(record).toMatchObject({
      traceId: added?.traceId,
      spanId: added?.spanId,
      severityText: "info",
      attributes: { note: 1, length: 9 },
    });
    expect((await logged("no such note")).severityText).toBe("warn");
  });

  test.skipIf(isAbsent("postgres", "redis"))(
    "with PostgreSQL and Redis: what it asks them for is below the request",
    async () => {
      const [database, cache] = [await startPeer("postgres"), await startPeer("redis")];
      try {
        await visit("express", { DATABASE_URL: database.url, REDIS_URL: cache.url });
        const [added, found] = (await servers("notes", 6)).slice(3);
        await until("its processes run", () => childrenOf(found).length >= 3);
        expect(childrenOf(added)).toEqual(["INSERT notes"]);
        expect(new Set(childrenOf(found))).toEqual(new Set(["GET", "SELECT notes", "SET"]));
      } finally {
        await Promise.all([database.stop(), cache.stop()]);
      }
    },
  );
});

test("fastify: requests with their routes, and its own log lines in them", async () => {
  await visit("fastify");
  const [made, missing] = await servers("links", 2);
  expect(named([made, missing])).toEqual([
    ["POST /links", 201],
    ["GET /links/:code", 404],
  ]);
  const record = await logged("link made");
  expect(record).toMatchObject({ traceId: made?.traceId, spanId: made?.spanId });
  expect(record.attributes["reqId"]).toBe("req-1");
});

test("queue: a job's trace goes on in the thread that works it off", async () => {
  const find = (name: string) => sink.spans.find((span) => span.name === name);
  const soon = { OTEL_BSP_SCHEDULE_DELAY: "100", OTEL_BLRP_SCHEDULE_DELAY: "100" };
  await visit("queue", soon, async () => {
    await until("a job is processed", () => find("process jobs") !== undefined);
    await logged("job 1 has 5 words");
  });
  const [asked] = await servers("queue", 2);
  const [sent, processed] = [find("send jobs"), find("process jobs")];
  expect([sent?.parentSpanId, processed?.parentSpanId]).toEqual([asked?.spanId, sent?.spanId]);
  expect(processed?.attributes["words"]).toBe(5);
  expect(processed?.resource["service.instance.id"]).not.toBe(
    sent?.resource["service.instance.id"],
  );
  expect(await logged("job 1 has 5 words")).toMatchObject({ spanId: processed?.spanId });
});

test("microservices: one trace through all three", async () => {
  await visit("microservices");
  const [trip] = await servers("gateway", 3);
  const ofTrip = () => sink.spans.filter(({ traceId }) => traceId === trip?.traceId);
  await until("the trip is told", () => ofTrip().length === 7);
  const served = ofTrip().filter(({ kind }) => kind === 2);
  const names = served.map((span) => `${String(span.resource["service.name"])}: ${span.name}`);
  expect(names.toSorted()).toEqual([
    "flights: GET /flights/:city",
    "gateway: GET /trips/:city",
    "prices: GET",
    "prices: GET",
  ]);
  expect(ofTrip().filter(({ kind }) => kind === 3)).toHaveLength(3);
  expect((await logged("found a flight")).traceId).toBe(trip?.traceId);
  expect((await logged("nobody flies there")).severityText).toBe("warn");
});

/** Starts its services, makes its requests once, waits for what has to happen and ends it all. */
async function visit(
  name: string,
  env: Readonly<Record<string, string>> = {},
  hasHappened = () => Promise.resolve(),
): Promise<void> {
  const { services = [], visits = [] } = examples[name] ?? {};
  const apps = new Map<string, { app: App; url: string }>();
  let front = "";
  for (const { name, file, needs = {} } of services) {
    const urls = Object.entries(needs).map(([key, other]) => [key, apps.get(other)?.url ?? ""]);
    const app = startApp(fileURLToPath(new URL(file, folder)), {
      env: {
        PORT: "0",
        OTEL_SERVICE_NAME: name,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttp,
        ...Object.fromEntries(urls),
        ...env,
      },
    });
    front = await app.url();
    apps.set(name, { app, url: front });
  }
  for (const { method = "GET", path, body } of visits) {
    const headers = { "content-type": "application/json" };
    const sent = body ? { headers, body: JSON.stringify(body) } : {};
    const answer = await fetch(front + path, { method, ...sent });
    await answer.text();
    expect(answer.status).toBeLessThan(500);
  }
  await hasHappened();
  for (const { app } of apps.values()) {
    expect(await app.stop()).toMatchObject({ signal: "SIGTERM" });
  }
}

/** Spans of requests that a service has answered, in order. */
async function servers(service: string, count: number) {
  const found = () =>
    sink.spans.filter((span) => span.kind === 2 && span.resource["service.name"] === service);
  await until("the spans come", () => found().length === count);
  return found();
}

function named(spans: readonly (Sink["spans"][number] | undefined)[]): unknown[] {
  return spans.map((span) => [span?.name, span?.attributes["http.response.status_code"]]);
}

function childrenOf(parent: Sink["spans"][number] | undefined): unknown[] {
  return sink.spans.filter((span) => span.parentSpanId === parent?.spanId).map(({ name }) => name);
}

async function logged(body: string): Promise<Sink["logs"][number]> {
  const find = () => sink.logs.find((record) => plainValue(record.body) === body);
  await until("the span comes", () => find() !== undefined);
  return find() as Sink["logs"][number]; // as it was just found
}
