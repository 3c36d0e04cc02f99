import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainValue, startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";
import { appFile, startApp } from "./support/app.ts";
import type { Ended } from "./support/app.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerId = "b7ad6b7169203331";

describe.each([
  ["CommonJS, --require", "main.cjs", "require"],
  ["CommonJS, --import", "main.cjs", "import"],
  ["ES modules, --require", "main.mjs", "require"],
  ["ES modules, both at once", "main.mjs", "both"],
] as const)("an express app with pino, winston and console: %s", (_, file, preload) => {
  let sink: Sink;
  let ended: Ended;
  let failed: Response;

  beforeAll(async () => {
    sink = await startSink();
    const app = startApp(appFile(`web/${file}`), {
      preload,
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_SERVICE_NAME: "web" },
    });
    const url = await app.url();
    const headers = { traceparent: `00-${traceId}-${callerId}-01`, "user-agent": "tests" };
    await fetch(`${url}/items/5?page=2`, { headers });
    failed = await fetch(`${url}/fail`);
    ended = await app.stop();
  });
  afterAll(() => sink.close());

  const byName = (name: string, kind: number) =>
    sink.spans.filter((span) => span.name === name && span.kind === kind);

  test("one server span continues the caller's trace and has express's route, mount included", () => {
    const [span, ...others] = byName("GET /items/:id", 2);
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      traceId,
      parentSpanId: callerId,
      resource: { "service.name": "web" },
    });
    expect(span?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/items/:id",
      "http.response.status_code": 200,
      "url.path": "/items/5",
      "url.scheme": "http",
      "user_agent.original": "tests",
    });
  });

  test("fetch, undici and http calls are client spans whose servers are their children", () => {
    const [server] = byName("GET /items/:id", 2);
    const clients = byName("GET", 3);
    expect(clients.map((span) => String(span.attributes["url.full"]).replace(/^.*\//, ""))).toEqual(
      expect.arrayContaining(["by-undici", "by-http"]),
    );
    expect(clients).toHaveLength(3);
    expect(new Set(clients.map((span) => span.parentSpanId))).toEqual(new Set([server?.spanId]));
    const inner = byName("GET /:way", 2);
    expect(inner).toHaveLength(3);
    expect(new Set(inner.map((span) => span.parentSpanId))).toEqual(
      new Set(clients.map((span) => span.spanId)),
    );
    expect(new Set(sink.spans.map((span) => span.traceId)).size).toBe(2); // with that of /fail
  });

  test("there are no spans but those of requests", () => {
    expect(sink.spans.filter((span) => span.kind !== 2 && span.kind !== 3)).toEqual([]);
    expect(sink.spans).toHaveLength(8);
  });

  test("a failing route is an error with the status sent", async () => {
    expect(await failed.text()).toBe("as asked");
    expect(byName("GET /fail", 2)[0]).toMatchObject({
      status: { code: 2 },
      attributes: { "http.response.status_code": 500, "error.type": "500" },
    });
  });

  test("each log line is sent once, in its span, with severity and fields", () => {
    const [server] = byName("GET /items/:id", 2);
    const records = sink.logs.map((record) => ({
      body: plainValue(record.body),
      severity: record.severityNumber,
      attributes: record.attributes,
      inSpan: record.traceId === traceId && record.spanId === server?.spanId,
    }));
    expect(records).toEqual([
      { body: "from pino", severity: 13, attributes: { part: "items", id: "5" }, inSpan: true },
      { body: "from winston", severity: 9, attributes: { id: "5" }, inSpan: true },
      { body: "from console", severity: 17, attributes: {}, inSpan: true },
    ]);
  });

  test("JSON lines on stdout gain the ids and nothing else, console's stay as they are", () => {
    const [server] = byName("GET /items/:id", 2);
    const ids = { trace_id: traceId, span_id: server?.spanId, trace_flags: "01" };
    const lines = ended.stdout.split("\n").filter((line) => line.startsWith("{"));
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    // Each writes to stdout in its own time, so either may come first.
    const ofPino = parsed.find(({ msg }) => msg !== undefined) ?? {};
    const { time: _, pid: _1, hostname: _2, ...pinoLine } = ofPino;
    expect(pinoLine).toEqual({ level: 40, part: "items", id: "5", msg: "from pino", ...ids });
    const ofWinston = parsed.find(({ message }) => message !== undefined);
    expect(ofWinston).toEqual({ level: "info", id: "5", message: "from winston", ...ids });
    expect(parsed).toHaveLength(2);
    expect(ended.stderr).toBe("from console\n");
  });

  test("durations of requests are measured with their route, and the runtime with its own names", () => {
    const duration = sink.metrics.find(({ name }) => name === "http.server.request.duration");
    expect(duration?.unit).toBe("s");
    const routes = (duration?.histogram?.dataPoints ?? []).map(
      (point) => point.attributes?.find(({ key }) => key === "http.route")?.value?.stringValue,
    );
    expect(new Set(routes)).toEqual(new Set(["/:way", "/fail", "/items/:id"]));
    const names = sink.metrics.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "http.client.request.duration",
        "nodejs.eventloop.utilization",
        "v8js.memory.heap.used",
      ]),
    );
  });

  test("secrets in query strings are not sent", () => {
    expect(JSON.stringify(sink.spans)).not.toContain("token=abc");
  });

  test("SIGTERM ends the app as it would end it alone", () => {
    expect(ended).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  test("the process is told from others by its instance id, and keeps its command line to itself", () => {
    const resource = sink.spans[0]?.resource;
    expect(resource?.["service.instance.id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(resource?.["process.command_args"]).toBeUndefined();
    expect(sink.metrics[0]?.resource).toEqual(resource);
  });
});
