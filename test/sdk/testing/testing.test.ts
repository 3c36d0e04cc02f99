import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { spans, startCollector, tree } from "../../../sdk/testing/testing.ts";
import type { TestCollector } from "../../../sdk/testing/testing.ts";
import { encodeRequest, sampleRequest, type Request } from "../../support/otlp.ts";
import { appFile, startApp } from "../support/app.ts";

let collector: TestCollector;
beforeEach(async () => void (collector = await startCollector()));
afterEach(() => collector.close());

describe("an app as a process of its own, told by the environment alone", () => {
  test("a request is a tree of spans, with the log lines in it and the metrics beside it", async () => {
    const app = startApp(appFile("official/main.cjs"), {
      preload: "none",
      env: { ...collector.env, OTEL_SERVICE_NAME: "orders" },
    });
    await fetch(`${await app.url()}/orders/7`, { method: "POST", body: "" });
    const [root] = await collector.spans({ kind: "server", name: "POST /orders/:id" });
    expect(root).toMatchObject({
      service: "orders",
      status: "unset",
      attributes: { "http.route": "/orders/:id", "http.response.status_code": 201 },
    });
    const trace = await collector.spans({ traceId: root?.traceId ?? "" }, { count: 6 });
    expect(tree(trace)).toBe(
      [
        "POST /orders/:id  server  orders",
        "└─ price  internal  orders  error: too few",
        "   ├─ GET  client  orders",
        "   │  └─ GET /stock/:id  server  orders",
        "   └─ GET  client  orders  error",
        "      └─ GET  server  orders",
      ].join("\n"),
    );
    const [line] = await collector.logs({ body: "ordered" });
    expect(line).toMatchObject({ severity: "INFO", attributes: { id: "7" } });
    expect(line?.traceId).toBe(root?.traceId);
    const [placed] = await collector.metrics({ name: "orders.placed" });
    expect(placed).toMatchObject({ kind: "sum", unit: "{order}", points: [{ value: 2 }] });
    await app.stop();
  });
});

describe("waiting", () => {
  test("ends with the first span that matches, whenever it comes", async () => {
    const waiting = collector.spans({ name: /^late/, attributes: { tries: 2 } });
    await send(span("late one", { tries: 1 }));
    await send(span("late two", { tries: 2 }));
    expect((await waiting).map(({ name }) => name)).toEqual(["late two"]);
  });

  test("for several gives all that match", async () => {
    const waiting = collector.spans({ kind: "server" }, { count: 2 });
    await send(span("one"));
    await send(span("two"));
    expect(await waiting).toHaveLength(2);
    expect(spans(collector, { name: "two" })).toHaveLength(1);
    expect(spans(collector, ({ name }) => name.startsWith("o"))).toHaveLength(1);
  });

  test("in vain fails with what was expected and what came, at the test's own line", async () => {
    await send(span("other"));
    const failure = await collector
      .spans({ name: "wanted" }, { within: 30 })
      .catch((error: Error) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message).toBe(
      "no spans { name: 'wanted' } within 30 ms; what came:\n  other  server  shop",
    );
    expect((failure as Error).stack).toContain("testing.test.ts");
  });

  test("in vain for one more of many says how many there were", async () => {
    await send(span("one"));
    await expect(collector.spans({}, { within: 30, count: 2 })).rejects.toThrow(
      "only 1 of 2 spans",
    );
  });

  test("starts anew after clear()", async () => {
    await send(span("old"));
    collector.clear();
    await expect(collector.spans({}, { within: 30 })).rejects.toThrow("what came:\n  nothing");
  });
});

describe("OTLP/HTTP", () => {
  test.each(["traces", "metrics", "logs"] as const)(
    "%s are the same as protobuf, zipped and as JSON",
    async (signal) => {
      const request = sampleRequest(signal, { items: 3, seed: 1 });
      const protobuf = Buffer.from(encodeRequest(signal, request));
      const bodies: [Buffer | string, Record<string, string>][] = [
        [protobuf, { "content-type": "application/x-protobuf" }],
        [
          gzipSync(protobuf),
          { "content-type": "application/x-protobuf", "content-encoding": "gzip" },
        ],
        [JSON.stringify(request), { "content-type": "application/json" }],
      ];
      const seen: string[] = [];
      for (const [body, headers] of bodies) {
        collector.clear();
        const answer = await fetch(`${collector.url}/v1/${signal}`, {
          method: "POST",
          headers,
          body,
        });
        expect(answer.status).toBe(200);
        seen.push(JSON.stringify(collector.received));
      }
      expect(new Set(seen).size).toBe(1);
      expect(Object.values(collector.received).flat().length).toBeGreaterThan(0);
    },
  );

  test("what is not OTLP is refused with a reason and kept nowhere", async () => {
    const refused = await fetch(`${collector.url}/v1/traces`, { method: "POST", body: "nonsense" });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringMatching(/byte/)]);
    const elsewhere = await fetch(`${collector.url}/v2/traces`, { method: "POST" });
    expect(elsewhere.status).toBe(404);
    expect(collector.received).toEqual({ spans: [], logs: [], metrics: [] });
  });
});

test("a tree of spans that are each other's parents ends", async () => {
  await send(span("egg", {}, { spanId: "aa", parentSpanId: "bb" }));
  await send(span("hen", {}, { spanId: "bb", parentSpanId: "aa" }));
  expect(tree(collector.received.spans)).toBe("egg  server  shop\n   └─ hen  server  shop");
});

test("the same under node:test, in a process that is itself observed", () => {
  const file = fileURLToPath(new URL("node-test.mjs", import.meta.url));
  const { PATH = "" } = process.env;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--conditions=source", "--test", "--test-reporter=tap", file],
    { encoding: "utf8", env: { PATH } },
  );
  expect(stdout + stderr).toMatch(/^# pass 2$/m);
  expect(status).toBe(0);
});

async function send(request: Request): Promise<void> {
  await fetch(`${collector.url}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
}

function span(
  name: string,
  attributes: Readonly<Record<string, number>> = {},
  ids: { readonly spanId?: string; readonly parentSpanId?: string } = {},
): Request {
  const { spanId = "01", parentSpanId } = ids;
  const hex = (id: string) => id.padStart(16, "0");
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] };
  const made = {
    name,
    kind: 2,
    traceId: "1".repeat(32),
    spanId: hex(spanId),
    ...(parentSpanId === undefined ? {} : { parentSpanId: hex(parentSpanId) }),
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: { intValue: String(value) },
    })),
  };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans: [made] }] }] };
}
