// Next.js as `next build` and `next start` have it. It is installed and the app built when they are first
// needed, into a cache; the app is built anew when it has changed.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Span } from "../support/otlp.ts";
import { onDemand } from "../support/on-demand.ts";
import { type App, appFile, startApp } from "./support/app.ts";
import { plain, startSink } from "./support/sink.ts";
import type { Received, Sink } from "./support/sink.ts";

const next = onDemand("next-16.4.6", ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"]);

describe.skipIf(!next)("Next", () => {
  const answers: Record<string, number> = {};
  let sink: Sink;
  let printed: string;
  let traceOfCall: string | undefined;

  beforeAll(async () => {
    sink = await startSink();
    const upstream = createServer(({ headers }, response) => {
      traceOfCall = headers["traceparent"]?.toString().split("-")[1];
      response.end("{}");
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const app = startNext(next!, {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      UPSTREAM: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    });
    const url = await app.url();
    for (const path of Object.keys(expected)) {
      const response = await fetch(url + path);
      await response.text();
      answers[path] = response.status;
    }
    printed = (await app.stop()).stderr;
    await sink.close();
    upstream.close();
  }, 180_000);
  afterAll(() => sink?.close());

  /** Of each path: status, route, and what is below the request's span. */
  const expected: Record<string, [number, string | undefined, readonly string[]]> = {
    "/": [200, "/", []],
    "/orders/5": [200, "/orders/[id]", ["middleware GET", "render route (app) /orders/[id]"]],
    "/orders/gone": [404, "/orders/[id]", ["middleware GET", "render route (app) /orders/[id]"]],
    "/orders/bad": [500, "/orders/[id]", ["middleware GET", "render route (app) /orders/[id]"]],
    "/api/orders/7": [200, "/api/orders/[id]", ["executing api route (app) /api/orders/[id]"]],
    "/api/orders/bad": [500, "/api/orders/[id]", ["executing api route (app) /api/orders/[id]"]],
    "/legacy/3": [
      200,
      "/legacy/[id]",
      ["getServerSideProps /legacy/[id]", "render route (pages) /legacy/[id]"],
    ],
    "/api/legacy/3": [200, "/api/legacy/[id]", ["executing api route (pages) /api/legacy/[id]"]],
    "/nowhere": [404, undefined, []],
    "/_next/static/none.js": [404, undefined, []],
  };

  test.each(Object.entries(expected))(
    "a request is one span of a server, named after its route: %s",
    (path, [status, route, below]) => {
      expect(answers[path]).toBe(status);
      const [server, ...others] = sink.spans.filter(isServer).filter(isOf(path));
      expect(others).toEqual([]);
      expect(server?.name).toBe(route === undefined ? "GET" : `GET ${route}`);
      expect(server?.attributes["http.route"]).toBe(route);
      expect(server?.attributes["http.response.status_code"]).toBe(status);
      expect(server?.status?.code ?? 0).toBe(status === 500 ? 2 : 0);
      expect(childrenOf(server).map(({ name }) => name)).toEqual(below);
    },
  );

  test("no span is without a request, and none of another kind that Next has for it", () => {
    const roots = sink.spans.filter(({ parentSpanId }) => !parentSpanId);
    expect(roots).toHaveLength(Object.keys(expected).length);
    expect(roots.every(isServer)).toBe(true);
    for (const { attributes } of roots) expect(attributes).not.toHaveProperty("http.status_code");
  });

  test.each([
    ["/orders/bad", "RangeError"],
    ["/api/orders/bad", "TypeError"],
  ])("what is thrown is an event of the span that it left: %s", (path, type) => {
    const failed = childrenOf(sink.spans.find(isOf(path))).at(-1);
    const [event] = failed?.events ?? [];
    expect(event?.name).toBe("exception");
    expect(plain(event?.attributes)).toMatchObject({
      "exception.type": type,
      "exception.message": "no such order",
      "exception.stacktrace": expect.stringContaining(type),
    });
    expect(failed?.status?.code).toBe(2);
  });

  test("what is fetched is one span of a client, below Next's, and carries the trace", () => {
    const server = sink.spans.find(isOf("/api/orders/7"));
    const [fetched] = childrenOf(childrenOf(server)[0]);
    expect(fetched).toMatchObject({ name: "fetch GET", kind: 1 });
    expect(fetched?.attributes["next.fetch.cache_status"]).toBe("skip");
    const [call, ...others] = sink.spans.filter(({ kind }) => kind === 3);
    expect(others).toEqual([]);
    expect(call).toMatchObject({ name: "GET", parentSpanId: fetched?.spanId });
    expect(traceOfCall).toBe(server?.traceId);
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });

  test("durations are told by route", () => {
    const points = sink.metrics
      .filter(({ name }) => name === "http.server.request.duration")
      .flatMap(({ histogram }) => histogram?.dataPoints ?? [])
      .map(({ attributes }) => plain(attributes));
    const told = points.map((point) => [point["http.response.status_code"], point["http.route"]]);
    const wanted = Object.values(expected).map(([status, route]) => [status, route]);
    expect(new Set(told.map(String))).toEqual(new Set(wanted.map(String)));
  });

  test("durations of what is not recorded, too", async () => {
    const quiet = await startSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: quiet.url, OTEL_TRACES_SAMPLER: "always_off" };
    const app = startNext(next!, env);
    await (await fetch(`${await app.url()}/orders/5`)).text();
    await app.stop();
    await quiet.close();
    expect(quiet.spans).toEqual([]);
    const durations = quiet.metrics.find(({ name }) => name === "http.server.request.duration");
    const [point] = durations?.histogram?.dataPoints ?? [];
    expect(plain(point?.attributes)["http.route"]).toBe("/orders/[id]");
  });

  test("behind a server of the app's own requests are named after Next's routes likewise", async () => {
    const behind = await startSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: behind.url };
    const app = startNext(next!, env, { program: join(builtApp(next!), "server.cjs"), args: [] });
    const url = await app.url();
    for (const path of ["/health", "/orders/5", "/api/orders/7", "/legacy/3", "/nowhere"])
      await (await fetch(url + path)).text();
    await app.stop();
    await behind.close();
    const servers = behind.spans.filter(isServer);
    expect(servers.map(({ name }) => name)).toEqual([
      "GET",
      "GET /orders/[id]",
      "GET /api/orders/[id]",
      "GET /legacy/[id]",
      "GET",
    ]);
    expect(behind.spans.filter(({ parentSpanId }) => !parentSpanId)).toEqual(servers);
  });

  test("the service is the app, whose program is Next, and nothing is told but Next's own errors", () => {
    expect(sink.spans[0]?.resource["service.name"]).toBe("shop");
    expect(printed).not.toContain("sonde");
  });

  function childrenOf(parent: Received<Span> | undefined): readonly Received<Span>[] {
    return sink.spans
      .filter(({ parentSpanId }) => parent && parentSpanId === parent.spanId)
      .toSorted((one, other) => Number(one.startTimeUnixNano) - Number(other.startTimeUnixNano));
  }
});

function isServer({ kind }: Received<Span>): boolean {
  return kind === 2;
}

function isOf(path: string): (span: Received<Span>) => boolean {
  return ({ attributes }) => attributes["url.path"] === path;
}

interface Started {
  readonly program: string;
  readonly args: readonly string[];
}

function startNext(
  modules: string,
  env: Readonly<Record<string, string>>,
  { program, args }: Started = nextStart(modules),
): App {
  const register = new URL("../../sdk/register.ts", import.meta.url).href;
  return startApp(program, {
    cwd: builtApp(modules),
    preload: "none",
    args,
    env: { NODE_OPTIONS: `--import ${register}`, NEXT_TELEMETRY_DISABLED: "1", ...env },
  });
}

function nextStart(modules: string): Started {
  const args = ["start", "--port", "0", "--hostname", "127.0.0.1"];
  return { program: program(modules), args };
}

function program(modules: string): string {
  return join(modules, "node_modules/next/dist/bin/next");
}

/** In a folder that finds the packages; its compiler is quicker with webpack than to start another. */
function builtApp(modules: string): string {
  const source = appFile("on-demand/next");
  const hash = createHash("sha256");
  const files = readdirSync(source, { recursive: true, withFileTypes: true });
  const paths = files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name));
  for (const path of paths.toSorted())
    hash.update(path.slice(source.length)).update(readFileSync(path));
  const folder = join(modules, `app-${hash.digest("hex").slice(0, 16)}`);
  const done = join(folder, "built");
  if (existsSync(done)) return folder;
  rmSync(folder, { recursive: true, force: true });
  cpSync(source, folder, { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program(modules), "build", "--webpack"],
    {
      cwd: folder,
      env: { PATH: process.env["PATH"], NEXT_TELEMETRY_DISABLED: "1" },
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`next build: ${stdout}${stderr}`);
  writeFileSync(done, "");
  return folder;
}
