// What is sent to Loki, and what is made of its answers. loki-real.test.ts asks a real one.

import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { open } from "../../../collector/output/loki/loki.ts";
import { settings } from "../../../collector/output/loki/settings.ts";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { deliveryOf, outputContext } from "../../contract/output.ts";
import { anyValue, attributes, encodeRequest, type LogRecord } from "../../support/otlp.ts";
import { type LokiServer, readPush, startLoki } from "./loki-server.ts";

const never = new AbortController().signal;
const atMs = 1_790_000_000_000;

let server: LokiServer;
let output: Output;
beforeEach(async () => {
  server = await startLoki();
});
afterEach(async () => {
  await output.close();
  await server.close();
});

async function start(given: Record<string, unknown> = {}): Promise<void> {
  output = await open(settings.parse({ url: server.url, ...given }), outputContext());
}

interface Group {
  readonly resource?: Parameters<typeof attributes>[0];
  readonly scope?: object;
  readonly records: readonly LogRecord[];
}

function deliveryFrom(...batches: readonly Group[][]): Delivery {
  const entries = batches.map((groups, index) => {
    const resourceLogs = groups.map(({ resource = {}, scope = {}, records }) => ({
      resource: { attributes: attributes(resource) },
      scopeLogs: [{ scope, logRecords: [...records] }],
    }));
    const items = groups.reduce((sum, { records }) => sum + records.length, 0);
    const bytes = encodeRequest("logs", { resourceLogs });
    return { position: index, atMs, batch: { signal: "logs" as const, bytes, items } };
  });
  const items = entries.reduce((sum, { batch }) => sum + batch.items, 0);
  const bytes = entries.reduce((sum, { batch }) => sum + batch.bytes.length, 0);
  return { signal: "logs", entries, items, bytes };
}

const line = (text: string): LogRecord => ({ timeUnixNano: "5", body: { stringValue: text } });

describe("by OTLP", () => {
  test("records go as they came, with the tenant's name and the headers that are given", async () => {
    await start({ tenant: "shop", headers: { "x-more": "1" }, url: `${server.url}/base/` });
    const delivery = deliveryOf("logs", [3, 1]);
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    const { path, headers, body } = server.received[0]!;
    expect(path).toBe("/base/otlp/v1/logs");
    expect(headers).toMatchObject({ "x-scope-orgid": "shop", "x-more": "1" });
    expect(headers["content-type"]).toBe("application/x-protobuf");
    const sent = Buffer.concat(delivery.entries.map(({ batch }) => batch.bytes));
    expect(body.equals(sent)).toBe(true);
  });

  test("compressed where it is wanted", async () => {
    await start({ compression: "gzip" });
    const delivery = deliveryOf("logs", [3]);
    await output.deliver(delivery, never);
    expect(server.received[0]!.headers["content-encoding"]).toBe("gzip");
    const sent = Buffer.from(delivery.entries[0]!.batch.bytes);
    expect(gunzipSync(server.received[0]!.body).equals(sent)).toBe(true);
  });
});

