import { describe, expect, test } from "vitest";
import { open } from "../../../collector/output/debug/debug.ts";
import { settings } from "../../../collector/output/debug/settings.ts";
import type { Delivery, Outcome } from "../../../collector/output/output.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import type { Batch, Signal } from "../../../collector/wire/batch.ts";
import { bytesFromJson } from "../../support/otlp-json.ts";
import { encodeRequest, type Request, sampleBatch, sampleRequest } from "../../support/otlp.ts";

describe("a summary is one line", () => {
  test("of spans: services with their counts, names, errors and traces", async () => {
    const shop = sampleBatch("traces", { items: 20, service: "shop" });
    const stock = sampleBatch("traces", { items: 1, service: "stock", seed: 2 });
    const { text } = await print("summary", delivery("traces", shop, stock));
    expect(text).toMatch(
      /^traces {3}21 spans {6}shop 20, stock 1 {2}GET \/products, GET \/products\/:id, POST \/orders … {3}1 error {3}6 traces, one is [0-9a-f]{32}\n$/,
    );
  });

  test("of one trace: its id in full", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const spans = [
      { traceId, name: "GET /" },
      { traceId, name: "GET /", status: { code: 2 } },
    ];
    const { text } = await print(
      "summary",
      request("traces", { resourceSpans: [{ scopeSpans: [{ spans }] }] }, 2),
    );
    expect(text).toBe(
      `traces   2 spans       (unnamed) 2       GET /   1 error   trace ${traceId}\n`,
    );
  });

  test("of log records: severities and bodies", async () => {
    const logRecords = [
      { severityNumber: 9, body: { stringValue: "order placed" } },
      { severityNumber: 9, severityText: "info", body: { intValue: "-5" } },
      { severityNumber: 24, body: { kvlistValue: { values: [{ key: "a" }] } } },
      { eventName: "closed" },
    ];
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] };
    const { text } = await print(
      "summary",
      request("logs", { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }, 4),
    );
    expect(text).toBe(
      "logs     4 records     shop 4            INFO order placed, info -5, FATAL {…} …\n",
    );
  });

  test("of metrics: data points and metric names", async () => {
    const { text } = await print(
      "summary",
      delivery("metrics", sampleBatch("metrics", { items: 9 })),
    );
    expect(text).toBe(
      "metrics  9 points      shop              shop.orders, shop.stock.level, http.server.request.duration\n",
    );
  });

  test("of nothing", async () => {
    const { text } = await print("summary", request("traces", {}, 0));
    expect(text).toBe("traces   0 spans\n");
  });

  test("of bounded length, though names are long and many", async () => {
    const spans = Array.from({ length: 1000 }, (_, index) => ({
      name: `${index}${"😀".repeat(100_000 / (index + 1))}`,
      traceId: index.toString(16).padStart(32, "0"),
    }));
    const value = { stringValue: "s".repeat(100_000) };
    const resource = { attributes: [{ key: "service.name", value }] };
    const { text, outcome } = await print(
      "summary",
      request("traces", { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }, 1000),
    );
    expect(text.length).toBeLessThanOrEqual(201);
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toContain("\ufffd");
    expect(outcome).toEqual({ kind: "delivered" });
  });

  test("without the sender's control characters", async () => {
    const spans = [{ name: "\u001b[2Jevil\r\n\u009b31m\u202e\u2028\u007f" }];
    const { text } = await print(
      "summary",
      request("traces", { resourceSpans: [{ scopeSpans: [{ spans }] }] }, 1),
    );
    expect(text.split("\n")).toHaveLength(2);
    expect(text).toContain(String.raw`\u001b[2Jevil\u000d\u000a\u009b31m\u202e\u2028\u007f`);
  });
});

describe("items are OTLP/JSON", () => {
  test("a line for each batch, from which the batch can be made again", async () => {
    const batches = [sampleBatch("logs", { seed: 1 }), sampleBatch("logs", { seed: 2 })];
    const { text } = await print("items", delivery("logs", ...batches));
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      sampleRequest("logs", { seed: 1 }),
      sampleRequest("logs", { seed: 2 }),
    ]);
    expect(Buffer.from(bytesFromJson("logs", lines[0]!))).toHaveLength(batches[0]!.bytes.length);
  });

  test("control characters are escaped and still mean the same", async () => {
    const schemaUrl = "\u001b[2J\u009b\u202e\u007f\n";
    const { text } = await print("items", request("logs", { resourceLogs: [{ schemaUrl }] }, 0));
    expect(text).toBe(
      `${String.raw`{"resourceLogs":[{"schemaUrl":"\u001b[2J\u009b\u202e\u007f\n"}]}`}\n`,
    );
    expect(JSON.parse(text)).toEqual({ resourceLogs: [{ schemaUrl }] });
  });

  test("a batch of more than a megabyte is summed up", async () => {
    const items = 3000;
    const { text } = await print("items", delivery("traces", sampleBatch("traces", { items })));
    expect(text).toMatch(/^traces {3}3000 spans .* \(\d+ bytes, too large to print\)\n$/);
  });
});

test("what it prints is awaited, so that a slow terminal slows the output", async () => {
  let release: (() => void) | undefined;
  const output = await open(
    { verbosity: "summary" },
    context,
    () => new Promise((resolve) => (release = resolve)),
  );
  let isDone = false;
  const delivered = output
    .deliver(delivery("logs", sampleBatch("logs")), AbortSignal.timeout(10_000))
    .then(() => (isDone = true));
  await new Promise(setImmediate);
  expect(isDone).toBe(false);
  release?.();
  await delivered;
  expect(isDone).toBe(true);
});

test("settings have a default and know their values", () => {
  expect(settings.parse({})).toEqual({ verbosity: "summary" });
  expect(settings.safeParse({ verbosity: "all" }).success).toBe(false);
  expect(settings.safeParse({ verbose: "items" }).success).toBe(false);
});

const context = {
  name: "debug",
  logId: "0",
  incidents: new Incidents(),
  host: "127.0.0.1",
  ready: () => {},
};

async function print(
  verbosity: "summary" | "items",
  delivery: Delivery,
): Promise<{ text: string; outcome: Outcome }> {
  let text = "";
  const output = await open({ verbosity }, context, (more) => {
    text += more;
    return Promise.resolve();
  });
  const outcome = await output.deliver(delivery, AbortSignal.timeout(10_000));
  await output.close();
  return { text, outcome };
}

function request(signal: Signal, request: Request, items: number): Delivery {
  return delivery(signal, { signal, bytes: encodeRequest(signal, request), items });
}

function delivery(signal: Signal, ...batches: Batch[]): Delivery {
  return {
    signal,
    entries: batches.map((batch, position) => ({ position, batch, atMs: 0 })),
    items: batches.reduce((sum, { items }) => sum + items, 0),
    bytes: batches.reduce((sum, { bytes }) => sum + bytes.length, 0),
  };
}
