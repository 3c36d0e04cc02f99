// What takes a process of its own: the ends of a process, its environment, and what arrives of its metrics.

import { request } from "node:http";
import type { HistogramDataPoint, NumberDataPoint } from "../support/otlp.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appFile, startApp } from "./support/app.ts";
import { until } from "../support/until.ts";
import { plain, startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

let sink: Sink;
beforeEach(async () => void (sink = await startSink()));
afterEach(() => sink.close());

const start = (env: Record<string, string> = {}, args: readonly string[] = []) =>
  startApp(appFile("http/main.cjs"), {
    args,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_LOGS_EXPORTER: "none", ...env },
  });

describe("a handler that ends the process", () => {
  test.each([
    ["/throw", "thrown", "RangeError"],
    ["/later", "thrown later", "RangeError"],
    ["/reject", "rejected", "RangeError"],
    ["/ask", "connect ECONNREFUSED 127.0.0.1:9", "ECONNREFUSED"],
  ])("has its span sent, with the error: %s", async (path, message, type) => {
    const app = start();
    await fetch((await app.url()) + path).catch(() => {});
    const { code, signal } = await app.ended;
    expect([code, signal]).toEqual([1, null]);
    const span = sink.spans.find(({ kind }) => kind === 2);
    expect(span?.attributes["error.type"]).toBe(type);
    expect(span?.attributes).not.toHaveProperty("http.response.status_code");
    expect(span?.status?.message).toBe(message);
    expect(span?.events?.map(({ name }) => name)).toEqual(["exception"]);
    expect(sink.spans.filter(({ kind }) => kind === 2)).toHaveLength(1);
  });

  test("has Node point at the app's own line, as without us", async () => {
    const alone = startApp(appFile("http/main.cjs"), { preload: "none" });
    await fetch(`${await alone.url()}/throw`).catch(() => {});
    const app = start();
    await fetch(`${await app.url()}/throw`).catch(() => {});
    const [expected, found] = await Promise.all([alone.ended, app.ended]);
    const firstLines = (text: string): string => text.split("\n").slice(0, 6).join("\n");
    expect(firstLines(found.stderr)).toBe(firstLines(expected.stderr));
    expect(found.code).toBe(expected.code);
  });

  test("does not, where the app catches it: the answer it then gives counts", async () => {
    const app = start({}, ["lives"]);
    const answer = await fetch(`${await app.url()}/throw`);
    expect(answer.status).toBe(500);
    const { stdout } = await app.stop();
    expect(stdout).toContain("caught thrown\n");
    const [span, ...others] = sink.spans;
    expect(others).toEqual([]);
    expect(span?.attributes).toMatchObject({
      "http.response.status_code": 500,
      "error.type": "500",
    });
    expect(span?.events?.map(({ name }) => name)).toEqual(["exception"]);
  });
});

test("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS says which methods there are, all of them", async () => {
  const app = start({ OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: "GET, PROPFIND" });
  const url = await app.url();
  for (const method of ["PROPFIND", "PUT"]) await (await fetch(url, { method })).text();
  const { stderr } = await app.stop();
  expect(stderr).toBe("");
  expect(sink.spans.map(({ name }) => name)).toEqual(["PROPFIND", "HTTP"]);
  expect(sink.spans[1]?.attributes).toMatchObject({
    "http.request.method": "_OTHER",
    "http.request.method_original": "PUT",
  });
});

describe("metrics", () => {
  type Point = NumberDataPoint & HistogramDataPoint;
  const pointsOf = (name: string) =>
    sink.metrics.flatMap((metric) => {
      const data = metric.name === name ? (metric.histogram ?? metric.sum) : undefined;
      const points: readonly Point[] = data?.dataPoints ?? [];
      return points.map((point) => ({ ...point, attributes: plain(point.attributes) }));
    });

  test("of requests have few attributes, and the bounds of the conventions", async () => {
    const app = start();
    const url = await app.url();
    for (let count = 0; count < 3; count++)
      await (await fetch(`${url}/${count}?a=${count}`)).text();
    await app.stop();
    const [point, ...others] = pointsOf("http.server.request.duration");
    expect(others).toEqual([]);
    expect(point?.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "network.protocol.version": "1.1",
      "url.scheme": "http",
    });
    expect(Number(point?.count)).toBe(3);
    expect(point?.explicitBounds).toHaveLength(14);
    expect(Number(point?.sum)).toBeGreaterThan(0);
    expect(pointsOf("http.server.active_requests")).toEqual([]);
  });

  test("are deltas where the reader wants deltas, and each request is in one of them", async () => {
    const app = start({
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
      OTEL_METRIC_EXPORT_INTERVAL: "50",
    });
    const url = await app.url();
    for (let count = 0; count < 3; count++) {
      await (await fetch(url)).text();
      await until("it has come", () => pointsOf("http.server.request.duration").length > count);
    }
    await app.stop();
    const counts = pointsOf("http.server.request.duration").map((point) => Number(point.count));
    expect(counts).toEqual([1, 1, 1]);
    const metric = sink.metrics.find(({ name }) => name === "http.server.request.duration");
    expect(metric?.histogram?.aggregationTemporality).toBe(1);
  });

  test("of requests that are being handled are there if asked for, and go down again", async () => {
    const app = start({ SONDE_HTTP_ACTIVE_REQUESTS: "true", OTEL_METRIC_EXPORT_INTERVAL: "50" });
    const url = await app.url();
    const last = (): unknown => pointsOf("http.server.active_requests").at(-1);
    const waiting = request(`${url}/wait`).on("error", () => {});
    waiting.end();
    const attributes = { "http.request.method": "GET", "url.scheme": "http" };
    await until(
      "it has come",
      () => Number((last() as { asInt?: unknown } | undefined)?.asInt) === 1,
    );
    expect(last()).toMatchObject({ attributes });
    waiting.destroy();
    await until(
      "it has come",
      () => Number((last() as { asInt?: unknown } | undefined)?.asInt) === 0,
    );
    const { stderr } = await app.stop();
    expect(stderr).toBe("");
  });
});