describe("pushed", () => {
  const pushed = async (delivery: Delivery, given = {}): Promise<ReturnType<typeof readPush>> => {
    await start({ protocol: "push", ...given });
    expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
    expect(server.received[0]!.path).toBe("/loki/api/v1/push");
    return readPush(server.received[0]!.body);
  };

  test("a stream is told by resource attributes; all else is structured metadata", async () => {
    const resource = { "service.name": 'sh"op\n', "k8s.pod.uid": "7f", "host.name": "a" };
    const scope = { name: "pino", version: "9", attributes: attributes({ "x.y": true }) };
    const record = {
      timeUnixNano: "1767323045123456789",
      observedTimeUnixNano: "1767323045999999999",
      severityNumber: 17,
      severityText: "ERROR",
      flags: 1,
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      eventName: "order.paid",
      body: { stringValue: "payment failed" },
      attributes: attributes({ "http.route": "/pay", "0 odd": 1.5, big: 2 }),
    };
    const streams = await pushed(deliveryFrom([{ resource, scope, records: [record] }]));
    expect(streams).toEqual({
      '{service_name="sh\\"op\\n"}': [
        {
          at: 1767323045123456789n,
          line: "payment failed",
          metadata: {
            k8s_pod_uid: "7f",
            host_name: "a",
            scope_name: "pino",
            scope_version: "9",
            scope_x_y: "true",
            severity_number: "17",
            severity_text: "ERROR",
            flags: "1",
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
            span_id: "00f067aa0ba902b7",
            observed_timestamp: "1767323045999999999",
            event_name: "order.paid",
            http_route: "/pay",
            key_0_odd: "1.5",
            big: "2",
          },
        },
      ],
    });
  });

  test("records of several batches keep their order in their streams", async () => {
    const group = (name: string, ...lines: string[]): Group => ({
      resource: { "service.name": name },
      records: lines.map(line),
    });
    const streams = await pushed(
      deliveryFrom([group("a", "1", "2"), group("b", "3")], [group("b", "4"), group("a", "5")]),
    );
    const lines = Object.entries(streams).map(([labels, entries]) => [
      labels,
      entries.map(({ line }) => line).join(""),
    ]);
    expect(lines).toEqual([
      ['{service_name="a"}', "125"],
      ['{service_name="b"}', "34"],
    ]);
  });

  test("labels are those that are asked for, and the service always", async () => {
    const group = (resource: Group["resource"]): Group => ({
      ...(resource ? { resource } : {}),
      records: [line("x")],
    });
    const named = group({ region: "north", "service.name": "shop" });
    const given = { labels: ["region"] };
    const streams = await pushed(deliveryFrom([named, group({ region: "south" })]), given);
    expect(Object.keys(streams)).toEqual([
      '{service_name="shop", region="north"}',
      '{service_name="unknown_service", region="south"}',
    ]);
    expect(Object.values(streams)[0]![0]!.metadata).toEqual({});
  });

  test.each([
    [14, 15, "unknown_service"],
    [15, 15, undefined],
  ])("%i labels without a service are %i", async (count, expected, service) => {
    const names = Array.from({ length: count }, (_, index) => `l${index}`);
    const resource = Object.fromEntries(names.map((name) => [name, "x"]));
    const delivery = deliveryFrom([{ resource, records: [line("x")] }]);
    const streams = await pushed(delivery, { labels: names });
    const labels = Object.keys(streams)[0]!.match(/\w+="[^"]*"/g)!;
    expect(labels).toHaveLength(expected);
    expect(labels.includes(`service_name="${service}"`)).toBe(service !== undefined);
  });

  test("the service is a label also where as many others are asked for as there may be", async () => {
    const labels = Array.from({ length: 15 }, (_, index) => `l${index}`);
    const resource = Object.fromEntries([...labels, "service.name"].map((name) => [name, "x"]));
    const delivery = deliveryFrom([{ resource, records: [line("x")] }]);
    const [[stream, entries] = ["", []]] = Object.entries(await pushed(delivery, { labels }));
    expect(stream.match(/\w+="x"/g)).toHaveLength(15);
    expect(stream).toContain('{service_name="x", l0="x",');
    expect(entries[0]!.metadata).toEqual({ l14: "x" });
  });

  test.each([
    ["a text", { stringValue: "a\tb" }, "a\tb"],
    ["nothing", {}, ""],
    ["a number", { intValue: "9223372036854775807" }, "9223372036854775807"],
    ["a fraction", { doubleValue: 0.1 }, "0.1"],
    ["yes", { boolValue: true }, "true"],
    ["bytes", { bytesValue: "AAH/" }, "AAH/"],
    ["a list", anyValue(["a", 1, false]), '["a",1,false]'],
    [
      "a map with an exact number",
      {
        kvlistValue: {
          values: [
            { key: 'a"', value: { intValue: "-9007199254740993" } },
            { key: "b", value: { arrayValue: { values: [{}] } } },
          ],
        },
      },
      '{"a\\"":-9007199254740993,"b":[null]}',
    ],
  ])("a body that is %s is a line", async (_, body, text) => {
    const streams = await pushed(deliveryFrom([{ records: [{ timeUnixNano: "5", body }] }]));
    expect(Object.values(streams)[0]![0]!.line).toBe(text);
  });

  test("a map among the attributes becomes a pair for each of its values", async () => {
    const inner = { kvlistValue: { values: attributes({ "c.d": 1, e: "f" }) } };
    const records = [{ timeUnixNano: "5", attributes: [{ key: "a.b", value: inner }] }];
    const streams = await pushed(deliveryFrom([{ records }]));
    expect(Object.values(streams)[0]![0]!.metadata).toEqual({ a_b_c_d: "1", a_b_e: "f" });
  });

  test("without a time of its own a record has the time at which it was seen, or came", async () => {
    const records = [{ observedTimeUnixNano: "7" }, {}];
    const streams = await pushed(deliveryFrom([{ records }]));
    const times = Object.values(streams)[0]!.map(({ at }) => at);
    expect(times).toEqual([7n, BigInt(atMs) * 1_000_000n]);
  });
});

