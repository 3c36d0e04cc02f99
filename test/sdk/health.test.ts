import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { health } from "../../sdk/index.ts";
import type { Check, CheckOptions } from "../../sdk/index.ts";
import { appFile, startApp } from "./support/app.ts";
import { cleanups, closeAll, listen } from "./support/http.ts";
import { plain, startSink } from "./support/sink.ts";

const fresh = { maxAge: 0, detailed: true };

function check(name: string, work: (signal: AbortSignal) => unknown, options?: CheckOptions): void {
  cleanups.push(health.check(name, work, options));
}
afterEach(closeAll);

const never = (): Promise<never> => new Promise(() => {});

describe("a report", () => {
  test("without checks is good", async () => {
    expect(await health.report()).toEqual({ status: "ok" });
  });

  const fails: Check = () => throwing("as asked");
  const kinds: readonly (readonly [what: string, work: Check, isCritical: boolean, is: string])[] =
    [
      ["a promise that is kept", () => Promise.resolve("anything"), true, "ok"],
      ["nothing", () => {}, true, "ok"],
      ["false", () => false, true, "failed"],
      ["a promise of false", () => Promise.resolve(false), true, "failed"],
      ["an error", fails, true, "failed"],
      ["an error of what is not critical", fails, false, "degraded"],
    ];
  test.each(kinds)("of a check that gives %s", async (_, work, critical, status) => {
    check("other", () => true);
    check("one", work, { critical });
    expect(await health.report({ maxAge: 0 })).toEqual({ status });
  });

  test("in detail names the checks, their times and errors, without secrets", async () => {
    check("database", () => throwing("postgres://me:hunter2@db/ refused, password=hunter2"));
    check("cache", () => true, { critical: false });
    const report = await health.report(fresh);
    expect(report.checks).toEqual({
      database: {
        status: "failed",
        critical: true,
        durationMs: expect.any(Number) as number,
        error: expect.stringContaining("refused") as string,
      },
      cache: { status: "ok", critical: false, durationMs: expect.any(Number) as number },
    });
    expect(JSON.stringify(report)).not.toContain("hunter2");
    expect(await health.report()).toEqual({ status: "failed" });
  });

  test("waits for a check no longer than it may take, and tells it so", async () => {
    let signal: AbortSignal | undefined;
    check("slow", (given) => ((signal = given), never()), { timeout: 30 });
    const begun = performance.now();
    const report = await health.report(fresh);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(report.checks?.["slow"]?.error).toBe("took longer than 30 ms");
    expect(signal?.aborted).toBe(true);
  });

  test("does not begin again what hangs", async () => {
    let begun = 0;
    check("hanging", () => (begun++, never()), { timeout: 10 });
    for (let round = 0; round < 3; round++) await health.report(fresh);
    expect(begun).toBe(1);
    expect((await health.report(fresh)).checks?.["hanging"]?.error).toMatch(/not come back for/);
  });

  test("is used again for a moment, and by all who ask meanwhile", async () => {
    let asked = 0;
    check("counted", async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await Promise.all(Array.from({ length: 50 }, () => health.report({ maxAge: 0 })));
    expect(asked).toBe(1);
    await health.report({ maxAge: 60_000 });
    expect(asked).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await health.report({ maxAge: 1 });
    expect(asked).toBe(2);
  });

  test("has a check that was taken away no more", async () => {
    const remove = health.check("gone", () => false);
    expect(await health.report()).toEqual({ status: "failed" });
    remove();
    expect(await health.report()).toEqual({ status: "ok" });
  });

  test("is of at most a hundred checks", async () => {
    for (let count = 0; count < 105; count++) check(`check ${count}`, () => true);
    const { checks = {} } = await health.report(fresh);
    expect(Object.keys(checks)).toHaveLength(100);
  });
});

describe("the handler", () => {
  const isGranted = (request: { headers: Readonly<Record<string, unknown>> }): boolean =>
    request.headers["x-key"] === "1";
  const handler = health.handler({ maxAge: 0, detailed: isGranted });
  const servers: Readonly<Record<string, () => Promise<string>>> = {
    "node:http": async () => `http://127.0.0.1:${await listen(createServer(handler))}`,
    express: async () => {
      const app = express().get("/", handler);
      return `http://127.0.0.1:${await listen(createServer(app))}`;
    },
    fastify: async () => {
      const app = fastify();
      app.get("/", handler);
      await app.listen({ port: 0, host: "127.0.0.1" });
      cleanups.push(() => void app.close());
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`; // it listens on TCP
    },
  };

  test.each(Object.keys(servers))("answers under %s", async (name) => {
    const url = await servers[name]!();
    let works = true;
    check("switch", () => works || throwing("token=abc123secret is wrong"));
    const good = await fetch(url);
    expect([good.status, await good.json()]).toEqual([200, { status: "ok" }]);
    expect(good.headers.get("content-type")).toBe("application/json");
    expect(good.headers.get("cache-control")).toBe("no-store");
    works = false;
    const bad = await fetch(url);
    expect([bad.status, await bad.json()]).toEqual([503, { status: "failed" }]);
    const inside = await fetch(url, { headers: { "x-key": "1" } });
    const { checks } = (await inside.json()) as { checks: Record<string, { error: string }> };
    expect(checks["switch"]?.error).toContain("is wrong");
    expect(checks["switch"]?.error).not.toContain("abc123secret");
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([503, ""]);
  });

  test("answers too when the app's own part in it fails", async () => {
    const broken = health.handler({ maxAge: 0, detailed: () => throwing("as asked") });
    const url = `http://127.0.0.1:${await listen(createServer(broken))}`;
    expect((await fetch(url)).status).toBe(200);
  });
});

test("the state of each check is a gauge, and what a check asks for is in no trace", async () => {
  const sink = await startSink();
  const app = startApp(appFile("health/main.cjs"), {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  });
  const url = await app.url();
  const answer = await fetch(`${url}/health`);
  expect([answer.status, await answer.json()]).toEqual([200, { status: "degraded" }]);
  const { stderr } = await app.stop();
  await sink.close();
  expect(stderr).toBe("");
  const points = sink.metrics.flatMap(({ name, gauge }) =>
    name === "health.check.status" ? (gauge?.dataPoints ?? []) : [],
  );
  const states = points.map((point) => [plain(point.attributes), point.asDouble]);
  expect(states).toHaveLength(2);
  expect(states).toContainEqual([
    { "health.check.name": "itself", "health.check.critical": true },
    1,
  ]);
  expect(states).toContainEqual([
    { "health.check.name": "absent", "health.check.critical": false },
    0,
  ]);
  const client = sink.spans.filter(({ kind }) => kind === 3);
  expect(client).toEqual([]);
  expect(sink.spans.length).toBeGreaterThan(0);
});

test("whatever it is given, nothing is thrown, and nothing is left behind", async () => {
  const hostile: readonly unknown[] = [
    new Proxy({}, { get: () => throwing("hostile"), has: () => throwing("hostile") }),
    {
      get raw() {
        return throwing("hostile");
      },
    },
    "name",
    () => throwing("hostile"),
    () => Promise.reject(new Error("hostile")),
    undefined,
    null,
    Number.NaN,
    { timeout: -1, critical: "no", maxAge: "x", detailed: {} },
  ];
  const any = fc.nat(hostile.length - 1).map((at) => ({ at }));
  await fc.assert(
    fc.asyncProperty(any, any, any, async (...chosen) => {
      const given = chosen.map(({ at }) => hostile[at]) as [never, never, never];
      const remove = health.check(...given);
      const { status } = await health.report(given[0]);
      expect(["ok", "degraded", "failed"]).toContain(status);
      health.handler(given[0])(given[1], given[2]);
      remove();
    }),
    { numRuns: 500 },
  );
});

function throwing(message: string): never {
  throw new Error(message);
}