describe.each(["otlp", "push"])("an answer, by %s", (protocol) => {
  const old =
    "entry with timestamp 2020-01-01 00:00:00 +0000 UTC ignored, reason: 'entry too far behind',\nuser 'fake', total ignored: 2 out of 4 for stream: {service_name=\"shop\"}";

  test.each([
    [200, "", { kind: "delivered" }],
    [204, "", { kind: "delivered" }],
    [260, "blocked", { kind: "rejected", reason: "partial_success", items: 4 }],
    [400, old, { kind: "rejected", reason: "partial_success", items: 2 }],
    [400, "what is this", { kind: "rejected", reason: "partial_success", items: 4 }],
    [401, "no org id", { kind: "retry", reason: "unauthorized" }],
    [404, "", { kind: "retry", reason: "not_found" }],
    [413, "", { kind: "rejected", reason: "too_large", items: 4 }],
    [429, "Ingestion rate limit exceeded", { kind: "retry", reason: "busy" }],
    [500, "", { kind: "retry", reason: "server_error" }],
    [503, "", { kind: "retry", reason: "busy" }],
    [302, "", { kind: "retry", reason: "bad_answer" }],
  ])("%i %s", async (status, body, outcome) => {
    await start({ protocol });
    server.answer = [status, body];
    expect(await output.deliver(deliveryOf("logs", [4]), never)).toMatchObject(outcome);
  });
});

describe("settings", () => {
  beforeEach(() => start());

  test.each([
    ["url", "localhost:3100", "must be an http:// or https:// address"],
    ["url", "http://localhost:3100/loki/api/v1/push", "must end before /otlp or /loki"],
    ["url", "http://me:hunter2%zz@localhost:3100", "must be written as %25"],
    ["url", "http://localhost:3100/?x", "the address ends with the path"],
    ["labels", ["trace_id"], "would make a stream of each value"],
    ["labels", ["user.id"], "would make a stream of each value"],
    ["labels", Array.from({ length: 16 }, (_, index) => `l${index}`), "15"],
    ["tenant", "a/b", "is not a tenant"],
    ["tenant", "..", "is not a tenant"],
    ["certificate", "/x.pem", "is for https:// only, which the url is not"],
  ])("%s %s: refused", (name, value, message) => {
    const result = settings.safeParse({ url: "http://localhost:3100", [name]: value });
    expect(JSON.stringify(result.error?.issues)).toContain(message);
    expect(result.error?.message).not.toContain("hunter2");
  });
});
